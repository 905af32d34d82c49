"""The rows of a CSV file of labels, as cells and as numbers, within bounds."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from facedots.annotations.base import MAX_BYTES
from facedots.annotations.csv_columns import Columns, find_columns
from facedots.annotations.pixel_columns import cached_image
from facedots.errors import AnnotationError
from facedots.geometry import Matrix

MAX_LINE = 4 << 20
"""Characters of the longest line that is read."""

MAX_FAULTS = 1000
"""Reading ends after so many rows with faults."""

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none"})
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, eq=False)
class Row:
    """A row below the header.

    Attributes:
        number: From 1, for the header.
        name: The cell of the image, as it stands; "" where no column names it.
        found: Whether there is a face in it; else the points do not count.
        count: Its cells.
        points: ``(n, 2)``, NaN where missing or wrong.
        bad: Point, column from 1 and content of each cell that is no number.
    """

    number: int
    name: str
    found: bool
    count: int
    points: Matrix
    bad: tuple[tuple[int, int, str], ...]


@dataclass(eq=False)
class CsvRows:
    """A CSV file's header, the meaning of its columns, and its rows.

    Raises:
        AnnotationError: It cannot be read, or is not a CSV file in UTF-8.
    """

    path: Path

    def __post_init__(self) -> None:
        self.header: list[str] = []
        self.header_row = 1
        self.columns = Columns(0, (), ())
        self.rows: list[Row] = []
        try:
            with self.path.open("rb") as raw:
                if raw.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    self._refuse("not a CSV file in UTF-8 but in UTF-16; save it as UTF-8")
                self._read(io.TextIOWrapper(raw, encoding="utf-8-sig", newline=""))
        except OSError as error:
            raise AnnotationError(self.path, [f"cannot be read: {error.strerror}"]) from error
        except UnicodeDecodeError as error:
            byte = f"byte 0x{error.object[error.start]:02x}"
            fix = "save it as UTF-8, which Excel calls CSV UTF-8"
            self._refuse(f"not a CSV file in UTF-8 ({byte} in or after row {self._next}); {fix}")
        except csv.Error as error:
            self._refuse(f"not a CSV file: {error} (in or after row {self._next})")

    @property
    def _next(self) -> int:
        return self.rows[-1].number + 1 if self.rows else 1

    def _refuse(self, fault: str) -> None:
        raise AnnotationError(self.path, [fault])

    def _read(self, file: TextIO) -> None:
        """Fill header, columns and rows; after :data:`MAX_FAULTS` faults the rest is left out."""
        wrong = 0
        for number, cells in enumerate(csv.reader(self._lines(file), strict=True), start=1):
            if len(cells) < 2 and not "".join(cells).strip():
                continue
            if not self.header:
                self.header, self.header_row = _without_end(cells, 1), number
                continue
            if not self.rows:
                self.columns = find_columns(self.header, cells)
            row = self._row(number, _without_end(cells, self.columns.count))
            self.rows.append(row)
            wrong += bool(row.bad) or row.count != self.columns.count
            if wrong > MAX_FAULTS:
                break
        if not self.rows:
            self.columns = find_columns(self.header, [])

    def _lines(self, file: TextIO) -> Iterator[str]:
        """The lines, within bounds; the first one tells the separator of the cells."""
        size, first = 0, True
        while line := file.readline(MAX_LINE):
            size += len(line)
            if len(line) == MAX_LINE or size > MAX_BYTES:
                limits = f"lines end within {MAX_LINE >> 20} MB, files within {MAX_BYTES >> 20} MB"
                self._refuse(f"not a CSV file of labels, whose {limits}")
            if first and line.strip():
                first = False
                for mark, name in _SEPARATORS.items():
                    if line.count(mark) > line.count(","):
                        fix = "save it with commas, and numbers with points (12.5)"
                        self._refuse(f"row 1: the cells are separated by {name}; {fix}")
            yield line

    def _row(self, number: int, cells: list[str]) -> Row:
        columns = self.columns

        def cell(column: int | None) -> str:
            return cells[column] if column is not None and column < len(cells) else ""

        name, found = cell(columns.image), cell(columns.success).strip() not in ("0", "0.0")
        if columns.pixels is not None:
            name = str(cached_image(cell(columns.pixels), f"{self.path}: row {number}"))
        if len(cells) != columns.count or not found:
            missing = np.full((len(columns.pairs), 2), np.nan)
            return Row(number, name, found, len(cells), missing, ())
        texts = [(cells[x].strip(), cells[y].strip()) for x, y in columns.pairs]
        points = to_numbers([text for pair in texts for text in pair]).reshape(-1, 2)
        bad = [
            (i, columns.pairs[i][axis] + 1, texts[i][axis])
            for i in np.flatnonzero(np.isnan(points).any(axis=1)).tolist()
            if not all(text.lower() in _MISSING for text in texts[i])
            for axis in (0, 1)
            if np.isnan(points[i, axis])
        ]
        return Row(number, name, found, len(cells), points, tuple(bad))


def number_faults(cells: Sequence[str], values: Matrix, place: str, first: int) -> list[str]:
    """A sentence about the cells that are no finite numbers, or nothing.

    Args:
        cells: As written.
        values: As numbers.
        place: What a cell's place is called, as in ``"column"``.
        first: Number of the first cell's place.
    """
    bad = [(place_ + first, cells[place_]) for place_ in np.flatnonzero(np.isnan(values)).tolist()]
    return bad_cells(bad, place)


def bad_cells(cells: Sequence[tuple[int, str]], place: str) -> list[str]:
    """A sentence about cells that are no finite numbers, each with its place, or nothing."""
    if not cells:
        return []
    more = f", nor are {len(cells) - 1} more" if len(cells) > 1 else ""
    where, text = cells[0]
    shown = text if len(text) < 40 else text[:40] + "…"
    return [f"{shown!r} in {place} {where} is not a finite number{more}"]


def to_numbers(cells: Sequence[str]) -> Matrix:
    """Cells as ``float64``; NaN where one is empty or no finite number."""
    return np.array([_number(cell) for cell in cells], np.float64)


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _without_end(cells: list[str], count: int) -> list[str]:
    """Cells without the empty ones at the end that a comma too many makes, beyond ``count``."""
    end = len(cells)
    while end > count and not cells[end - 1].strip():
        end -= 1
    return cells[:end] if any(cell.strip() for cell in cells[:1] + cells[1:end]) else cells
