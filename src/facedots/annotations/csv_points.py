"""Keypoints in CSV files."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from facedots.annotations.base import FaceAnnotation, Origin, _pixels
from facedots.errors import AnnotationError
from facedots.io.images import SUFFIXES
from facedots.schema import IBUG68, KeypointSchema


def read_csv(
    csv_file: str | Path,
    root_dir: str | Path,
    schema: KeypointSchema = IBUG68,
    origin: Origin = (0.0, 0.0),
) -> list[FaceAnnotation]:
    """Faces from a CSV file: a header row, then rows of an image's name and ``x0, y0, x1, y1, …``.

    A point whose two cells are empty is missing (NaN). Faces that share an image are called
    ``a.jpg#1``, ``a.jpg#2``, ….

    Args:
        csv_file: The file, UTF-8; blank lines are passed over.
        root_dir: Folder that the names are relative to.
        schema: Its K says how many coordinates a row holds.
        origin: The coordinates that the file gives to the center of the top-left pixel; they are
            subtracted.

    Returns:
        One annotation a row, in the file's order, with the row's name as its name. If faces share
        images, the group is the image.

    Raises:
        AnnotationError: With all faults, by row; the header is row 1. Rows need the right number of
            columns, finite numbers, an existing image, and a name of their own.
    """
    columns = 1 + 2 * schema.count
    faults: list[str] = []
    first_row: dict[str, int] = {}
    rows: list[tuple[str, list[str]]] = []
    for number, row in enumerate(csv_cells(Path(csv_file)), start=1):
        name = row[0].strip() if row else ""
        if not name and len(row) < 2:
            continue
        if number == 1 and Path(name).suffix.lower() in SUFFIXES:
            faults.append(f"row 1: a header is missing: the row already names the image {name}")
        where = f"row {number} ({name})" if name and number > 1 else f"row {number}"
        if len(row) != columns:
            faults.append(
                f"{where}: {columns} columns expected (name, {schema.count} times x and y), found {len(row)}"
            )
        if number == 1:
            continue
        faults += [
            f"{where}: {fault}"
            for fault in (*_name_faults(name, first_row, root_dir), *_row_faults(row[1:]))
        ]
        first_row.setdefault(name, number)
        rows.append((name, row[1:]))
    if not rows and not faults:
        faults.append("no rows: a header row and one row a face are expected")
    if faults:
        raise AnnotationError(csv_file, faults)
    points = np.array(
        [[float(cell.strip() or "nan") for cell in cells] for _, cells in rows]
    ).reshape(len(rows), schema.count, 2)
    images = [_image_of(name, root_dir) for name, _ in rows]
    shared = any(image != name for image, (name, _) in zip(images, rows, strict=True))
    return [
        FaceAnnotation(Path(root_dir) / image, face, name, image if shared else "")
        for image, face, (name, _) in zip(images, _pixels(points, origin), rows, strict=True)
    ]


def annotations_csv(annotations: Iterable[FaceAnnotation], schema: KeypointSchema) -> str:
    """The text of a CSV file that :func:`read_csv` reads back: hundredths of a pixel, a missing
    point is two empty cells.

    Faces go by their names; those that share an image need names of the form ``image.jpg#2``.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", *(f"{name}_{axis}" for name in schema.names for axis in "xy")])
    for face in annotations:
        table.writerow(
            [
                face.name,
                *(
                    "" if np.isnan(value) else f"{value:.2f}"
                    for value in face.points.ravel().tolist()
                ),
            ]
        )
    return text.getvalue()


def _image_of(name: str, root_dir: str | Path) -> str:
    """The image that a row's name means: itself, or ``a.jpg`` for ``a.jpg#2``, where no image is
    called so.
    """
    image, mark, number = name.rpartition("#")
    return image if mark and number.isdecimal() and not (Path(root_dir) / name).is_file() else name


def _row_faults(cells: Sequence[str]) -> list[str]:
    """What is wrong with the coordinates of a row; two empty cells are a missing point."""
    missing = [
        not x.strip() and not y.strip() for x, y in zip(cells[::2], cells[1::2], strict=False)
    ]
    if missing and all(missing):
        return ["no point has coordinates; leave the row out"]
    filled = [
        "0" if i // 2 < len(missing) and missing[i // 2] else cell for i, cell in enumerate(cells)
    ]
    return number_faults(filled, "column", 2)


def _name_faults(name: str, first_row: dict[str, int], root_dir: str | Path) -> list[str]:
    if not name:
        return ["the first column must name an image"]
    if name in first_row:
        return [f"duplicate name, first in row {first_row[name]}"]
    file = Path(root_dir) / _image_of(name, root_dir)
    return [] if file.is_file() else [f"no file {file}"]


def csv_cells(csv_file: Path) -> list[list[str]]:
    """The cells of every row, however many they are; a blank line has none.

    Raises:
        AnnotationError: The file is missing, or is not a CSV file in UTF-8.
    """
    try:
        text = csv_file.read_text(encoding="utf-8-sig")
        table = pd.read_csv(
            io.StringIO(text),
            header=None,
            # As wide as the widest row: pandas stops at longer rows, or takes their first cells for
            # an index.
            names=list(range(1 + max((line.count(",") for line in text.splitlines()), default=0))),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            engine="python",  # The C parser fills short rows with "", as if the cells were there but empty.
        )
    except OSError as error:
        raise AnnotationError(csv_file, [f"cannot be read: {error.strerror}"]) from error
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise AnnotationError(csv_file, [f"not a CSV file in UTF-8: {error}"]) from error
    return [[cell for cell in row if isinstance(cell, str)] for row in table.to_numpy().tolist()]


def number_faults(cells: Sequence[str], place: str, first: int) -> list[str]:
    """A sentence about the cells that are no finite numbers, or nothing; ``first`` is the number of
    the first cell's place.
    """
    try:
        values = np.array(cells, np.float64)
    except ValueError:
        values = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if not len(bad):
        return []
    more = f", nor are {len(bad) - 1} more" if len(bad) > 1 else ""
    return [f"{cells[bad[0]]!r} in {place} {bad[0] + first} is not a finite number{more}"]
