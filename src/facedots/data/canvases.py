"""Training canvases of the finder: faces of all sizes and angles in, and pasted onto, other scenes.

Each canvas is a function of (seed, epoch, index) alone, as crops are in :mod:`facedots.data.crops`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Dataset

from facedots.data.dataset import reseed
from facedots.data.photometric import (
    Blur,
    ColorJitter,
    JpegCompression,
    LowResolution,
    Noise,
    UnevenLighting,
)
from facedots.data.scenes import Scene, map_squares, visible_shares
from facedots.data.targets import FinderTargets, finder_targets
from facedots.data.transforms import Compose
from facedots.detection.finder import SIDES, square_boxes
from facedots.errors import DataError, ImageError
from facedots.geometry import Floats, Image, Matrix, apply_affine, compose, similarity, warp_image

NEGATIVE_SOURCES = ("empty", "lookalikes")
BOXED_SOURCES = ("crowds", "masks", "coco", "groups")
"""Photos of many people; every other source shows a face and its surroundings."""

_FACE_VISIBLE, _FACE_HIDDEN = 0.6, 0.25
"""Share of a face within the canvas from which it is wanted, and below which it is none."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Canvas:
    """An image ``uint8 (S, S, 3)`` with the fields of a :class:`~facedots.data.scenes.Scene`."""

    image: Image
    squares: Floats
    ignore: Floats
    lower_faces: Floats


class CanvasDataset(Dataset[Mapping[str, torch.Tensor]]):
    """Canvases and their targets; an index is ``(epoch, index)``.

    Args:
        scenes: To draw from: some with faces around one, some of many people, some without.
        length: Canvases per epoch.
        size: Side of a canvas in pixels.
        seed: Decides all randomness, together with epoch and index.
        cache_bytes: Decoded photos to keep in memory.

    Raises:
        DataError: A kind of scene is missing.

    Example:
        >>> canvases = CanvasDataset(load_scenes("scenes"), 8192)  # doctest: +SKIP
        >>> canvases[0, 0]["image"].shape  # doctest: +SKIP
        torch.Size([3, 192, 192])
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        length: int,
        size: int = 192,
        seed: int = 0,
        cache_bytes: float = 2e9,
    ) -> None:
        self.length, self.size, self.seed = length, size, seed
        self.generator = random = np.random.default_rng(seed)
        self.images = ImageCache(cache_bytes)
        rest = [scene for scene in scenes if scene.source not in NEGATIVE_SOURCES + BOXED_SOURCES]
        self.faces = _Pool([scene for scene in rest if len(scene.squares)], "of a face")
        boxed = [scene for scene in scenes if scene.source in BOXED_SOURCES and len(scene.squares)]
        self.crowds = _Pool(boxed or self.faces.scenes, "of many people")
        negatives = [scene for scene in scenes if scene.source in NEGATIVE_SOURCES]
        self.negatives = _Pool(negatives, "without faces")
        self.photometric = Compose(
            [
                ColorJitter(p=0.7, p_gray=0.15, generator=random),
                ColorJitter(p=0.1, gamma=(1.3, 3.0), brightness=0.05, generator=random),
                UnevenLighting(p=0.2, generator=random),
                Blur(p=0.15, sigma=(0.4, 1.6), length=(3, 6), generator=random),
                LowResolution(p=0.1, fraction=(0.4, 0.9), generator=random),
                Noise(p=0.2, generator=random),
                JpegCompression(p=0.2, quality=(20, 80), generator=random),
            ]
        )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: tuple[int, int]) -> Mapping[str, torch.Tensor]:
        """``image`` uint8 (3, S, S), and the fields of ``FinderTargets``."""
        canvas, targets = self.draw(*index)
        image = self.photometric({"image": canvas.image})["image"]
        tensors = {name: torch.from_numpy(array) for name, array in vars(targets).items()}
        return {"image": torch.from_numpy(image.transpose(2, 0, 1).copy()), **tensors}

    def draw(self, epoch: int, row: int) -> tuple[Canvas, FinderTargets]:
        """The canvas before its photometric augmentation, and its targets."""
        random = self.generator
        reseed(random, self.seed, epoch, row)
        kind = random.random()
        if kind < 0.52:
            sides = (250.0, 600.0) if random.random() < 0.06 else SIDES  # far too large: no face
            canvas = self._placed(self.faces.choose(random), sides, self._angle(0.5))
        elif kind < 0.62:
            canvas = self._mosaic()
        elif kind < 0.80:
            canvas = self._placed(self.crowds.choose(random), SIDES, self._angle(0.3))
        else:
            canvas = self._background()
        self._occlude(canvas)
        return canvas, finder_targets(canvas.squares, canvas.ignore, self.size)

    def _angle(self, p_full: float) -> float:
        """Degrees: any with this probability, else about upright."""
        full = self.generator.random() < p_full
        return float(self.generator.uniform(-180, 180) if full else self.generator.normal(0, 10))

    def _log_uniform(self, low: float, high: float) -> float:
        return float(np.exp(self.generator.uniform(np.log(low), np.log(high))))

    def _map(
        self, start: ArrayLike, end: ArrayLike, zoom: float, angle: float, size: int
    ) -> Matrix:
        """A map from the point ``start`` to ``end`` of a canvas, at random mirrored there."""
        x, y = np.asarray(start, np.float64).tolist()
        right, down = (np.asarray(end) - (x, y)).tolist()
        matrix = similarity(angle, zoom, (right, down), (x, y))
        if self.generator.random() < 0.5:
            return matrix
        return compose(np.array([[-1.0, 0, size - 1], [0, 1.0, 0]]), matrix)

    def _placed(self, scene: Scene, sides: tuple[float, float], angle: float) -> Canvas:
        """A scene turned and zoomed so that one of its faces has one of these sides, anywhere in
        the canvas; around the photo is another scene, or black.
        """
        random, size = self.generator, self.size
        x, y, side = scene.squares[random.integers(len(scene.squares)), :3].tolist()
        margin = max(0.0, 0.4 * sides[0] - size / 2)  # of large faces the canvas shows a part
        end = random.uniform(-margin, size + margin, 2)
        matrix = self._map((x, y), end, self._log_uniform(*sides) / side, angle, size)
        canvas, covered = self._warped(scene, matrix, size)
        if random.random() < 0.8 and not covered.all():
            background = self._background().image
            canvas = replace(canvas, image=np.where(covered[..., None], canvas.image, background))
        return canvas

    def _background(self) -> Canvas:
        """A part of a scene without faces."""
        random, size = self.generator, self.size
        scene = self.negatives.choose(random)
        height, width = self.images.read(scene.image)[0].shape[:2]
        zoom = self._log_uniform(0.9, 4.0) * size / max(height, width)
        start = random.uniform(0.15, 0.85, 2) * (width, height)
        matrix = self._map(start, np.full(2, (size - 1) / 2), zoom, self._angle(0.25), size)
        return self._warped(scene, matrix, size)[0]

    def _mosaic(self) -> Canvas:
        """Many small photos of faces, and of what is none, pasted onto a scene without faces."""
        random = self.generator
        parts = [self._background()]
        cells = int(random.integers(2, 6))
        side = self.size // cells
        for corner in np.ndindex(cells, cells):
            draw = random.random()
            if draw > 0.35:
                pool = self.faces if draw < 0.85 else self.negatives
                corner_pixel = np.array(corner, np.float32) * side
                parts.append(self._pasted(parts[0].image, pool.choose(random), corner_pixel, side))
        arrays = ("squares", "ignore", "lower_faces")
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
        return Canvas(parts[0].image, **joined)

    def _pasted(self, image: Image, scene: Scene, corner: Floats, side: int) -> Canvas:
        """One photo pasted at a corner of the image, as a square or an ellipse of this side."""
        random = self.generator
        height, width = self.images.read(scene.image)[0].shape[:2]
        if len(scene.squares):
            x, y, face = scene.squares[0, :3].tolist()
        else:
            x, y, face = *(random.uniform(0.3, 0.7, 2) * (width, height)), width / 3
        target = self._log_uniform(min(SIDES[0], side * 0.6), side * 0.8)
        middle = (side - 1) / 2 + random.uniform(-0.5, 0.5, 2) * (side - target * 1.1)
        matrix = self._map((x, y), middle, target / face, self._angle(0.4), side)
        patch, mask = self._warped(scene, matrix, side)
        shown = len(patch.squares)
        if shown and random.random() < 0.5:
            ellipse = np.zeros(mask.shape, np.uint8)
            center = patch.squares[0, :2].round().astype(int).tolist()
            axes = (target * random.uniform(0.6, 1.2, 2)).round().astype(int).tolist()
            cv2.ellipse(ellipse, center, axes, float(random.uniform(0, 180)), 0, 360, 1, -1)
            mask, shown = mask & ellipse.astype(bool), 1
        left, top = corner.astype(int).tolist()
        np.copyto(image[top : top + side, left : left + side], patch.image, where=mask[..., None])
        squares = patch.squares[:shown] + np.array([left, top, 0, 0], np.float32)
        lower = patch.lower_faces[:shown] + corner
        return Canvas(image, squares, patch.ignore + np.tile(corner, 2), lower)

    def _warped(self, scene: Scene, matrix: Matrix, size: int) -> tuple[Canvas, Bools]:
        """A scene under a map to a canvas of this size, and where its photo covers it."""
        zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        image, divisor = self.images.read(scene.image, zoom)
        middle = divisor / 2 - 0.5
        decoded = compose(matrix, np.array([[divisor, 0, middle], [0, divisor, middle]]))
        warped = warp_image(image, decoded, (size, size))
        white = np.full(image.shape[:2], 255, np.uint8)
        covered = cv2.warpAffine(white, decoded, (size, size), flags=cv2.INTER_NEAREST) > 0
        squares = map_squares(scene.squares, matrix)
        shares = visible_shares(squares, size)
        cut = squares[(shares >= _FACE_HIDDEN) & (shares < _FACE_VISIBLE)]
        corners = apply_affine(matrix, scene.ignore[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))
        ignore = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        wanted = shares >= _FACE_VISIBLE
        ignored = np.concatenate([ignore, square_boxes(cut)])
        lower = apply_affine(matrix, scene.lower_faces[wanted])
        return Canvas(warped, squares[wanted], ignored, lower), covered

    def _occlude(self, canvas: Canvas) -> None:
        """Medical masks, and things before faces, drawn into the image."""
        random = self.generator
        for square, lower in zip(canvas.squares, canvas.lower_faces, strict=True):
            draw = random.random()
            if draw < 0.14 and np.isfinite(lower).all():
                color = random.integers(0 if draw < 0.05 else 150, 256, 3).tolist()
                moved = lower + random.normal(0, 0.03, 2) * square[2]
                cv2.fillPoly(canvas.image, [moved.round().astype(np.int32)], color, cv2.LINE_AA)
            elif 0.14 < draw < 0.3 and square[2] > 16:
                self._cover_side(canvas.image, square)

    def _cover_side(self, image: Image, square: Floats) -> None:
        """An ellipse of any color, or of about that of the face, over a part of it."""
        random = self.generator
        angle = random.uniform(0, 2 * np.pi)
        place = square[:2] + 0.5 * square[2] * np.array([np.cos(angle), np.sin(angle)])
        axes = np.maximum(1, square[2] * random.uniform(0.1, 0.35, 2)).round().astype(int).tolist()
        x, y = np.clip(square[:2], 0, self.size - 1).astype(int).tolist()
        skin = (image[y, x] * random.uniform(0.7, 1.1)).clip(0, 255)
        color = (skin if random.random() < 0.6 else random.integers(0, 256, 3)).tolist()
        center, turn = place.round().astype(int).tolist(), float(random.uniform(0, 180))
        cv2.ellipse(image, center, axes, turn, 0, 360, color, -1, cv2.LINE_AA)


class _Pool:
    """Scenes of one kind, drawn by their weights."""

    def __init__(self, scenes: Sequence[Scene], kind: str) -> None:
        if not scenes:
            raise DataError(f"no scenes {kind} to train a finder on")
        self.scenes = scenes
        self._shares = np.cumsum([scene.weight for scene in scenes])

    def choose(self, random: np.random.Generator) -> Scene:
        place = random.random() * self._shares[-1]
        return self.scenes[int(np.searchsorted(self._shares, place, side="right"))]


class ImageCache:
    """Photos in RGB at 1, 1/2, 1/4 or 1/8 of their size, up to ``limit`` bytes in memory."""

    FLAGS: Mapping[int, int] = {
        8: cv2.IMREAD_REDUCED_COLOR_8,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        1: cv2.IMREAD_COLOR,
    }

    def __init__(self, limit: float) -> None:
        self._images: dict[tuple[Path, int], Image] = {}
        self._room = limit

    def read(self, path: Path, zoom: float = 1.0) -> tuple[Image, int]:
        """The photo as coarse as a zoom of it allows, and by what its size was divided.

        Raises:
            ImageError: It cannot be decoded.
        """
        divisor = next((d for d in self.FLAGS if zoom * d <= 1), 1)
        if (path, divisor) in self._images:
            return self._images[path, divisor], divisor
        decoded = cv2.imread(str(path), self.FLAGS[divisor] | cv2.IMREAD_IGNORE_ORIENTATION)
        if decoded is None:
            raise ImageError(f"{path}: cannot be decoded")
        image = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
        if image.nbytes <= self._room:
            self._images[path, divisor] = image
            self._room -= image.nbytes
        return image, divisor
