"""Label Studio: tasks with predictions, the labeling interface for them, and its JSON export.
https://labelstud.io has both.

A face is a rectangle, and its points are key points inside it (``parentID``), as Label Studio's own
COCO export wants them. Places are percent of the image's width and height, from its top-left
corner.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from facedots.annotations.base import FaceAnnotation, Origin
from facedots.annotations.exports import TOOL_ORIGIN, ExportedImage, annotations_of, point_index
from facedots.errors import AnnotationError
from facedots.geometry import Matrix, tight_boxes
from facedots.schema import IBUG68, KeypointSchema
from facedots.types import Face, ImageResult

LOCAL_FILES = "/data/local-files/?d="
"""What Label Studio serves the files below its document root as."""

FACE, POINTS, IMAGE = "face", "points", "image"
"""The names of the tags in the labeling interface; the first is also the label of a face's
rectangle.
"""

_POINT_WIDTH = 0.015
"""The size that a point is drawn with, in widths of its face."""

_COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")
"""One a region, in turn."""


def to_label_studio(
    results: Iterable[ImageResult],
    schema: KeypointSchema,
    address: str = LOCAL_FILES,
    model: str = "",
) -> str:
    """JSON of tasks with predictions, in the order of the results, which is that of Label Studio's
    list.

    A point that is missing is not there; people put it with its label. The score of a prediction is
    the mean confidence of the points, by which Label Studio can sort, too.

    Args:
        results: Their ``source`` is a path that ``address`` goes before.
        schema: What the points mean.
        address: What makes an address of a path.
        model: What predicted, for people to read.
    """
    tasks = [
        {
            "data": {IMAGE: address + quote(result.source), "file": result.source},
            "predictions": [_prediction(result, schema, model)] if result.faces else [],
        }
        for result in results
    ]
    return json.dumps(tasks, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _prediction(result: ImageResult, schema: KeypointSchema, model: str) -> dict[str, Any]:
    regions = [
        region
        for number, face in enumerate(result.faces, start=1)
        for region in _regions(face, number, result, schema)
    ]
    # What comes first lies on top in Label Studio: a rectangle over the points would be dragged in
    # their place.
    regions.sort(key=lambda region: bool(region["from_name"] == FACE))
    known = [face.confidence for face in result.faces if np.isfinite(face.confidence).any()]
    score = (
        {"score": round(float(np.mean([np.nanmean(values) for values in known])), 4)}
        if known
        else {}
    )
    return {"model_version": f"facedots {model}".strip(), **score, "result": regions}


def _regions(
    face: Face, number: int, result: ImageResult, schema: KeypointSchema
) -> list[dict[str, Any]]:
    """The rectangle of a face and its points; nothing of a face without points."""
    if np.isnan(face.points).all():
        return []
    size = np.array([result.width, result.height])
    corners = (
        (tight_boxes(face.points[None])[0].astype(np.float64).reshape(2, 2) + TOOL_ORIGIN)
        / size
        * 100
    )
    (x, y), (width, height) = corners[0].tolist(), (corners[1] - corners[0]).tolist()
    places = (np.asarray(face.points, np.float64) + TOOL_ORIGIN) / size * 100
    rectangle = {
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "rotation": 0,
        "rectanglelabels": [FACE],
    }
    parent = f"face{number}"
    regions = [_region(parent, FACE, "rectanglelabels", rectangle, result)]
    for index, (name, (x, y)) in enumerate(zip(schema.names, places.tolist(), strict=True)):
        if not np.isnan(x + y):
            value = {"x": x, "y": y, "width": _POINT_WIDTH * width, "keypointlabels": [name]}
            regions.append(
                {
                    **_region(f"{parent}p{index}", POINTS, "keypointlabels", value, result),
                    "parentID": parent,
                }
            )
            if np.isfinite(face.confidence[index]):
                regions[-1]["score"] = round(float(face.confidence[index]), 4)
    return regions


def _region(
    key: str, tag: str, kind: str, value: Mapping[str, Any], result: ImageResult
) -> dict[str, Any]:
    size = {"original_width": result.width, "original_height": result.height, "image_rotation": 0}
    return {
        "id": key,
        "from_name": tag,
        "to_name": IMAGE,
        "type": kind,
        **size,
        "value": dict(value),
    }


def label_studio_config(schema: KeypointSchema) -> str:
    """XML of the labeling interface ("Settings", "Labeling Interface", "Code") for tasks of
    :func:`to_label_studio`.
    """
    colors = {region: _COLORS[i % len(_COLORS)] for i, region in enumerate(schema.regions)}
    labels = [
        f'    <Label value={quoteattr(name)} background="{colors[region]}" model_index="{i}"/>'
        for i, (name, region) in enumerate(zip(schema.names, schema.region_of, strict=True))
    ]
    lines = [
        "<View>",
        f'  <Image name="{IMAGE}" value="${IMAGE}" zoom="true" zoomControl="true"/>',
        f'  <RectangleLabels name="{FACE}" toName="{IMAGE}" canRotate="false">',
        f'    <Label value="{FACE}" background="#999999"/>',
        "  </RectangleLabels>",
        f'  <KeyPointLabels name="{POINTS}" toName="{IMAGE}" strokeWidth="2">',
        *labels,
        "  </KeyPointLabels>",
        "</View>",
    ]
    return "\n".join(lines) + "\n"


def read_label_studio(
    json_file: str | Path,
    root_dir: str | Path,
    schema: KeypointSchema = IBUG68,
    origin: Origin = TOOL_ORIGIN,
) -> list[FaceAnnotation]:
    """Faces from Label Studio's JSON export.

    Key points with the same parent are a face; where an image has not two parents, all its points
    are one face. Of several people's annotations the one marked as ground truth counts, else the
    one that was changed last; skipped ones (``was_canceled``), predictions and tasks without an
    annotation do not. Labels are the schema's names, or numbers from 1. Other regions are passed
    over.

    Args:
        json_file: The file.
        root_dir: Folder with the images, see :func:`~facedots.annotations.exports.annotations_of`.
        schema: What the points mean.
        origin: The coordinates that percentages stand for at the center of the top-left pixel; they
            are subtracted.

    Returns:
        One annotation a face, in the file's order, in pixels of the stored images.

    Raises:
        AnnotationError: With all faults, by task.
    """
    try:
        tasks = json.loads(Path(json_file).read_text(encoding="utf-8"))
        given = [(task["id"], task["data"], task["annotations"]) for task in tasks]
    except OSError as error:
        raise AnnotationError(json_file, [f"cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise AnnotationError(json_file, [f"not a JSON file: {error}"]) from error
    except (KeyError, TypeError) as error:
        fault = f"not a JSON export of Label Studio ({error!r}); export as JSON, not as JSON-MIN or another format"
        raise AnnotationError(json_file, [fault]) from error
    images, faults = [], list[str]()
    for key, data, annotations in given:
        where = f"task {key}"
        try:
            chosen = _chosen(annotations)
            if chosen is not None:
                faces, wrong = _faces(chosen["result"], schema)
                images.append(ExportedImage(where, _reference(data), faces))
                faults += [f"{where}: {fault}" for fault in wrong]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            faults.append(f"{where}: {error!r} in its structure")
    return annotations_of(json_file, images, faults, root_dir, origin)


def _chosen(annotations: Sequence[Any]) -> Any:
    """The annotation that counts, or None."""
    done = [annotation for annotation in annotations if not annotation.get("was_canceled")]
    # Times are ISO 8601 in UTC, so that text sorts as time does.
    return max(
        done,
        key=lambda one: (bool(one.get("ground_truth")), one.get("updated_at") or ""),
        default=None,
    )


def _reference(data: Mapping[str, Any]) -> str:
    """What stands for the image: our own note, else the only text of the task that could, else what
    is called image.
    """
    texts = {name: value for name, value in data.items() if isinstance(value, str)}
    for name in ("file", IMAGE):
        if name in texts:
            return texts[name]
    if len(texts) != 1:
        raise ValueError(f"which of {', '.join(texts) or 'no texts'} is the image?")
    return next(iter(texts.values()))


def _faces(
    regions: Sequence[Mapping[str, Any]], schema: KeypointSchema
) -> tuple[list[Matrix], list[str]]:
    """The faces ``(K, 2)`` in pixels and what is wrong with them."""
    points = [region for region in regions if region.get("type") == "keypointlabels"]
    keys = {region.get("id") for region in regions}
    parents = {parent for region in points if (parent := region.get("parentID")) and parent in keys}
    faces: dict[str, Matrix] = {}
    faults: list[str] = []
    for region in points:
        labels = region["value"].get("keypointlabels") or [""]
        index = point_index(str(labels[0]), schema)
        parent = region.get("parentID") if len(parents) > 1 else ""
        if index is None or len(labels) > 1:
            faults.append(
                f"label {', '.join(map(repr, labels))} is no point of the schema {schema.name}"
            )
        elif region.get("image_rotation"):
            faults.append(
                f"the image was turned by {region['image_rotation']}° in Label Studio; turn it back there"
            )
        elif parent is None or (parent and parent not in keys):
            faults.append(
                f"the point {labels[0]!r} is in no rectangle; drag it onto its face in the list of regions"
            )
        else:
            face = faces.setdefault(parent, np.full((schema.count, 2), np.nan))
            if np.isfinite(face[index]).all():
                where = (
                    "in one rectangle twice"
                    if parent
                    else "there twice, and no rectangles tell faces apart"
                )
                faults.append(f"the point {labels[0]!r} is {where}")
            size = (region["original_width"], region["original_height"])
            face[index] = (
                np.array([region["value"]["x"], region["value"]["y"]], np.float64) / 100 * size
            )
    return list(faces.values()), list(dict.fromkeys(faults))
