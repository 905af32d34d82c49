"""The rows of a CSV file of labels, within bounds."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np

from facedots.annotations.base import MAX_BYTES, cached_image, to_numbers
from facedots.annotations.csv_header import Columns, find_columns
from facedots.errors import AnnotationError
from facedots.geometry import Image, Matrix

MAX_LINE = 4 << 20  # characters
MAX_FAULTS = 1000
"""Reading ends after so many rows with faults."""

MIN_LIKELIHOOD = 0.6
"""DeepLabCut's pcutoff: points that it calls less likely are missing."""

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none"})
_MARKS = {"1": 1.0, "1.0": 1.0, "true": 1.0, "0": 0.0, "0.0": 0.0, "false": 0.0}
_MARKS |= dict.fromkeys(_MISSING, np.nan)
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
        hidden: ``(n,)``, 1 where a point is hidden, 0 where not, NaN where that is unknown,
            infinite where the cell says something else; without such columns empty.
        size: What :attr:`Columns.size` holds.
    """

    number: int
    name: str
    found: bool
    count: int
    points: Matrix
    bad: tuple[tuple[int, int, str], ...]
    hidden: Matrix = field(default_factory=lambda: np.zeros(0))
    size: tuple[float, ...] = ()


class CsvRows:
    """A CSV file's header, the meaning of its columns, and its rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: list[str] = []
        self.columns = Columns(0, (), ())
        self.rows: list[Row] = []
        self.unlikely = 0
        self._index = 0  # DeepLabCut: columns with the image's path.
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

    def _refuse(self, fault: str) -> NoReturn:
        raise AnnotationError(self.path, [fault])

    def _read(self, file: TextIO) -> None:
        """Fill header, columns and rows; after :data:`MAX_FAULTS` faults the rest is left out."""
        wrong, heads = 0, list[list[str]]()
        for number, read in enumerate(csv.reader(self._lines(file), strict=True), start=1):
            path, rest = read[: self._index], read[self._index :]
            cells = ["/".join(filter(None, path)), *rest] if path else rest
            if len(cells) < 2 and not "".join(cells).strip():
                continue
            if not self.header:
                heads.append(_without_end(cells, 1))
                if heads[0][0] != "scorer" or heads[-1][0] == "coords":
                    self.header = heads[0] if len(heads) == 1 else self._deeplabcut(heads)
                elif len(heads) > 4:
                    self._refuse("DeepLabCut's rows bodyparts and coords must follow scorer")
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

    def _deeplabcut(self, heads: list[list[str]]) -> list[str]:
        """One header for DeepLabCut's three; sets how many columns hold the image's path."""
        rows = {head[0]: head for head in heads}
        parts, coords = rows.get("bodyparts", []), rows["coords"]
        self._index = next((i for i, cell in enumerate(coords) if cell in ("x", "y")), 1)
        if len(set(rows.get("individuals", ())[self._index :])) > 1:
            self._refuse("DeepLabCut labels of several individuals; save a file for each")
        points = zip(parts[self._index :], coords[self._index :], strict=False)
        return ["image", *(f"{part}_{coord}" for part, coord in points)]

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
            name = str(_pixel_image(cell(columns.pixels), f"{self.path}: row {number}"))
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
        if columns.likelihoods:
            unlikely = to_numbers([cell(i) for i in columns.likelihoods]) < MIN_LIKELIHOOD
            self.unlikely += int((unlikely & np.isfinite(points).all(axis=1)).sum())
            points[unlikely] = np.nan
        # DeepLabCut lists frames that nobody has labeled yet.
        found = not self._index or bool(bad) or bool(np.isfinite(points).any())
        size = tuple(to_numbers([cell(i) for i in columns.size]).tolist())
        marks = [_MARKS.get(cell(i).strip().lower(), np.inf) for i in columns.hidden]
        return Row(number, name, found, len(cells), points, tuple(bad), np.array(marks), size)


def _without_end(cells: list[str], count: int) -> list[str]:
    """Cells without those beyond ``count`` that are empty, as a comma too many makes them."""
    end = len(cells)
    while end > count and not cells[end - 1].strip():
        end -= 1
    return cells[:end] if any(cell.strip() for cell in cells[:end]) else cells


def _pixel_image(pixels: str, where: str) -> Path:
    """The file of a square gray image, whose values 0 to 255 are row by row in Kaggle's column."""

    def image() -> Image:
        try:
            values = np.array(pixels.split(), np.int64)
        except (ValueError, OverflowError):
            values = np.array([-1])
        side = isqrt(len(values))
        if side**2 != len(values) or values.min(initial=0) < 0 or values.max(initial=255) > 255:
            fault = f"{len(values)} pixels are no square image of gray values 0 to 255"
            raise AnnotationError(where, [fault])
        return values.reshape(side, side).astype(np.uint8)

    return cached_image(pixels.encode(), image)
