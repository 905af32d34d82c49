"""Keypoints in CSV files."""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from facedots.annotations.base import AnnotationFile, FaceAnnotation, Origin, to_pixels
from facedots.annotations.schemas import SCHEMA_HINT, named_schema
from facedots.errors import AnnotationError, DataError
from facedots.geometry import Matrix
from facedots.io.images import SUFFIXES
from facedots.io.names import csv_cell, csv_name
from facedots.schema import IBUG68, KeypointSchema


class CsvFile(AnnotationFile):
    """A CSV file: a header row, then per face a row ``image, x0, y0, x1, y1, …``.

    UTF-8; blank lines are skipped. A point whose two cells are empty is missing (NaN). Faces that
    share an image are called ``a.jpg#1``, ``a.jpg#2``, …; the image is then their group. Rows need
    the right number of columns, finite numbers, an existing image, and a unique name; faults are
    reported by row, the header is row 1.

    Example:
        >>> faces = CsvFile("faces.csv").faces("images")  # doctest: +SKIP
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._rows = _cells(self.path)
        self._numbers = [to_numbers(row[1:]) for row in self._rows]

    @property
    def image_folder(self) -> Path:
        """The folder called as the file, else the one that holds it.

        For ``x_frames_keypoints.csv``, as YouTube faces have it, the folder is ``x``.
        """
        folder = self.path.parent / self.path.stem.removesuffix("_frames_keypoints")
        return folder if folder.is_dir() else self.path.parent

    def schema(self) -> KeypointSchema:
        """The schema of a header ``name, nose_x, nose_y, left_eye_x, …``; IBUG68 for 68 points.

        Raises:
            DataError: The header does not name the points.
        """
        header = [cell.strip() for cell in self._rows[0][1:]] if self._rows else []
        pairs = list(zip(header[::2], header[1::2], strict=False))
        if len(pairs) == IBUG68.count:
            return IBUG68
        names = tuple(re.sub(r"[_. ]?[xX]$", "", x) for x, _ in pairs)
        others = tuple(re.sub(r"[_. ]?[yY]$", "", y) for _, y in pairs)
        if len(header) % 2 or len(pairs) < 2 or names != others or not all(names):
            raise DataError(
                f"{self.path}: {len(pairs)} points per row, and the header does not name them: "
                f"call the columns nose_x, nose_y, left_eye_x, …, or {SCHEMA_HINT}"
            )
        full = [numbers for numbers in self._numbers[1:] if len(numbers) == len(header)]
        points = np.reshape(full, (-1, len(pairs), 2))
        return named_schema(self.path.stem, names, points, (), self.path)

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        faults: list[str] = []
        first_row: dict[str, int] = {}
        points: list[Matrix] = []
        for number, (row, values) in enumerate(zip(self._rows, self._numbers, strict=True), 1):
            name = csv_name(row[0].strip()) if row else ""
            if not name and len(row) < 2:
                continue
            wrong = []
            if number == 1 and Path(name).suffix.lower() in SUFFIXES:
                faults.append(f"row 1: a header is missing: the row already names the image {name}")
            if len(values) != 2 * schema.count:
                columns = f"name, {schema.count} times x and y"
                expected = f"{1 + 2 * schema.count} columns expected ({columns})"
                wrong.append(f"{expected}, found {len(row)}")
            if number > 1:
                wrong += [*_name_faults(name, first_row, images), *_row_faults(row[1:], values)]
                first_row.setdefault(name, number)
                points.append(values)
            where = f"row {number} ({name})" if name and number > 1 else f"row {number}"
            faults += [f"{where}: {fault}" for fault in wrong]
        if not points and not faults:
            faults.append("no rows: a header row and one row per face are expected")
        if faults:
            raise AnnotationError(self.path, faults)
        files = [_image_of(name, images) for name in first_row]
        shared = files != list(first_row)
        placed = to_pixels(np.reshape(points, (-1, schema.count, 2)), origin)
        return [
            FaceAnnotation(images / file, face, name, file if shared else "")
            for name, file, face in zip(first_row, files, placed, strict=True)
        ]


def annotations_csv(annotations: Iterable[FaceAnnotation], schema: KeypointSchema) -> str:
    """The text of a CSV file that :class:`CsvFile` reads back, in hundredths of a pixel.

    Rows are named as the faces; those that share an image need names like ``image.jpg#2``.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", *(f"{name}_{axis}" for name in schema.names for axis in "xy")])
    for face in annotations:
        values = face.points.ravel().tolist()
        table.writerow([csv_cell(face.name), *("" if np.isnan(x) else f"{x:.2f}" for x in values)])
    return text.getvalue()


def number_faults(cells: Sequence[str], values: Matrix, place: str, first: int) -> list[str]:
    """A sentence about the cells that are no finite numbers, or nothing.

    Args:
        cells: As written.
        values: As numbers.
        place: What a cell's place is called, as in ``"column"``.
        first: Number of the first cell's place.
    """
    bad = np.flatnonzero(np.isnan(values))
    if not len(bad):
        return []
    more = f", nor are {len(bad) - 1} more" if len(bad) > 1 else ""
    return [f"{cells[bad[0]]!r} in {place} {bad[0] + first} is not a finite number{more}"]


def to_numbers(cells: Sequence[str]) -> Matrix:
    """Cells as ``float64``; NaN where one is empty or no finite number."""
    return np.array([_number(cell) for cell in cells], np.float64)


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _cells(csv_file: Path) -> list[list[str]]:
    """The cells of every row; a blank line has none.

    Raises:
        AnnotationError: The file is missing, or is not a CSV file in UTF-8.
    """
    try:
        with csv_file.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file, strict=True))
    except OSError as error:
        raise AnnotationError(csv_file, [f"cannot be read: {error.strerror}"]) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise AnnotationError(csv_file, [f"not a CSV file in UTF-8: {error}"]) from error


def _image_of(name: str, folder: Path) -> str:
    """The image of a row: ``a.jpg`` for ``a.jpg#2`` unless a file has that very name."""
    image, mark, number = name.rpartition("#")
    return image if mark and number.isdecimal() and not (folder / name).is_file() else name


def _row_faults(cells: Sequence[str], values: Matrix) -> list[str]:
    """What is wrong with the coordinates of a row; two empty cells are a missing point."""
    if not np.isnan(values).any():
        return []
    empty = [not cell.strip() for cell in cells]
    missing = np.array([x and y for x, y in zip(empty[::2], empty[1::2], strict=False)], bool)
    if len(missing) and missing.all():
        return ["no point has coordinates; leave the row out"]
    known = values.copy()
    known[: 2 * len(missing)][np.repeat(missing, 2)] = 0
    return number_faults(cells, known, "column", 2)


def _name_faults(name: str, first_row: dict[str, int], folder: Path) -> list[str]:
    if not name:
        return ["the first column must name an image"]
    if name in first_row:
        return [f"duplicate name, first in row {first_row[name]}"]
    file = folder / _image_of(name, folder)
    return [] if file.is_file() else [f"no file {file}"]
