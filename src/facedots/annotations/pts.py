"""300-W's ``.pts`` files: one per face, beside the image of the same name."""

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from facedots.annotations.base import AnnotationFile, FaceAnnotation, Origin, to_pixels
from facedots.annotations.csv_cells import number_faults, to_numbers
from facedots.annotations.schemas import SCHEMA_HINT
from facedots.errors import AnnotationError, DataError
from facedots.geometry import Matrix
from facedots.io.images import SUFFIXES
from facedots.schema import IBUG68, KeypointSchema


class PtsFolder(AnnotationFile):
    """All ``.pts`` files in a folder and below it, sorted by name; their images lie beside them.

    Names are relative to the folder, the group is the photo, see :func:`photo_id`.

    Example:
        >>> faces = PtsFolder("300w/afw").faces()  # doctest: +SKIP
    """

    origin: ClassVar[Origin] = (1.0, 1.0)

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        entries = sorted(self.path.rglob("*"))
        self._images = {
            entry.with_suffix(""): entry for entry in entries if entry.suffix.lower() in SUFFIXES
        }
        self._files = {entry: _parsed(entry) for entry in entries if entry.suffix == ".pts"}

    def schema(self) -> KeypointSchema:
        """IBUG68, since ``.pts`` files do not name their points.

        Raises:
            DataError: The first file does not hold 68 points.
        """
        file, (points, _) = next(iter(self._files.items()), (self.path, (None, [])))
        count = 0 if points is None else len(points)
        if count != IBUG68.count:
            raise DataError(
                f"{file}: {count} points, and .pts files do not name them; {SCHEMA_HINT}"
            )
        return IBUG68

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        faults = [] if self._files else ["no .pts file in this folder"]
        annotations: list[FaceAnnotation] = []
        for file, (points, problems) in self._files.items():
            wrong = list(problems)
            if points is not None and len(points) != schema.count:
                wrong.insert(0, f"{schema.count} points expected, found {len(points)}")
            image = self._images.get(file.with_suffix(""))
            if image is None:
                wrong.append("no image of the same name beside it")
            elif points is not None and not wrong:
                name = image.relative_to(self.path).as_posix()
                placed = to_pixels(points, origin)
                annotations.append(FaceAnnotation(image, placed, name, photo_id(name)))
            faults += [f"{file.relative_to(self.path)}: {fault}" for fault in wrong]
        if faults:
            raise AnnotationError(self.path, faults)
        return annotations


def photo_id(name: str) -> str:
    """The photo of a 300-W face, which may hold several: ``<photo>_<face>`` after a digit.

    >>> photo_id("afw/111076519_2.jpg"), photo_id("lfpw/trainset/image_0226.jpg")
    ('afw/111076519', 'lfpw/trainset/image_0226')
    """
    return re.sub(r"(?<=\d)_[1-9]\d?$", "", Path(name).with_suffix("").as_posix())


def _parsed(file: Path) -> tuple[Matrix | None, list[str]]:
    """The coordinates ``(n, 2)`` as written, None for another kind of file, and its faults."""
    try:
        numbered = enumerate(file.read_text().splitlines(), start=1)
    except (OSError, UnicodeDecodeError) as error:
        return None, [f"cannot be read as text: {error}"]
    lines = [(number, line.split()) for number, line in numbered if line.strip()]
    braces = [i for i, (_, words) in enumerate(lines) if words in (["{"], ["}"])]
    if len(braces) != 2 or lines[braces[0]][1] != ["{"]:
        return None, ["not a .pts file: a header, then the points between { and }, one per line"]
    points = np.full((braces[1] - braces[0] - 1, 2), np.nan)
    faults: list[str] = []
    for i, (number, words) in enumerate(lines[braces[0] + 1 : braces[1]]):
        if len(words) == 2:
            points[i] = to_numbers(words)
            wrong = number_faults(words, points[i], "place", 1)
        else:
            wrong = [f"two numbers expected, found {len(words)}"]
        faults += [f"line {number}: {fault}" for fault in wrong]
    return points, faults
