"""COCO keypoint files."""

import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from facedots.annotations.base import (
    MAX_COORDINATE,
    AnnotationFile,
    FaceAnnotation,
    Origin,
    measured_pixels,
    read_json,
)
from facedots.annotations.exports import placed, visible_labels
from facedots.annotations.image_files import ImageFinder, Size
from facedots.annotations.schemas import SCHEMA_HINT, named_schema, point_order
from facedots.errors import AnnotationError, DataError, ImageError
from facedots.geometry import Matrix
from facedots.io.coco_results import CocoIds
from facedots.io.inputs import Names, each_name
from facedots.schema import IBUG68, KeypointSchema

SEEN = 2
"""The visibility of a labeled point that nothing hides."""

_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


class CocoFile(AnnotationFile):
    """A COCO keypoints file: ``images``, ``annotations`` with ``keypoints``, and ``categories``.

    The category read is the one with the schema's point names, in any order, else the first with as
    many points: in the order of their numbers, else in its own order. A point of visibility 0, or
    at (0, 0) or (-1, -1), is missing (NaN); one of 1 is hidden where the file has others of 2.
    Annotations without a labeled point are skipped. Names and groups are ``file_name``; where
    several faces share an image, names end in ``#<annotation id>``. Points follow images that were
    resized since, or that EXIF data turn, by ``width`` and ``height``. ``content`` is that of the
    file, if it was parsed before.
    """

    def __init__(self, path: str | Path, content: Any = None) -> None:
        super().__init__(path)
        self._content = read_json(self.path, "COCO keypoints") if content is None else content

    @property
    def image_folder(self) -> Path:
        """The folder of the file; its parent for COCO's and CVAT's folder ``annotations``."""
        folder = self.path.parent
        return folder.resolve().parent if folder.resolve().name == "annotations" else folder

    def schema(self) -> KeypointSchema:
        """Names and skeleton of the first category with keypoints."""
        if fault := self._missing():
            raise DataError(f"{self.path}: {fault}")
        try:
            categories = self._content["categories"]
            category = next((entry for entry in categories if entry.get("keypoints")), None)
            if category is None:
                raise DataError(f"{self.path}: no category has keypoints; {SCHEMA_HINT}")
            names = tuple(map(str, category["keypoints"]))
            self._check_names(names)
            if len(names) == IBUG68.count:
                return IBUG68
            rows = [
                entry["keypoints"]
                for entry in self._content["annotations"]
                if entry["category_id"] == category["id"] and entry.get("keypoints")
            ]
            points = np.asarray(rows, np.float64).reshape(len(rows), len(names), 3)
            edges = tuple((int(a) - 1, int(b) - 1) for a, b in category.get("skeleton") or ())
        except _BROKEN as error:
            raise DataError(f"{self.path}: not a COCO keypoints file: {error!r}") from error
        labeled = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
        name = str(category.get("name", "keypoints"))
        return named_schema(name, names, labeled, edges, self.path)

    def ids(self, sources: Iterable[str], schema: KeypointSchema) -> CocoIds:
        """The ids for results that pycocotools compares with this file.

        Args:
            sources: The images, whose paths end in a ``file_name`` of the file.
            schema: Meaning of the predicted points.

        Raises:
            AnnotationError: Images are not in the file, or no category has the schema's points.
        """
        if fault := self._missing():
            raise AnnotationError(self.path, [fault])
        try:
            category, order = self._category(schema)
            entries = {str(entry["file_name"]): entry["id"] for entry in self._content["images"]}
            faults = _repeated(self._content["images"])
        except _BROKEN as error:
            fault = f"not a COCO keypoints file: {error!r} in its structure"
            raise AnnotationError(self.path, [fault]) from error
        found = {source: _named_in(entries, source) for source in sources}
        faults += [f"no image {source}" for source, name in found.items() if name is None]
        odd = [key for key in entries.values() if type(key) is not int]
        faults += [f"image id {key!r}: not a whole number, as pycocotools needs" for key in odd]
        first = dict[str, str]()
        for source, name in found.items():
            if name is not None and (other := first.setdefault(name, source)) != source:
                faults.append(f"image {name} is both {other} and {source}; predict one folder")
        if faults:
            raise AnnotationError(self.path, faults)
        images = {source: entries[name] for source, name in found.items() if name is not None}
        return CocoIds(images, category, order)

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        if fault := self._missing():
            raise AnnotationError(self.path, [fault])
        try:
            category, order = self._category(schema)
            entries = {entry["id"]: entry for entry in self._content["images"]}
            files = {key: str(entry["file_name"]) for key, entry in entries.items()}
            keyed = [
                (entry["id"], entry["image_id"], entry["keypoints"])
                for entry in self._content["annotations"]
                if entry["category_id"] == category and "keypoints" in entry
            ]
            keys = Counter(key for key, _, _ in keyed)
            faces_in = Counter(image for _, image, _ in keyed)
            faults = _repeated(self._content["images"])
        except _BROKEN as error:
            fault = f"not a COCO keypoints file: {error!r} in its structure"
            raise AnnotationError(self.path, [fault]) from error
        faults += [f"annotation {key}: the id repeats" for key, n in keys.items() if n > 1]
        finder, points = ImageFinder(images), list[Matrix]()
        places, named, groups = list[tuple[Path, Size | None]](), list[str](), list[str]()
        marks = list[Matrix]()
        # CVAT and COCO call the folder of the images as the end of their files: val2017.
        subset = self.path.stem.rpartition("_")[2]
        folders = ("", f"images/{subset}", subset, "images")
        for key, image, values in keyed:
            name = files.get(image, "")
            wrong, file = _faults(values, schema.count), finder.root
            try:
                file = finder.file(name, folders) if name else file
                wrong = wrong if name else ["its image_id stands for no image", *wrong]
            except ImageError as error:
                wrong.insert(0, str(error))
            faults += [f"annotation {key}: {fault}" for fault in wrong]
            if wrong:
                continue
            face = np.asarray(values, np.float64).reshape(schema.count, 3)[order]
            face[face[:, 2] == 0] = np.nan
            if not np.isnan(face).all():
                points.append(face[:, :2])
                marks.append(face[:, 2])
                places.append((file, _size(entries[image])))
                named.append(f"{name}#{key}" if faces_in[image] > 1 else name)
                groups.append(name)
        if not points and not faults:
            faults.append(f"no annotation of category {category} has a labeled point")
        if faults:
            raise AnnotationError(self.path, faults)
        stored = placed(self, list(measured_pixels(self, named, points, origin)), places)
        # Tools that do not tell what is hidden write 1 for all points, or 2.
        tells = any((mark == SEEN).any() for mark in marks)
        return [
            FaceAnnotation(
                places[i][0],
                stored[i],
                named[i],
                groups[i],
                visible=visible_labels(stored[i], mark < SEEN) if tells else None,
            )
            for i, mark in enumerate(marks)
        ]

    def _missing(self) -> str:
        """What the file lacks, as a sentence, or nothing."""
        content = self._content if isinstance(self._content, dict) else {}
        parts = ("images", "annotations", "categories")
        missing = [part for part in parts if not isinstance(content.get(part), list)]
        return f"not a COCO keypoints file: no list of {', '.join(missing)}" if missing else ""

    def _check_names(self, names: Sequence[str]) -> None:
        name, count = next(iter(Counter(names).most_common(1)), ("", 0))
        if count > 1:
            fault = f"{count} keypoints of a category are called {name[:40]!r}; give each its name"
            raise AnnotationError(self.path, [fault])

    def _category(self, schema: KeypointSchema) -> tuple[Any, list[int]]:
        """The id of the category to read, and the place of each of the schema's points in it."""
        named = [
            (entry["id"], [str(name) for name in entry.get("keypoints") or ()])
            for entry in self._content["categories"]
        ]
        fitting = [(key, names) for key, names in named if len(names) == schema.count]
        fitting.sort(key=lambda each: set(each[1]) != set(schema.names))
        if not fitting:
            points = f"the {schema.count} keypoints of the schema {schema.name}"
            raise AnnotationError(self.path, [f"no category has {points}"])
        key, names = fitting[0]
        self._check_names(names)
        try:
            return key, point_order(names, schema)
        except DataError as error:
            raise AnnotationError(self.path, [f"category {key}: {error}"]) from error


def coco_ids(
    sources: Names, schema: KeypointSchema, annotations: str | Path | None = None
) -> CocoIds:
    """The ids for the results of images: those of a COCO file, see :meth:`CocoFile.ids`; without
    one the numbers in the names of the images, as COCO names its own, and the category 1.

    Raises:
        DataError: A name holds no number, or two the same one.

    >>> coco_ids(["val/000000397133.jpg"], IBUG68).images
    {'val/000000397133.jpg': 397133}
    """
    sources = each_name(sources)
    if annotations:
        return CocoFile(annotations).ids(sources, schema)
    images, names = dict[str, int](), dict[int, str]()
    for source in sources:
        number = re.search(r"[0-9]+$", PurePath(source).stem)
        fault = "its name does not end in a number"
        if number:
            images[source] = int(number[0])
            other = names.setdefault(images[source], source)
            fault = f"has the number of {other}" if other != source else ""
        if fault:
            raise DataError(f"{source}: {fault}; --coco-ids names a COCO file with the ids")
    return CocoIds(images)


def _repeated(images: Sequence[Any]) -> list[str]:
    """What stands twice among the images."""
    names = Counter(str(entry["file_name"]) for entry in images)
    keys = Counter(entry["id"] for entry in images)
    return [
        *(f"image {name}: the file name repeats" for name, n in names.items() if n > 1),
        *(f"image id {key}: the id repeats" for key, n in keys.items() if n > 1),
    ]


def _named_in(names: Container[str], source: str) -> str | None:
    """The longest end of a path that is one of the names."""
    parts = Path(source).absolute().parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end in names), None)


def _size(entry: Any) -> Size | None:
    """Width and height of an image as the file has them; None where it does not."""
    try:
        width, height = float(entry["width"]), float(entry["height"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _faults(values: Any, count: int) -> list[str]:
    """What is wrong with the numbers of an annotation."""
    if not isinstance(values, list) or len(values) != 3 * count:
        return [f"keypoints must hold {3 * count} numbers: x, y and visibility of {count} points"]
    numbers = all(
        isinstance(value, int | float) and abs(value) < MAX_COORDINATE for value in values
    )
    if not numbers or any(isinstance(value, bool) for value in values):
        return ["keypoints hold something that is not a finite number of pixels"]
    return []
