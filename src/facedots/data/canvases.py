"""Training canvases of the finder: faces of all sizes and angles in, and pasted onto, other scenes.

Each canvas is a function of (seed, epoch, index) alone, as crops are in :mod:`facedots.data.crops`.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Dataset

from facedots.data.canvas import Canvas, ImageCache, ScenePool, map_boxes
from facedots.data.dataset import reseed
from facedots.data.occluders import draw_medical_mask
from facedots.data.photometric import (
    Blur,
    ColorJitter,
    JpegCompression,
    LowResolution,
    Noise,
    UnevenLighting,
)
from facedots.data.scenes import Scene, map_squares, visible_shares
from facedots.data.targets import DOUBTFUL_SIDES, finder_targets
from facedots.data.transforms import Compose
from facedots.detection.base import square_boxes
from facedots.detection.finder import SIDES
from facedots.geometry import Floats, Image, Matrix, apply_affine, compose, similarity, warp_image

NEGATIVE_SOURCES = ("empty", "lookalikes")
BOXED_SOURCES = ("crowds", "masks", "coco", "groups")
"""Photos of many people; every other source shows a face and its surroundings."""

_FACE_VISIBLE, _FACE_HIDDEN = 0.6, 0.25
"""Share of a face within the canvas from which it is wanted, and below which it is none."""

_TOO_LARGE = (DOUBTFUL_SIDES[1], 300.0)
"""Sides of faces that are shown as none."""
_DIVIDED, _P_DIVIDED = 96, 0.55
"""A canvas of at least this side is with this probability divided into four."""
_P_ANY_ANGLE = 0.75
"""Other scenes are about upright."""

Bools = NDArray[np.bool_]


class CanvasDataset(Dataset[Mapping[str, torch.Tensor]]):
    """Canvases and their targets; an index is ``(epoch, index)``.

    Args:
        scenes: To draw from: some with faces around one, some of many people, some without.
        length: Canvases per epoch.
        size: Side of a canvas in pixels.
        seed: Decides all randomness, together with epoch and index.
        redraw: Every this many epochs a canvas is drawn anew; between them it is mirrored, turned
            by quarters and changed in its colors, which takes a fifth of the time.
        cache_bytes: Decoded photos to keep in memory.

    Raises:
        DataError: A kind of scene is missing.

    Example:
        >>> canvases = CanvasDataset(load_scenes("scenes"), 8192)  # doctest: +SKIP
        >>> canvases[0, 0]["image"].shape  # doctest: +SKIP
        torch.Size([192, 192, 3])
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        length: int,
        size: int = 192,
        seed: int = 0,
        *,
        redraw: int = 4,
        cache_bytes: float = 2e9,
    ) -> None:
        self.length, self.size, self.seed, self.redraw = length, size, seed, redraw
        self._drawn: dict[int, tuple[int, Canvas]] = {}
        self.generator = random = np.random.default_rng(seed)
        self.images = ImageCache(cache_bytes)
        rest = [scene for scene in scenes if scene.source not in NEGATIVE_SOURCES + BOXED_SOURCES]
        self.faces = ScenePool([scene for scene in rest if len(scene.squares)], "of a face")
        boxed = [scene for scene in scenes if scene.source in BOXED_SOURCES and len(scene.squares)]
        self.crowds = ScenePool(boxed or self.faces.scenes, "of many people")
        negatives = [scene for scene in scenes if scene.source in NEGATIVE_SOURCES]
        self.negatives = ScenePool(negatives, "without faces")
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
        """``image`` uint8 (S, S, 3), and the fields of ``FinderTargets``."""
        epoch, row = index
        drawing = self._drawing(epoch, row)
        if self._drawn.get(row, (-1,))[0] != drawing:
            self._drawn[row] = drawing, self.draw(drawing, row)
        reseed(self.generator, self.seed, epoch, row, 1)
        canvas = self._symmetric(self._drawn[row][1])
        image = canvas.image
        if drawing > 0:
            image = self.photometric({"image": image})["image"]
        targets = finder_targets(canvas.squares, canvas.ignore, self.size)
        tensors = {name: torch.from_numpy(array) for name, array in vars(targets).items()}
        return {"image": torch.from_numpy(image), **tensors}

    def _drawing(self, epoch: int, row: int) -> int:
        """Which of its drawings a canvas shows: all begin together with the second one; then an
        equal share is drawn anew in each epoch, so that epochs take alike.
        """
        begun = epoch - self.redraw
        return 0 if begun < 0 else 1 + (begun + row % self.redraw) // self.redraw

    def draw(self, drawing: int, row: int) -> Canvas:
        """A canvas before its photometric augmentation."""
        reseed(self.generator, self.seed, drawing, row)
        if drawing == 0:
            return Canvas.joined([self._easy(self.size // 2) for _ in range(4)], self.size // 2)
        canvas = self._filled(self.size)
        self._occlude(canvas)
        return canvas

    def _easy(self, size: int) -> Canvas:
        """One large face, which teaches the roll at once: the first drawing consists of them."""
        return self._placed(self.faces.choose(self.generator), (size / 6, SIDES[1]), size)

    def _filled(self, size: int) -> Canvas:
        """A canvas of this size: one scene, or four canvases of half the size."""
        random = self.generator
        if size >= _DIVIDED and random.random() < _P_DIVIDED:
            half = size // 2
            return Canvas.joined([self._filled(half) for _ in range(4)], half)
        kind = random.random()
        if kind < 0.25:
            return self._background(size)
        # Small ones in large canvases too: else the quarters' edges would tell the size.
        sides = SIDES[0], min(DOUBTFUL_SIDES[1], 0.8 * size)
        if kind > 0.92 and size >= _DIVIDED:
            sides = _TOO_LARGE
        pool = self.crowds if kind < 0.4 else self.faces
        return self._placed(pool.choose(random), sides, size)

    def _symmetric(self, canvas: Canvas) -> Canvas:
        """The canvas, at random mirrored, and half of the time turned by quarters."""
        mirrored, turned = self.generator.random(2) < 0.5
        quarters = int(self.generator.integers(4)) if turned else 0
        return canvas.turned(quarters, bool(mirrored))

    def _angle(self) -> float:
        """Degrees: any, or about upright."""
        full = self.generator.random() < _P_ANY_ANGLE
        return float(self.generator.uniform(-180, 180) if full else self.generator.normal(0, 15))

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

    def _placed(self, scene: Scene, sides: tuple[float, float], size: int) -> Canvas:
        """A scene turned and zoomed so that one of its faces has one of these sides, anywhere in
        the canvas; around the photo is another scene, or black.
        """
        random = self.generator
        x, y, side = scene.squares[random.integers(len(scene.squares)), :3].tolist()
        target = self._log_uniform(*sides)
        margin = min(0.3 * target, size / 2)
        end = random.uniform(margin, size - margin, 2)
        matrix = self._map((x, y), end, target / side, self._angle(), size)
        canvas, covered = self._warped(scene, matrix, size)
        if random.random() < 0.8 and not covered.all():
            background = self._background(size).image
            cv2.copyTo(background, (~covered).astype(np.uint8), canvas.image)
        return canvas

    def _background(self, size: int) -> Canvas:
        """A part of a scene without faces."""
        random = self.generator
        scene = self.negatives.choose(random)
        height, width = self.images.read(scene.image)[0].shape[:2]
        zoom = self._log_uniform(1.2, 5.0) * size / max(height, width)
        start = random.uniform(0.2, 0.8, 2) * (width, height)
        matrix = self._map(start, np.full(2, (size - 1) / 2), zoom, self._angle(), size)
        return self._warped(scene, matrix, size)[0]

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
        partly = (shares >= _FACE_HIDDEN) & (shares < _FACE_VISIBLE)
        cut = squares[partly & (squares[:, 2] < _TOO_LARGE[0])]
        wanted = shares >= _FACE_VISIBLE
        ignored = np.concatenate([map_boxes(scene.ignore, matrix), square_boxes(cut)])
        lower = apply_affine(matrix, scene.lower_faces[wanted])
        return Canvas(warped, squares[wanted], ignored, lower), covered

    def _occlude(self, canvas: Canvas) -> None:
        """Medical masks, and things before faces, drawn into the image."""
        random, covered = self.generator, np.zeros(canvas.image.shape[:2], bool)
        for square, lower in zip(canvas.squares, canvas.lower_faces, strict=True):
            draw = random.random()
            if draw < 0.14 and np.isfinite(lower).all():
                moved = lower + random.normal(0, 0.03, 2) * square[2]
                draw_medical_mask(canvas.image, covered, moved, random)
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
