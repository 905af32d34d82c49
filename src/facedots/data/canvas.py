"""What training canvases are made of: the canvas itself, pools of scenes, photos in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedots.data.scenes import Scene, map_squares
from facedots.errors import DataError, ImageError
from facedots.geometry import Floats, Image, Matrix, apply_affine, compose, similarity


@dataclass(frozen=True)
class Canvas:
    """An image ``uint8 (S, S, 3)`` with the fields of a :class:`~facedots.data.scenes.Scene`."""

    image: Image
    squares: Floats
    ignore: Floats
    lower_faces: Floats

    @classmethod
    def joined(cls, quarters: Sequence["Canvas"], side: int) -> "Canvas":
        """Four canvases of this side as one: top left, top right, bottom left, bottom right."""
        images = [quarter.image for quarter in quarters]
        image = np.vstack([np.hstack(images[:2]), np.hstack(images[2:])])
        corners = np.array([[0, 0], [side, 0], [0, side], [side, side]], np.float32)
        moved = list(zip(quarters, corners, strict=True))
        squares = [one.squares + np.pad(corner, (0, 2)) for one, corner in moved]
        ignore = [one.ignore + np.tile(corner, 2) for one, corner in moved]
        lower = [one.lower_faces + corner for one, corner in moved]
        return cls(image, *map(np.concatenate, (squares, ignore, lower)))

    def turned(self, quarters: int, mirrored: bool) -> "Canvas":
        """Turned clockwise by quarters of a turn, before that mirrored or not."""
        end = len(self.image) - 1
        middle = (end / 2, end / 2)
        matrix = similarity(90 * quarters, 1, (0, 0), middle)
        if mirrored:
            matrix = compose(matrix, np.array([[-1.0, 0, end], [0, 1.0, 0]]))
        image = self.image[:, ::-1] if mirrored else self.image
        return Canvas(
            np.ascontiguousarray(np.rot90(image, -quarters)),
            map_squares(self.squares, matrix),
            map_boxes(self.ignore, matrix),
            apply_affine(matrix, self.lower_faces),
        )


def map_boxes(boxes: Floats, matrix: Matrix) -> Floats:
    """The boxes (N, 4) around mapped boxes."""
    corners = apply_affine(matrix, boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


class ScenePool:
    """Scenes of one kind, drawn by their weights."""

    def __init__(self, scenes: Sequence[Scene], kind: str) -> None:
        if not scenes:
            raise DataError(f"no scenes {kind} to train a finder on")
        self.scenes = scenes
        self._shares = np.cumsum([scene.weight for scene in scenes])

    def choose(self, random: np.random.Generator) -> Scene:
        """One scene."""
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
