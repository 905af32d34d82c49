"""300-W's ``.pts`` files: one per face, beside the image of the same name."""

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from facedots.annotations.base import (
    AnnotationFile,
    FaceAnnotation,
    Origin,
    drop_placeholders,
    read_bytes,
    scale_faults,
    to_pixels,
)
from facedots.annotations.csv_cells import number_faults, to_numbers
from facedots.annotations.schemas import SCHEMA_HINT
from facedots.errors import AnnotationError, DataError
from facedots.geometry import Matrix
from facedots.io.images import SUFFIXES
from facedots.schema import IBUG68, KeypointSchema

MAX_SIZE = 1 << 20
"""Bytes of the largest file."""


class PtsFolder(AnnotationFile):
    """All ``.pts`` files in a folder and below it, sorted by name; their images lie beside them.

    Names are relative to the folder, the group is the photo, see :func:`photo_id`. The points may
    stand without a header, with commas between, and may be missing (NaN, or 0 or -1 twice).

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
        files = [entry for entry in entries if entry.suffix.lower() == ".pts" and entry.is_file()]
        self._files = {entry: _parsed(entry) for entry in files}

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
        written, dropped = dict[str, Matrix](), list[str]()
        for file, (points, problems) in self._files.items():
            wrong = list(problems)
            if points is not None and len(points) != schema.count:
                wrong.insert(0, f"{schema.count} points expected, found {len(points)}")
            image = self._images.get(file.with_suffix(""))
            if image is None:
                wrong.append("no image of the same name beside it")
            elif points is not None and not wrong:
                name = image.relative_to(self.path).as_posix()
                known = drop_placeholders(points, dropped)
                if not np.isnan(known).all():
                    placed = to_pixels(known, origin)
                    annotations.append(FaceAnnotation(image, placed, name, photo_id(name)))
                    written[name] = known
            faults += [f"{file.relative_to(self.path)}: {fault}" for fault in wrong]
        if faults := faults or scale_faults(written):
            raise AnnotationError(self.path, faults)
        if dropped:
            self._notes.append(f"{dropped[0]}, in {len(dropped)} files")
        return annotations


def photo_id(name: str) -> str:
    """The photo of a 300-W face, which may hold several: ``<photo>_<face>`` after a digit.

    >>> photo_id("afw/111076519_2.jpg"), photo_id("lfpw/trainset/image_0226.jpg")
    ('afw/111076519', 'lfpw/trainset/image_0226')
    """
    return re.sub(r"(?<=\d)_[1-9]\d?$", "", Path(name).with_suffix("").as_posix())


def _parsed(file: Path) -> tuple[Matrix | None, list[str]]:
    """The coordinates ``(n, 2)`` as written, None for another kind of file, and its faults.

    The points are between braces, or all lines are, where there are none.
    """
    try:
        data = read_bytes(file, "a .pts file")
        if len(data) > MAX_SIZE:
            return None, [f"not a .pts file of a face: larger than {MAX_SIZE >> 10} kB"]
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None, ["not a .pts file in UTF-8; save it as UTF-8"]
    except AnnotationError as error:
        return None, error.faults
    numbered = enumerate(text.splitlines(), start=1)
    lines = [(number, re.split(r"[\s,;]+", line.strip())) for number, line in numbered]
    lines = [(number, words) for number, words in lines if words != [""]]
    braces = [i for i, (_, words) in enumerate(lines) if words in (["{"], ["}"])]
    if (
        not braces
        and lines
        and len(lines[0][1]) == 2
        and not np.isnan(to_numbers(lines[0][1])).any()
    ):
        braces = [-1, len(lines)]
    if len(braces) != 2 or (braces[0] >= 0 and lines[braces[0]][1] != ["{"]):
        return None, ["not a .pts file: a header, then the points between { and }, one per line"]
    lines = lines[braces[0] + 1 : braces[1]]
    points, faults = np.full((len(lines), 2), np.nan), list[str]()
    for i, (number, words) in enumerate(lines):
        if len(words) != 2:
            faults.append(f"line {number}: two numbers expected, found {len(words)}")
        elif any(word.lower() not in ("nan", "na") for word in words):
            points[i] = to_numbers(words)
            wrong = number_faults(words, points[i], "place", 1)
            faults += [f"line {number}: {fault}" for fault in wrong]
    return points, faults
