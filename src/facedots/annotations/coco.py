"""COCO keypoint files."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facedots.annotations.base import FaceAnnotation, Origin, _pixels
from facedots.errors import AnnotationError
from facedots.schema import IBUG68, KeypointSchema


def read_coco(
    json_file: str | Path,
    root_dir: str | Path,
    schema: KeypointSchema = IBUG68,
    origin: Origin = (0.0, 0.0),
) -> list[FaceAnnotation]:
    """Faces from a COCO keypoints file.

    The category is the one with the schema's point names, in whatever order, else the first with as
    many points, taken in its own order. A point of visibility 0 is missing (NaN); an annotation
    without any labeled point is passed over.

    Args:
        json_file: The file, with ``images``, ``annotations`` and ``categories``.
        root_dir: Folder that ``file_name`` is relative to.
        schema: What the points mean.
        origin: The coordinates that the file gives to the center of the top-left pixel; they are
            subtracted.

    Returns:
        One annotation a face, in the file's order. The group is ``file_name``; so is the name, with
        ``#<annotation id>`` where several faces share an image.

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
        raise AnnotationError(
            json_file, [f"not a COCO keypoints file: {error!r} in its structure"]
        ) from error

    faults = [
        f"image {name}: the file name repeats"
        for name, times in Counter(files.values()).items()
        if times > 1
    ]
    faults += [
        f"annotation {key}: the id repeats"
        for key, times in Counter(key for key, _, _ in keyed).items()
        if times > 1
    ]
    annotations: list[FaceAnnotation] = []
    faces = Counter(image for _, image, _ in keyed)
    for key, image, values in keyed:
        wrong = _coco_faults(files.get(image), values, schema.count, root_dir)
        faults += [f"annotation {key}: {fault}" for fault in wrong]
        if not wrong:
            points = np.asarray(values, np.float64).reshape(schema.count, 3)[order]
            points[points[:, 2] == 0] = np.nan
            file, mark = files[image], f"#{key}" if faces[image] > 1 else ""
            if not np.isnan(points).all():
                annotations.append(
                    FaceAnnotation(
                        Path(root_dir) / file, _pixels(points[:, :2], origin), file + mark, file
                    )
                )
    if not annotations and not faults:
        faults.append(f"no annotation of category {category} has a labeled point")
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
        raise ValueError(
            f"no category has the {schema.count} keypoints of the schema {schema.name}"
        )
    return fitting[0][0], list(range(schema.count))


def _coco_faults(file: str | None, values: Any, count: int, root_dir: str | Path) -> list[str]:
    faults = ["its image_id stands for no image"] if file is None else []
    if file is not None and not (Path(root_dir) / file).is_file():
        faults.append(f"no file {Path(root_dir) / file}")
    if not isinstance(values, list) or len(values) != 3 * count:
        return [
            *faults,
            f"keypoints must hold {3 * count} numbers: x, y and visibility of {count} points",
        ]
    if not all(isinstance(value, int | float) and np.isfinite(value) for value in values):
        faults.append("keypoints hold something that is not a finite number")
    return faults
