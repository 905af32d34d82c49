"""Annotated pictures from files: CSV, 300-W's ``.pts``, COCO keypoints. Needs pandas (``facedots[train]``).

Every reader goes once through the whole file and raises one :class:`AnnotationError` with all the faults it met. Pictures are
looked for, not opened; :func:`check_images` opens them.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facedots.errors import AnnotationError, ImageError
from facedots.geometry import Floats, Matrix
from facedots.io.cells import csv_cells, number_faults
from facedots.io.images import SUFFIXES, read_image
from facedots.schema import IBUG68, KeypointSchema

Origin = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Annotation:
    """One annotated face; two are equal only if they are the same object, since arrays have no single answer to ``==``.

    Attributes:
        image: The picture's file.
        points: ``float32 (K, 2)``, (x, y) in pixels of the stored picture; (0, 0) is the centre of its top-left pixel. A missing
            point is NaN.
        name: Identifies the face within its data set, as in ``"training/Luis_Fonsi_21.jpg"``.
        group: What a split must keep on one side: the person or the photo; ``""`` where unknown.
        mirror_shift: How far right of where mirroring would agree the labels sit, in pixels.
        style: Which way of labelling the points follow: the name of their data set; `""` where there is but one.
    """

    image: Path
    points: Floats
    name: str
    group: str = ""
    mirror_shift: float = 0.0
    style: str = ""


def read_csv(
    csv_file: str | Path, root_dir: str | Path, schema: KeypointSchema = IBUG68, origin: Origin = (0.0, 0.0)
) -> list[Annotation]:
    """Faces from a CSV file: a header row, then rows of a picture's name and ``x0, y0, x1, y1, …``.

    A point whose two cells are empty is missing (NaN). Faces that share a picture are called ``a.jpg#1``, ``a.jpg#2``, ….

    Args:
        csv_file: The file, UTF-8; blank lines are passed over.
        root_dir: Folder that the names are relative to.
        schema: Its K says how many coordinates a row holds.
        origin: The coordinates that the file gives to the centre of the top-left pixel; they are subtracted.

    Returns:
        One annotation a row, in the file's order, with the row's name as its name. If faces share pictures, the group is the
        picture.

    Raises:
        AnnotationError: With all faults, by row; the header is row 1. Rows need the right number of columns, finite numbers, an
            existing picture, and a name of their own.
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
            faults.append(f"row 1: a header is missing: the row already names the picture {name}")
        where = f"row {number} ({name})" if name and number > 1 else f"row {number}"
        if len(row) != columns:
            faults.append(f"{where}: {columns} columns expected (name, {schema.count} times x and y), found {len(row)}")
        if number == 1:
            continue
        faults += [f"{where}: {fault}" for fault in (*_name_faults(name, first_row, root_dir), *_row_faults(row[1:]))]
        first_row.setdefault(name, number)
        rows.append((name, row[1:]))
    if not rows and not faults:
        faults.append("no rows: a header row and one row a face are expected")
    if faults:
        raise AnnotationError(csv_file, faults)
    points = np.array([[float(cell.strip() or "nan") for cell in cells] for _, cells in rows]).reshape(len(rows), schema.count, 2)
    pictures = [_picture_of(name, root_dir) for name, _ in rows]
    shared = any(picture != name for picture, (name, _) in zip(pictures, rows, strict=True))
    return [
        Annotation(Path(root_dir) / picture, face, name, picture if shared else "")
        for picture, face, (name, _) in zip(pictures, _pixels(points, origin), rows, strict=True)
    ]


def annotations_csv(annotations: Iterable[Annotation], schema: KeypointSchema) -> str:
    """The text of a CSV file that :func:`read_csv` reads back: hundredths of a pixel, a missing point is two empty cells.

    Faces go by their names; those that share a picture need names of the form ``picture.jpg#2``.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", *(f"{name}_{axis}" for name in schema.names for axis in "xy")])
    for face in annotations:
        table.writerow([face.name, *("" if np.isnan(value) else f"{value:.2f}" for value in face.points.ravel().tolist())])
    return text.getvalue()


def _picture_of(name: str, root_dir: str | Path) -> str:
    """The picture that a row's name means: itself, or ``a.jpg`` for ``a.jpg#2``, where no picture is called so."""
    picture, mark, number = name.rpartition("#")
    return picture if mark and number.isdecimal() and not (Path(root_dir) / name).is_file() else name


def _row_faults(cells: Sequence[str]) -> list[str]:
    """What is wrong with the coordinates of a row; two empty cells are a missing point."""
    missing = [not x.strip() and not y.strip() for x, y in zip(cells[::2], cells[1::2], strict=False)]
    if missing and all(missing):
        return ["no point has coordinates; leave the row out"]
    filled = ["0" if i // 2 < len(missing) and missing[i // 2] else cell for i, cell in enumerate(cells)]
    return number_faults(filled, "column", 2)


def _name_faults(name: str, first_row: dict[str, int], root_dir: str | Path) -> list[str]:
    if not name:
        return ["the first column must name a picture"]
    if name in first_row:
        return [f"duplicate name, first in row {first_row[name]}"]
    file = Path(root_dir) / _picture_of(name, root_dir)
    return [] if file.is_file() else [f"no file {file}"]


def read_pts(folder: str | Path, schema: KeypointSchema = IBUG68, origin: Origin = (1.0, 1.0)) -> list[Annotation]:
    """Faces from all ``.pts`` files in a folder and below it, each with the picture of the same name beside it.

    Args:
        folder: Searched to any depth; names are relative to it.
        schema: Its K says how many points a file holds.
        origin: The coordinates that the files give to the centre of the top-left pixel; 300-W's are 1-based.

    Returns:
        One annotation a file, sorted by name; the group is the photo, see :func:`photo_of`.

    Raises:
        AnnotationError: With the faults of all files, by file and line.
    """
    root = Path(folder)
    found = sorted(root.rglob("*"))
    pictures = {path.with_suffix(""): path for path in found if path.suffix.lower() in SUFFIXES}
    files = [path for path in found if path.suffix == ".pts"]
    faults: list[str] = [] if files else ["no .pts file in this folder"]
    annotations: list[Annotation] = []
    for file in files:
        points, wrong = _pts_points(file, schema.count)
        picture = pictures.get(file.with_suffix(""))
        if picture is None:
            wrong = [*wrong, "no picture of the same name beside it"]
        faults += [f"{file.relative_to(root)}: {fault}" for fault in wrong]
        if points is not None and picture is not None:
            name = picture.relative_to(root).as_posix()
            annotations.append(Annotation(picture, _pixels(points, origin), name, photo_of(name)))
    if faults:
        raise AnnotationError(root, faults)
    return annotations


def photo_of(name: str) -> str:
    """The photo that a 300-W face was cut from, which may hold several: ``<photo>_<face>`` where the photo ends in a digit.

    >>> photo_of("afw/111076519_2.jpg"), photo_of("lfpw/trainset/image_0226.jpg")
    ('afw/111076519', 'lfpw/trainset/image_0226')
    """
    return re.sub(r"(?<=\d)_[1-9]\d?$", "", Path(name).with_suffix("").as_posix())


def _pts_points(file: Path, count: int) -> tuple[Matrix | None, list[str]]:
    """The coordinates (K, 2) as the file has them, or None and what is wrong with the file."""
    try:
        lines = [(number, line.split()) for number, line in enumerate(file.read_text().splitlines(), start=1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        return None, [f"cannot be read as text: {error}"]
    braces = [i for i, (_, words) in enumerate(lines) if words in (["{"], ["}"])]
    if len(braces) != 2 or lines[braces[0]][1] != ["{"]:
        return None, ["not a .pts file: a header, then the points between { and } on lines of their own"]
    body = lines[braces[0] + 1 : braces[1]]
    faults = [] if len(body) == count else [f"{count} points expected, found {len(body)}"]
    for number, words in body:
        wrong = number_faults(words, "place", 1) if len(words) == 2 else [f"two numbers expected, found {len(words)}"]
        faults += [f"line {number}: {fault}" for fault in wrong]
    return (None, faults) if faults else (np.asarray([words for _, words in body], np.float64), [])


def read_coco(
    json_file: str | Path, root_dir: str | Path, schema: KeypointSchema = IBUG68, origin: Origin = (0.0, 0.0)
) -> list[Annotation]:
    """Faces from a COCO keypoints file.

    The category is the one with the schema's point names, in whatever order, else the first with as many points, taken in its own
    order. A point of visibility 0 is missing (NaN); an annotation without any labelled point is passed over.

    Args:
        json_file: The file, with ``images``, ``annotations`` and ``categories``.
        root_dir: Folder that ``file_name`` is relative to.
        schema: What the points mean.
        origin: The coordinates that the file gives to the centre of the top-left pixel; they are subtracted.

    Returns:
        One annotation a face, in the file's order. The group is ``file_name``; so is the name, with ``#<annotation id>`` where
        several faces share a picture.

    Raises:
        AnnotationError: With all faults, by annotation id.
    """
    try:
        content = json.loads(Path(json_file).read_text(encoding="utf-8"))
        category, order = _coco_category(content["categories"], schema)
        files = {image["id"]: str(image["file_name"]) for image in content["images"]}
        entries = [entry for entry in content["annotations"] if entry["category_id"] == category]
        keyed = [(entry["id"], entry["image_id"], entry["keypoints"]) for entry in entries]
    except OSError as error:
        raise AnnotationError(json_file, [f"cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise AnnotationError(json_file, [f"not usable as COCO keypoints: {error}"]) from error
    except (KeyError, TypeError) as error:
        raise AnnotationError(json_file, [f"not a COCO keypoints file: {error!r} in its structure"]) from error

    faults = [f"image {name}: the file name repeats" for name, times in Counter(files.values()).items() if times > 1]
    faults += [f"annotation {key}: the id repeats" for key, times in Counter(key for key, _, _ in keyed).items() if times > 1]
    annotations: list[Annotation] = []
    faces = Counter(image for _, image, _ in keyed)
    for key, image, values in keyed:
        wrong = _coco_faults(files.get(image), values, schema.count, root_dir)
        faults += [f"annotation {key}: {fault}" for fault in wrong]
        if not wrong:
            points = np.asarray(values, np.float64).reshape(schema.count, 3)[order]
            points[points[:, 2] == 0] = np.nan
            file, mark = files[image], f"#{key}" if faces[image] > 1 else ""
            if not np.isnan(points).all():
                annotations.append(Annotation(Path(root_dir) / file, _pixels(points[:, :2], origin), file + mark, file))
    if not annotations and not faults:
        faults.append(f"no annotation of category {category} has a labelled point")
    if faults:
        raise AnnotationError(json_file, faults)
    return annotations


def _coco_category(categories: Sequence[Any], schema: KeypointSchema) -> tuple[Any, list[int]]:
    """The id of the category to read, and where each of the schema's points stands in it."""
    fitting = [(category["id"], list(category.get("keypoints", ()))) for category in categories]
    fitting = [(key, names) for key, names in fitting if len(names) == schema.count]
    for key, names in fitting:
        if set(names) == set(schema.names):
            return key, [names.index(name) for name in schema.names]
    if not fitting:
        raise ValueError(f"no category has the {schema.count} keypoints of the schema {schema.name}")
    return fitting[0][0], list(range(schema.count))


def _coco_faults(file: str | None, values: Any, count: int, root_dir: str | Path) -> list[str]:
    faults = ["its image_id stands for no image"] if file is None else []
    if file is not None and not (Path(root_dir) / file).is_file():
        faults.append(f"no file {Path(root_dir) / file}")
    if not isinstance(values, list) or len(values) != 3 * count:
        return [*faults, f"keypoints must hold {3 * count} numbers: x, y and visibility of {count} points"]
    if not all(isinstance(value, int | float) and np.isfinite(value) for value in values):
        faults.append("keypoints hold something that is not a finite number")
    return faults


def check_images(annotations: Iterable[Annotation]) -> None:
    """Open and decode every picture once.

    Raises:
        AnnotationError: With all pictures that are missing or cannot be decoded.
    """
    faults: list[str] = []
    for path in dict.fromkeys(annotation.image for annotation in annotations):
        try:
            read_image(path, orient=False)
        except ImageError as error:
            faults.append(str(error))
    if faults:
        raise AnnotationError("pictures", faults)


def _pixels(points: Matrix, origin: Origin) -> Floats:
    """The file's coordinates as pixels whose (0, 0) is the centre of the top-left pixel."""
    return np.asarray(points - np.asarray(origin), np.float32)
