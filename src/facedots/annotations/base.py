"""Labeled faces, and what the readers of every format have in common."""

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from facedots.errors import AnnotationError
from facedots.geometry import Floats, Matrix
from facedots.io.files import protect
from facedots.schema import IBUG68, KeypointSchema

LOG = logging.getLogger("facedots")
"""Says on stderr what a reader did with a file that is not plain from its points."""

MAX_BYTES = 256 << 20
"""Size up to which a file with labels is read."""

MAX_COORDINATE = 1e6
"""No image is as wide, in pixels."""

Origin = tuple[float, float]
"""The coordinates (x, y) that a file gives to the center of the top-left pixel."""


@dataclass(frozen=True, eq=False)
class FaceAnnotation:
    """One labeled face. Two are equal only if they are the same object.

    Attributes:
        image: The image's file.
        points: ``float32 (K, 2)``, (x, y) in pixels of the stored image; (0, 0) is the center of
            its top-left pixel. A missing point is NaN.
        name: Identifies the face within its data set, as in ``"training/Luis_Fonsi_21.jpg"``.
        group: What a split must keep on one side: the person or the photo; ``""`` where unknown.
        label_bias_x: Constant horizontal offset of the labels from the features, in pixels to the
            right.
        label_style: The data set whose way of labeling the points follow; ``""`` where unknown.

    Example:
        >>> face = FaceAnnotation(Path("a.jpg"), np.zeros((68, 2), np.float32), "a.jpg")
        >>> face.points.shape, face.group
        ((68, 2), '')
    """

    image: Path
    points: Floats
    name: str
    group: str = ""
    label_bias_x: float = 0.0
    label_style: str = ""


class AnnotationFile(ABC):
    """A file with labeled faces, parsed once when it is opened.

    Args:
        path: The file; for ``.pts`` files, their folder.

    Raises:
        AnnotationError: It cannot be read or parsed.
    """

    origin: ClassVar[Origin] = (0.0, 0.0)
    """What files of this format usually call the center of the top-left pixel."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        protect([self.path])
        self._notes: list[str] = []

    @property
    def image_folder(self) -> Path:
        """Where the images are unless the user names another folder."""
        return self.path.parent

    def schema(self) -> KeypointSchema:
        """What the points mean; IBUG68 for formats that do not name points.

        Raises:
            DataError: The file does not name its points; the message says what to write.
        """
        return IBUG68

    def faces(
        self,
        images: Path | None = None,
        schema: KeypointSchema = IBUG68,
        origin: Origin | None = None,
    ) -> list[FaceAnnotation]:
        """The labeled faces, in the file's order.

        Args:
            images: Folder that the names of images are relative to; None for the usual place.
            schema: What the points mean.
            origin: Subtracted from the file's coordinates; None for the usual one of the format.

        Raises:
            AnnotationError: With all faults of the file at once.
        """
        self._notes = []
        faces = self._faces(images or self.image_folder, schema, origin or self.origin)
        beyond = f"a coordinate is beyond {MAX_COORDINATE:.0f} pixels"
        large = [face.name for face in faces if (np.abs(face.points) > MAX_COORDINATE).any()]
        if large:
            raise AnnotationError(self.path, [f"{name}: {beyond}" for name in large])
        for note in self._notes:
            LOG.warning("%s: %s", self.path, note)
        protect({face.image for face in faces})
        return faces

    @abstractmethod
    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        """As :meth:`faces`."""


def to_pixels(points: Matrix, origin: Origin) -> Floats:
    """A file's coordinates as pixels whose (0, 0) is the center of the top-left pixel."""
    with np.errstate(over="ignore"):  # Infinite, which is refused.
        return np.asarray(points - np.asarray(origin), np.float32)


def drop_placeholders(points: Matrix, notes: list[str]) -> Matrix:
    """Points ``(..., K, 2)``, NaN where they are (-1, -1) or (0, 0), as tools write missing ones.

    What was dropped is added to ``notes``.
    """
    dropped = np.zeros(points.shape[:-1], bool)
    for value in (-1, 0):
        found = (points == value).all(axis=-1)
        if found.any():
            text = f"{found.sum()} points at ({value}, {value}) are taken as missing"
            notes.append(f"{text}; empty cells or visibility 0 say so plainly")
        dropped |= found
    return np.where(dropped[..., None], np.nan, points)


def scale_faults(faces: Mapping[str, Matrix]) -> list[str]:
    """Sentences about faces whose points cannot be pixels, since they lie within one.

    Args:
        faces: Name of a face -> its points ``(K, 2)`` as the file has them.
    """
    known = [points[np.isfinite(points).all(axis=1)] for points in faces.values()]
    values = np.concatenate([np.zeros((0, 2)), *known])
    spans = np.array(
        [np.ptp(points, axis=0).max(initial=0) if len(points) else 0 for points in known]
    )
    whole = np.array([len(points) > 4 for points in known], bool)
    signed = np.array([bool((points < 0).mean() > 0.1) for points in known if len(points) > 4])
    fix = "multiply x by the image's width and y by its height, or undo what was done to them"
    if spans.any() and (np.abs(values - 0.5) <= 1.5).all():
        return [f"all coordinates lie within one pixel, so they look normalized; {fix}"]
    if whole.any() and spans[whole].max() < 10 and signed.mean() > 0.5:
        return [f"all faces are smaller than 10 pixels and around 0: standardized? {fix}"]
    small = whole & (spans > 0) & (spans < 1.5)
    return [
        f"{name}: all its points lie within one pixel"
        for name, few in zip(faces, small, strict=True)
        if few
    ]


def read_bytes(path: Path, contents: str) -> bytes:
    """The bytes of a file of text; ``contents`` names in errors what it should hold.

    Raises:
        AnnotationError: It cannot be read, is larger than :data:`MAX_BYTES`, or is not text.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            if not start.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\0" in start:
                raise AnnotationError(path, [f"not {contents}, but bytes that are no text"])
            data = start + file.read(MAX_BYTES + 1 - len(start))
    except OSError as error:
        raise AnnotationError(path, [f"cannot be read: {error.strerror}"]) from error
    if len(data) > MAX_BYTES:
        raise AnnotationError(path, [f"larger than {MAX_BYTES >> 20} MB; split it"])
    return data


def read_json(path: Path, contents: str, data: bytes | None = None) -> Any:
    """The content of a JSON file; ``contents`` names in errors what it should hold.

    Args:
        path: The file.
        contents: What it should hold.
        data: Its bytes, if they were read before.

    Raises:
        AnnotationError: It cannot be read or is not JSON.
    """
    try:
        text = (read_bytes(path, contents) if data is None else data).decode("utf-8-sig")
        return json.loads(text)
    except UnicodeDecodeError as error:
        fault = f"not a JSON file of {contents} in UTF-8; save it as UTF-8"
        raise AnnotationError(path, [fault]) from error
    except RecursionError as error:
        raise AnnotationError(path, [f"not a JSON file of {contents}: too deep"]) from error
    except ValueError as error:
        raise AnnotationError(path, [f"not a JSON file of {contents}: {error}"]) from error
