"""Photos with the faces that a detector must find in them, as lines of JSON (``scenes.jsonl``)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from facedots.detection.base import square_boxes
from facedots.errors import DataError
from facedots.geometry import Floats, Matrix, apply_affine, similarity, tight_boxes
from facedots.io.files import atomic_write

SCENES_FILE = "scenes.jsonl"

LOWER_FACE = (*range(2, 15), 29)
"""The points of :data:`~facedots.schema.IBUG68` around what a medical mask covers."""

_SHAPES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"squares": (-1, 4), "ignore": (-1, 4), "lower_faces": (-1, len(LOWER_FACE), 2)}
)


def _no_boxes() -> Floats:
    return np.zeros((0, 4), np.float32)


def _no_outlines() -> Floats:
    return np.zeros((0, len(LOWER_FACE), 2), np.float32)


@dataclass(frozen=True)
class Scene:
    """One photo and its faces.

    Attributes:
        image: The image's file.
        source: The data set it comes from.
        squares: ``float32 (N, 4)``, the tilted squares around the faces as in
            :class:`~facedots.detection.base.Detections`; the roll is NaN where unknown.
        ignore: ``float32 (M, 4)``, boxes that may hold a face: neither right nor wrong.
        lower_faces: ``float32 (N, 14, 2)``, outline of what a medical mask would cover; NaN where
            unknown.
        validation: Whether it is held out of the training.
        weight: How often it is drawn, relative to others.

    Example:
        >>> Scene(Path("a.jpg"), "crowds").squares.shape
        (0, 4)
    """

    image: Path
    source: str
    squares: Floats = field(default_factory=_no_boxes)
    ignore: Floats = field(default_factory=_no_boxes)
    lower_faces: Floats = field(default_factory=_no_outlines)
    validation: bool = False
    weight: float = 1.0


def tilted_square(points: ArrayLike, eyes: tuple[int, int] = (36, 45)) -> Floats:
    """The square ``float32 (4,)`` around the points ``(K, 2)`` of a face, tilted with it: center x,
    center y, side, roll in degrees.

    Args:
        points: In pixels.
        eyes: A point of the subject's right eye and the same one of the left eye.

    >>> tilted_square([[1, 0], [1, 4]], (0, 1)).round(3).tolist()  # tilted by a quarter turn
    [1.0, 2.0, 4.0, 90.0]
    """
    array = np.asarray(points, np.float32)
    across = array[eyes[1]] - array[eyes[0]]
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    box = tight_boxes(apply_affine(similarity(-roll, 1, (0, 0), (0, 0)), array)[None])[0]
    middle = apply_affine(similarity(roll, 1, (0, 0), (0, 0)), (box[:2] + box[2:]) / 2)
    return np.array([*middle, (box[2:] - box[:2]).max(), roll], np.float32)


def lower_face(points: Floats) -> Floats:
    """The outline ``float32 (14, 2)`` of what a medical mask covers, from points ``(68, 2)``."""
    return points[list(LOWER_FACE)]


def squares_of_boxes(boxes: ArrayLike) -> Floats:
    """Squares ``float32 (N, 4)`` of an unknown roll around tight boxes (N, 4).

    >>> squares_of_boxes([[0, 0, 10, 20]]).tolist()
    [[5.0, 10.0, 20.0, nan]]
    """
    box = np.asarray(boxes, np.float32).reshape(-1, 4)
    sides = (box[:, 2:] - box[:, :2]).max(axis=1)
    middles = (box[:, :2] + box[:, 2:]) / 2
    return np.column_stack([middles, sides, np.full(len(box), np.nan)]).astype(np.float32)


def map_squares(squares: Floats, matrix: Matrix) -> Floats:
    """Tilted squares ``(N, 4)`` under a similarity, which may mirror.

    >>> map_squares(np.array([[1, 0, 2, 30]], np.float32), similarity(60, 2, (0, 0), (0, 0)))
    array([[ 1.       ,  1.7320508,  4.       , 90.       ]], dtype=float32)
    """
    determinant = np.linalg.det(matrix[:, :2])
    sign = np.sign(determinant)
    turn = np.degrees(np.arctan2(sign * matrix[1, 0], sign * matrix[0, 0]))
    middles = apply_affine(matrix, squares[:, :2])
    sides = squares[:, 2] * np.sqrt(abs(determinant))
    return np.column_stack([middles, sides, turn + sign * squares[:, 3]]).astype(np.float32)


def visible_shares(squares: Floats, size: int) -> Floats:
    """The shares ``(N,)`` of squares ``(N, 4)``, their roll left out, that lie within an image of
    ``size`` x ``size`` pixels.

    >>> visible_shares(np.array([[9.5, 4.5, 10, 0]], np.float32), 10).tolist()
    [0.5]
    """
    boxes = square_boxes(squares)
    inside = np.minimum(boxes[:, 2:], size - 0.5) - np.maximum(boxes[:, :2], -0.5)
    return (inside.clip(min=0) / squares[:, 2:3]).prod(axis=1)


def write_scenes(scenes: Iterable[Scene], folder: Path) -> None:
    """Write ``scenes.jsonl`` into a folder; the images are named by their absolute paths."""
    lines = []
    for scene in scenes:
        arrays = {name: _plain(getattr(scene, name)) for name in _SHAPES}
        names = {"image": str(scene.image.resolve()), "source": scene.source}
        facts = {"validation": scene.validation, "weight": scene.weight}
        lines.append(json.dumps({**names, **facts, **arrays}))
    atomic_write(folder / SCENES_FILE, "\n".join(lines) + "\n")


def load_scenes(folder: str | Path) -> list[Scene]:
    """The scenes that :func:`write_scenes` wrote; relative names of images are within the folder.

    Raises:
        DataError: There is no such file, or a line cannot be read.
    """
    path = Path(folder) / SCENES_FILE
    if not path.is_file():
        raise DataError(f"{path}: no such file; tools/finder_scenes.py writes it")
    scenes = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            fields = json.loads(line)
            for name, shape in _SHAPES.items():
                fields[name] = np.array(fields[name], np.float32).reshape(shape)
            scenes.append(Scene(Path(folder) / fields.pop("image"), **fields))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}: line {number}: not a scene ({error!r})") from error
    return scenes


def _plain(array: Floats) -> list[Any]:
    """Nested lists with one decimal; None for NaN."""
    rounded = array.astype(np.float64).round(1)
    return np.where(np.isnan(rounded), None, rounded).tolist()  # type: ignore[call-overload]
