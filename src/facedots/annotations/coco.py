"""COCO keypoint files."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from facedots.annotations.base import AnnotationFile, FaceAnnotation, Origin, read_json, to_pixels
from facedots.annotations.schemas import SCHEMA_HINT, named_schema
from facedots.errors import AnnotationError, DataError
from facedots.schema import KeypointSchema


class CocoFile(AnnotationFile):
    """A COCO keypoints file: ``images``, ``annotations`` with ``keypoints``, and ``categories``.

    The category read is the one with the schema's point names, in any order, else the first with as
    many points, in its own order. A point of visibility 0 is missing (NaN); annotations without a
    labeled point are skipped. Names and groups are ``file_name``; where several faces share an
    image, names end in ``#<annotation id>``.

    Args:
        path: The file.
        content: Its content, if it was parsed before.
    """

    def __init__(self, path: str | Path, content: Any = None) -> None:
        super().__init__(path)
        self._content = read_json(self.path, "COCO keypoints") if content is None else content

    def schema(self) -> KeypointSchema:
        """Names and skeleton of the first category with keypoints.

        Raises:
            DataError: There is none, or its names do not tell which point mirrors which.
        """
        try:
            categories = self._content["categories"]
            category = next((entry for entry in categories if entry.get("keypoints")), None)
            if category is None:
                raise DataError(f"{self.path}: no category has keypoints; {SCHEMA_HINT}")
            names = tuple(map(str, category["keypoints"]))
            rows = [
                entry["keypoints"]
                for entry in self._content["annotations"]
                if entry["category_id"] == category["id"]
            ]
            points = np.asarray(rows, np.float64).reshape(len(rows), len(names), 3)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{self.path}: not a COCO keypoints file: {error!r}") from error
        edges = tuple((int(a) - 1, int(b) - 1) for a, b in category.get("skeleton", ()))
        labeled = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
        name = str(category.get("name", "keypoints"))
        return named_schema(name, names, labeled, edges, self.path)

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        try:
            category, order = self._category(schema)
            files = {entry["id"]: str(entry["file_name"]) for entry in self._content["images"]}
            keyed = [
                (entry["id"], entry["image_id"], entry["keypoints"])
                for entry in self._content["annotations"]
                if entry["category_id"] == category
            ]
        except (KeyError, TypeError) as error:
            fault = f"not a COCO keypoints file: {error!r} in its structure"
            raise AnnotationError(self.path, [fault]) from error

        names, keys = Counter(files.values()), Counter(key for key, _, _ in keyed)
        faults = [f"image {name}: the file name repeats" for name, n in names.items() if n > 1]
        faults += [f"annotation {key}: the id repeats" for key, n in keys.items() if n > 1]
        annotations: list[FaceAnnotation] = []
        faces_in = Counter(image for _, image, _ in keyed)
        for key, image, values in keyed:
            wrong = _faults(files.get(image), values, schema.count, images)
            faults += [f"annotation {key}: {fault}" for fault in wrong]
            if wrong:
                continue
            points = np.asarray(values, np.float64).reshape(schema.count, 3)[order]
            points[points[:, 2] == 0] = np.nan
            if not np.isnan(points).all():
                file, placed = files[image], to_pixels(points[:, :2], origin)
                name = f"{file}#{key}" if faces_in[image] > 1 else file
                annotations.append(FaceAnnotation(images / file, placed, name, file))
        if not annotations and not faults:
            faults.append(f"no annotation of category {category} has a labeled point")
        if faults:
            raise AnnotationError(self.path, faults)
        return annotations

    def _category(self, schema: KeypointSchema) -> tuple[Any, list[int]]:
        """The id of the category to read, and the place of each of the schema's points in it."""
        named = [(entry["id"], entry.get("keypoints", ())) for entry in self._content["categories"]]
        fitting = [(key, list(names)) for key, names in named if len(names) == schema.count]
        for key, names in fitting:
            if set(names) == set(schema.names):
                return key, [names.index(name) for name in schema.names]
        if not fitting:
            points = f"the {schema.count} keypoints of the schema {schema.name}"
            raise AnnotationError(self.path, [f"no category has {points}"])
        return fitting[0][0], list(range(schema.count))


def _faults(file: str | None, values: Any, count: int, folder: Path) -> list[str]:
    """What is wrong with an annotation."""
    faults = ["its image_id stands for no image"] if file is None else []
    if file is not None and not (folder / file).is_file():
        faults.append(f"no file {folder / file}")
    if not isinstance(values, list) or len(values) != 3 * count:
        numbers = f"{3 * count} numbers: x, y and visibility of {count} points"
        return [*faults, f"keypoints must hold {numbers}"]
    if not all(isinstance(value, int | float) and np.isfinite(value) for value in values):
        faults.append("keypoints hold something that is not a finite number")
    return faults
