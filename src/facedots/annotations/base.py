"""Labeled faces, and what the readers of every format have in common.

Readers raise :class:`~facedots.errors.AnnotationError`, with all faults of a file at once, and
:class:`~facedots.errors.DataError` where nothing tells what its points mean.
"""

import hashlib
import json
import logging
import math
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from facedots.annotations.image_files import read_header
from facedots.errors import AnnotationError
from facedots.geometry import Floats, Image, Matrix, tight_boxes
from facedots.io.files import protect
from facedots.io.images import write_image
from facedots.io.tar_files import ImagePlace
from facedots.schema import IBUG68, KeypointSchema

LOG = logging.getLogger("facedots")
MAX_BYTES = 256 << 20
"""Size up to which a file with labels is read."""
MAX_COORDINATE = 1e6
"""No image is as wide, in pixels."""
PLACEHOLDERS = (
    *(-1, 0, -99, -999, -9999, -99999, -999999, -100, -1000, -10000, -100000),
    *(9999, 99999, 999999),
)
"""What tools write as x and as y of a missing point."""

Origin = tuple[float, float]
"""The coordinates (x, y) that a file gives to the center of the top-left pixel."""


@dataclass(frozen=True, eq=False)
class FaceAnnotation:
    """One labeled face. Two are equal only if they are the same object.

    Attributes:
        image: The image's file, or its place in a pack's shard.
        points: ``float32 (K, 2)``, (x, y) in pixels of the stored image; (0, 0) is the center of
            its top-left pixel. A missing point is NaN.
        name: Identifies the face within its data set, as in ``"training/Luis_Fonsi_21.jpg"``.
        group: What a split must keep on one side: the person or the photo; ``""`` where unknown.
        label_bias_x: Constant horizontal offset of the labels from the features, in pixels to the
            right.
        label_style: The data set whose way of labeling the points follow; ``""`` where unknown.
        pupils: ``float32 (2, 2)`` as the points, the right eye's first, NaN where one is missing;
            ``None`` where the data set labels none.
        box: ``float32 (4,)``, the tight box x0 y0 x1 y1 where no point is labeled; else ``None``.
        visible: ``float32 (K,)``: 1 for points that are seen, 0 for hidden ones, NaN where that is
            unknown; ``None``: all that are labeled are seen.
        is_face: False where the box frames what may only look like a face.

    Example:
        >>> face = FaceAnnotation(Path("a.jpg"), np.zeros((68, 2), np.float32), "a.jpg")
        >>> face.points.shape, face.group
        ((68, 2), '')
    """

    image: ImagePlace
    points: Floats
    name: str
    group: str = ""
    label_bias_x: float = 0.0
    label_style: str = ""
    pupils: Floats | None = None
    box: Floats | None = None
    visible: Floats | None = None
    is_face: bool = True

    @property
    def tight_box(self) -> Floats:
        """``float32 (4,)``: that around the labeled points where no ``box`` is given; NaN without
        either.
        """
        return tight_boxes(self.points[None])[0] if self.box is None else self.box


class AnnotationFile(ABC):
    """A file with labeled faces, or a folder of small ones, parsed once when it is opened.

    Raises:
        AnnotationError: It cannot be read or parsed.
    """

    endings: ClassVar[tuple[str, ...]] = (".json",)
    """Endings by which folders are searched for files of this format."""
    origin: ClassVar[Origin] = (0.0, 0.0)
    """What these files usually call the center of the top-left pixel."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        protect([self.path])
        self.notes: list[str] = []  # What is told of the file when its faces are read.
        self.empty: list[str] = []  # Images that were annotated and hold no face, as groups.

    @property
    def image_folder(self) -> Path:
        """Where the images are unless the user names another folder."""
        return self.path.parent

    def schema(self) -> KeypointSchema:
        """What the points mean, by their names or number.

        Raises:
            DataError: That is open; the message says what to write.
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
        self.notes, self.empty = [], []
        faces = self._faces(images or self.image_folder, schema, origin or self.origin)
        beyond = f"a coordinate is beyond {MAX_COORDINATE:.0f} pixels"
        large = [face.name for face in faces if (np.abs(face.points) > MAX_COORDINATE).any()]
        if large:
            raise AnnotationError(self.path, [f"{name}: {beyond}" for name in large])
        self.notes += _percent_notes(faces)
        for note in self.notes:
            LOG.warning("%s: %s", self.path, note)
        protect({face.image for face in faces if isinstance(face.image, Path)})
        return faces

    @abstractmethod
    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        """As :meth:`faces`."""


def to_pixels(points: Matrix, origin: Origin) -> Floats:
    """A file's coordinates as pixels whose (0, 0) is the center of the top-left pixel."""
    with np.errstate(over="ignore"):  # Infinite, which is refused.
        return np.asarray(points - np.asarray(origin), np.float32)


def measured_pixels(
    file: AnnotationFile, names: Sequence[str], points: Sequence[Matrix], origin: Origin
) -> Floats:
    """The points ``(N, K, 2)`` of faces as pixels; placeholders are missing."""
    kept = _drop_placeholders(np.stack(points), file.notes)
    if faults := _scale_faults(names, kept):
        raise AnnotationError(file.path, faults)
    return to_pixels(kept, origin)


def face_names(images: Sequence[str]) -> list[str]:
    """Names of faces by their images, with #1, #2, … where several share one.

    >>> face_names(["a.jpg", "b.jpg", "a.jpg"])
    ['a.jpg#1', 'b.jpg', 'a.jpg#2']
    """
    faces, seen, names = Counter(images), Counter[str](), list[str]()
    for image in images:
        seen[image] += 1
        names.append(f"{image}#{seen[image]}" if faces[image] > 1 else image)
    return names


def _drop_placeholders(points: Matrix, notes: list[str]) -> Matrix:
    """Points, NaN where x and y are both one of the :data:`PLACEHOLDERS`."""
    dropped = np.zeros(points.shape[:-1], bool)
    for value in PLACEHOLDERS:
        found = (points == value).all(axis=-1)
        if found.any():
            text = f"{found.sum()} points at ({value}, {value}) are taken as missing"
            notes.append(f"{text}; empty cells or visibility 0 say so plainly")
        dropped |= found
    return np.where(dropped[..., None], np.nan, points)


def _scale_faults(names: Sequence[str], faces: Matrix) -> list[str]:
    """Sentences about faces whose points cannot be pixels, since they lie within one."""
    known = [points[np.isfinite(points).all(axis=1)] for points in faces]
    values = np.concatenate([np.zeros((0, 2)), *known])
    spans = np.array([np.ptp(points, axis=0).max() if len(points) else 0 for points in known])
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
        for name, few in zip(names, small, strict=True)
        if few
    ]


def _percent_notes(faces: Sequence[FaceAnnotation]) -> list[str]:
    """A sentence about 20 or more large images whose points all lie within 0 to 100."""
    images = list(dict.fromkeys(face.image for face in faces if isinstance(face.image, Path)))
    points = np.concatenate([np.zeros((0, 2)), *(face.points for face in faces)])
    values = points[np.isfinite(points).all(axis=1)]
    if len(images) < 20 or not len(values) or values.min() < -0.5 or values.max() > 100:
        return []
    # Faces in percent are around the middle, 50.
    if np.abs(np.median(values, axis=0) - 50).max() > 20 or np.ptp(values, axis=0).min() < 30:
        return []
    headers = [read_header(image) for image in images[:50]]
    if not all(header and min(header.size) > 250 for header in headers):
        return []
    fix = "then multiply x by the image's width / 100 and y by its height / 100"
    return [f"all coordinates lie within 0 to 100, at the top left of large images: percent? {fix}"]


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/facedots``, by default ``~/.cache/facedots``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "facedots"


def cached_image(key: bytes, image: Callable[[], Image]) -> Path:
    """The PNG file of an image that a file of labels holds, written once; ``key`` tells images."""
    name = hashlib.sha256(key).hexdigest()[:24]
    file = cache_folder() / "label-images" / name[:2] / f"{name}.png"
    if not file.is_file():
        write_image(file, image())
    return file


def to_numbers(cells: Sequence[str]) -> Matrix:
    """Cells as ``float64``; NaN where one is empty or no finite number."""
    return np.array([_number(cell) for cell in cells], np.float64)


def _number(cell: str) -> float:
    try:
        number = math.nan if "_" in cell else float(cell)  # Python's 1_000
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def bad_cells(cells: Sequence[tuple[int, str]], place: str) -> list[str]:
    """A sentence about cells that are no finite numbers, each with its place, or nothing."""
    if not cells:
        return []
    more = f", nor are {len(cells) - 1} more" if len(cells) > 1 else ""
    where, text = cells[0]
    shown = text if len(text) < 40 else text[:40] + "…"
    return [f"{shown!r} in {place} {where} is not a finite number{more}"]


def read_bytes(path: Path, contents: str) -> bytes:
    """The bytes of a file of text; ``contents`` names in errors what it should hold."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            if not start.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\0" in start:
                raise AnnotationError(path, [f"not {contents}, but bytes that are no text"])
            data = start + file.read(max(0, MAX_BYTES + 1 - len(start)))
    except OSError as error:
        raise AnnotationError(path, [f"cannot be read: {error.strerror}"]) from error
    if len(data) > MAX_BYTES:
        raise AnnotationError(path, [f"larger than {MAX_BYTES >> 20} MB; split it"])
    return data


def read_text(path: Path, contents: str, data: bytes | None = None) -> str:
    """The text of a file, or of its bytes ``data``; see :func:`read_bytes`."""
    protect([path])
    try:
        return (read_bytes(path, contents) if data is None else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(path, [f"not {contents} in UTF-8; save it as UTF-8"]) from error


def read_json(path: Path, contents: str, data: bytes | None = None) -> Any:
    """The content of a JSON file, or of its bytes ``data``; see :func:`read_bytes`."""
    text = read_text(path, f"a JSON file of {contents}", data)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise AnnotationError(path, [f"not a JSON file of {contents}: too deep"]) from error
    except ValueError as error:
        raise AnnotationError(path, [f"not a JSON file of {contents}: {error}"]) from error
