"""Keypoints in CSV files."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np

from facedots.annotations.base import (
    AnnotationFile,
    FaceAnnotation,
    Origin,
    bad_cells,
    cache_folder,
    face_names,
    measured_pixels,
)
from facedots.annotations.csv_header import HIDDEN
from facedots.annotations.csv_rows import MAX_FAULTS, MIN_LIKELIHOOD, CsvRows, Row
from facedots.annotations.exports import placed
from facedots.annotations.image_files import ImageFinder, Size, is_file, stored_points
from facedots.annotations.schemas import (
    SCHEMA_HINT,
    named_schema,
    numbered_labels,
    point_order,
    schema_of_count,
)
from facedots.errors import AnnotationError, DataError, ImageError
from facedots.geometry import Floats, Matrix
from facedots.io.images import SUFFIXES
from facedots.io.text import csv_cell, csv_line, csv_name
from facedots.schema import IBUG68, KeypointSchema


class CsvFile(AnnotationFile):
    """A CSV file: a header row, then a row per face with its image and x and y of each point.

    The header tells which column is what: ``image, x0, y0, x1, y1, …``; ``x_0, x_1, …, y_0, …`` as
    OpenFace and ``facedots predict --csv`` have it; ``nose_x, nose_y, …`` in any order; Kaggle's
    file, whose column ``Image`` holds pixels. ``nose_hidden, …`` of all points tell with 1 which
    ones are hidden. Further columns are skipped. A header that calls no column x or y stands for
    the first of these. UTF-8; blank lines are skipped. Where ``width`` and ``height`` are the
    image's, points follow images that were resized since.

    A point whose two cells are empty, NaN, 0, -1, -999 or the like is missing (NaN). Images are
    found as :class:`~facedots.annotations.image_files.ImageFinder` does. Faces that share an image
    are called ``a.jpg#1``, ``a.jpg#2``, …; the image is then their group. Faults are reported by
    row, the header is row 1.

    Example:
        >>> faces = CsvFile("faces.csv").faces("images")  # doctest: +SKIP
    """

    endings: ClassVar[tuple[str, ...]] = (".csv",)

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._table = CsvRows(self.path)
        self._columns = self._table.columns

    @property
    def image_folder(self) -> Path:
        """The folder called as the file, else the one that holds it.

        For ``x_frames_keypoints.csv``, as YouTube faces have it, the folder is ``x``.
        """
        folder = self.path.parent / self.path.stem.removesuffix("_frames_keypoints")
        return folder if folder.is_dir() else self.path.parent

    def schema(self) -> KeypointSchema:
        """The schema of a header ``name, nose_x, nose_y, left_eye_x, …``, or of as many points."""
        if fault := self._header_fault():
            raise DataError(f"{self.path}: {fault}")
        labels, count = self._columns.labels, len(self._columns.pairs)
        is_ibug68 = {label.lower() for label in labels}.issuperset(IBUG68.names)
        if count == IBUG68.count or is_ibug68 or numbered_labels(labels, IBUG68.count):
            return IBUG68
        if count == 1 and self._table.rows and labels == ("",):
            raise DataError(
                f"{self.path}: a row has one point: write a row per face, "
                "with the columns image, x0, y0, x1, y1, …"
            )
        numbered = not labels or numbered_labels(labels, count)
        if numbered and (schema := schema_of_count(count, self.path)):
            return schema
        if count < 2 or not all(labels) or numbered:
            why = "two are needed" if count == 1 else "the header does not name them"
            raise DataError(
                f"{self.path}: {count} points per row, and {why}: "
                f"call the columns nose_x, nose_y, left_eye_x, …, or {SCHEMA_HINT}"
            )
        points = [row.points for row in self._table.rows]
        shape = np.reshape(points, (-1, count, 2))
        return named_schema(self.path.stem, labels, shape, (), self.path)

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        order = self._order(schema)
        rows = [row for row in self._table.rows if row.found]
        finder, first_row = ImageFinder(images), dict[str, int]()
        pixels = self._columns.pixels is not None
        files, groups, named = list[Path](), list[str](), list[str]()
        points, faults = list[Matrix](), list[str]()
        for row, name in zip(rows, self._names(rows, images), strict=True):
            wrong = self._row_faults(row, order)
            if name in first_row:
                fix = "" if "#" in name else f"; call faces of one image {name}#1, {name}#2"
                wrong.insert(0, f"duplicate name, first in row {first_row[name]}{fix}")
            elif name:
                first_row[name] = row.number
                image = Path(row.name).name if pixels else _image(name, images)
                try:
                    files.append(Path(row.name) if pixels else finder.file(image))
                    groups.append(image)
                    named.append(name)
                except ImageError as error:
                    wrong.insert(0, str(error))
            else:
                wrong.insert(0, "no column names the image; call one image")
            where = f"row {row.number} ({name})" if name else f"row {row.number}"
            faults += [f"{where}: {fault}" for fault in wrong]
            if len(faults) > MAX_FAULTS:
                break
            points.append(row.points[order])
        if not rows and not faults:
            faults.append("no rows: a header row and one row per face are expected")
        faults += _doubles(files, groups)
        if faults:
            raise AnnotationError(self.path, faults)
        if left_out := len(self._table.rows) - len(rows):
            self.notes.append(f"{left_out} rows without a face are left out")
        if unlikely := self._table.unlikely:
            why = f"their likelihood is below {MIN_LIKELIHOOD}"
            self.notes.append(f"{unlikely} points are taken as missing: {why}")
        faces = measured_pixels(self, named, points, origin)
        if self._columns.success is not None:
            # The tables of OpenFace and facedots hold points of upright images.
            turned = zip(faces, files, strict=True)
            faces = np.stack([stored_points(face, file)[0] for face, file in turned])
        elif self._columns.size:
            places = list(zip(files, self._sizes(rows, faces), strict=True))
            faces = np.stack(placed(self, list(faces), places))
        groups = groups if groups != named else [""] * len(groups)
        return [
            FaceAnnotation(file, face, name, group, visible=_visible(row.hidden, order, face))
            for row, file, face, name, group in zip(rows, files, faces, named, groups, strict=True)
        ]

    def _sizes(self, rows: list[Row], faces: Floats) -> list[Size | None]:
        """The size of each row's image when it was labeled; None if unknown, and for all where the
        columns called width and height may be those of a box: it has a place, or leaves points out.
        """
        sizes = [(row.size[0], row.size[1]) for row in rows]
        known = np.isfinite(faces).all(axis=-1)
        beyond = known & (faces > np.array(sizes)[:, None]).any(axis=-1)
        boxes = {"left", "top", "xmin", "ymin", "box_x", "bbox_x", "face_x"}
        if boxes.intersection(cell.strip().lower() for cell in self._table.header):
            return [None] * len(rows)
        if beyond.sum() > 0.02 * known.sum():
            few = f"{beyond.sum()} points lie beyond the columns width and height"
            self.notes.append(f"{few}, which are not taken as the sizes of the images")
            return [None] * len(rows)
        return [size if all(side > 0 for side in size) else None for size in sizes]

    def _header_fault(self) -> str:
        """Why the first row is no header of points; nothing where it may be one."""
        header, columns, rows = self._table.header, self._columns, self._table.rows
        if not header:
            return "no rows: a header row and one row per face are expected"
        other = bool(rows) and rows[0].count != columns.count and not columns.labels
        if other and header[0].strip().lower().startswith(("sep=", "#")):
            return f"row 1: {','.join(header)[:40]!r} is not the header; delete the line"
        if not columns.pairs:
            return "row 1: no columns of points; call them image, x0, y0, x1, y1, …"
        return ""

    def _order(self, schema: KeypointSchema) -> list[int]:
        """The place of each of the schema's points among those of the header."""
        header, columns, faults = self._table.header, self._columns, list[str]()
        images = [cell for cell in header[:3] if Path(cell.strip()).suffix.lower() in SUFFIXES]
        if images and not columns.labels:
            names = f"the row already names the image {images[0].strip()}"
            faults.append(f"row 1: a header is missing: {names}")
        count = len(columns.pairs)
        try:
            order = point_order(columns.labels or [f"{i}" for i in range(count)], schema)
        except DataError as error:
            expected = f"{1 + 2 * schema.count} columns expected (name, {schema.count} times x "
            points = f"{count} points, not the {schema.count} of {schema.name}"
            other = f"{expected}and y), found {columns.count}: {points}"
            faults.append(f"row 1: {other if count != schema.count else error}")
        if fault := self._header_fault():
            faults = [fault]
        if faults:
            raise AnnotationError(self.path, faults)
        return order

    def _row_faults(self, row: Row, order: list[int]) -> list[str]:
        """What is wrong with the cells of a row."""
        if row.count != self._columns.count:
            count, points = self._columns.count, len(order)
            usual = f"name, {points} times x and y" if count == 1 + 2 * points else "as the header"
            return [f"{count} columns expected ({usual}), found {row.count}"]
        wanted = set(order)
        bad = [(column, text) for point, column, text in row.bad if point in wanted]
        if bad:
            return bad_cells(sorted(bad), "column")
        if np.isinf(row.hidden).any():
            return [f"a column called …_{HIDDEN} holds something else than 1, 0 or nothing"]
        if np.isnan(row.points[order]).all():
            return ["no point has coordinates; leave the row out"]
        return []

    def _names(self, rows: list[Row], images: Path) -> list[str]:
        """The name of the face of each row: its image, with #1, #2, … where tables of OpenFace and
        facedots hold several faces of an image.
        """
        columns, stem = self._columns, self.path.stem
        if columns.pixels is not None:
            return [f"{stem}-{row.number - 1:05}" for row in rows]
        unnamed = stem if columns.tracked and columns.image is None else ""
        names = [_name(row.name, images) or unnamed for row in rows]
        return face_names(names) if columns.tracked else names


def _visible(hidden: Matrix, order: list[int], points: Floats) -> Floats | None:
    """The ``visible`` of a :class:`FaceAnnotation` with these points, by the cells ``hidden`` of
    its row; ``None`` where all points are seen.
    """
    labeled = np.isfinite(points[:, 0])
    if not hidden.size or (hidden[order][labeled] == 0).all():
        return None
    return np.where(labeled, 1 - hidden[order], np.nan).astype(np.float32)


def _name(cell: str, images: Path) -> str:
    """The image that a cell means: as :func:`~facedots.io.text.csv_cell` or as the user wrote it,
    with the spaces around it if there is such a file, else without.
    """
    meant = dict.fromkeys(read(text) for text in (cell, cell.strip()) for read in (csv_name, str))
    files = (name for name in meant if len(meant) == 1 or is_file(images / _image(name, images)))
    return next(files, csv_name(cell.strip()))


def _image(name: str, images: Path) -> str:
    """The name of a face without its number, as in ``a.jpg#2``."""
    image, mark, number = name.rpartition("#")
    return image if mark and number.isdecimal() and not is_file(images / name) else name


def _doubles(files: Iterable[Path], images: Iterable[str]) -> list[str]:
    """Sentences about images that two rows name differently, as a.jpg and A.JPG."""
    names, faults = dict[Path, str](), list[str]()
    for file, image in zip(files, images, strict=True):
        first = names.setdefault(file, image)
        if first != image:
            faults.append(f"{first} and {image} are one file, {file}")
    return faults


def annotations_csv(annotations: Iterable[FaceAnnotation], schema: KeypointSchema) -> str:
    """The text of a CSV file that :class:`CsvFile` reads back, in hundredths of a pixel.

    Rows are named as the faces, those with an image in the cache as its file; those that share an
    image need names like ``image.jpg#2``. Where a face has hidden points, columns tell of all.
    """
    faces = list(annotations)
    tells = any(face.visible is not None for face in faces)
    marks = [f"{name}_{HIDDEN}" for name in schema.names] if tells else []
    columns = [f"{name}_{axis}" for name in schema.names for axis in "xy"]
    lines = [csv_line(["name", *columns, *marks])]
    for face in faces:
        values = face.points.ravel().tolist()
        cached = isinstance(face.image, Path) and face.image.is_relative_to(cache_folder())
        name = csv_cell(str(face.image) if cached else face.name)
        cells = ["" if np.isnan(x) else f"{x:.2f}" for x in values]
        lines.append(csv_line([name, *cells, *(_marks(face) if tells else ())]))
    return "".join(lines)


def _marks(face: FaceAnnotation) -> list[str]:
    """The cells that tell which points are hidden."""
    seen = np.ones(len(face.points)) if face.visible is None else face.visible
    known = np.isfinite(face.points[:, 0]) & np.isfinite(seen)
    cells: list[str] = np.where(known, np.where(seen == 0, "1", "0"), "").tolist()
    return cells
