"""Label Studio (https://labelstud.io): tasks with predictions, and the JSON export.

A face is a rectangle with key points in it (``parentID``). Coordinates are percent of the image's
width and height, from its top-left corner.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import numpy as np

from facedots.annotations.base import AnnotationFile, FaceAnnotation, Origin, read_json
from facedots.annotations.exports import TOOL_ORIGIN, ExportedImage, annotations_of, point_index
from facedots.annotations.labeling_interface import HIDDEN, IMAGE, LabelingInterface
from facedots.errors import AnnotationError
from facedots.geometry import Matrix, tight_boxes
from facedots.regions import Mask
from facedots.schema import KeypointSchema
from facedots.types import Face, ImageResult

LOCAL_FILES = "/data/local-files/?d="
"""Address at which Label Studio serves the files below its document root."""

MAX_PERCENT = 1e6
"""How far outside an image a point may lie, in percent of its sides."""

_POINT_WIDTH = 0.015  # in widths of its face


def to_label_studio(results: Iterable[ImageResult], schema: KeypointSchema, model: str = "") -> str:
    """JSON of tasks with predictions of a model, in the order of the results, whose ``source`` is a
    path below Label Studio's document root; for the interface of
    :func:`~facedots.annotations.labeling_interface.label_studio_config`.
    """
    interface, version = LabelingInterface.of_schema(schema), f"facedots {model}".strip()
    tasks = [
        {
            "data": {IMAGE: LOCAL_FILES + quote(result.source), "file": result.source},
            "predictions": [prediction(result, interface, version)] if result.faces else [],
        }
        for result in results
    ]
    return json.dumps(tasks, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def prediction(result: ImageResult, interface: LabelingInterface, model: str) -> dict[str, Any]:
    """A prediction of an image, as Label Studio takes it.

    Of points that are likely hidden, "hidden" is chosen where the interface has that choice.
    Missing points are left out, and those for which the interface has no label. Without rectangles
    in the interface nothing tells faces apart, so that only the best is in it. The score falls with
    the image's uncertainty, from 1 to 0, so that the smallest scores are the worst; 0 without a
    face, absent where the network gives no sigma.
    """
    faces = result.faces if interface.face else result.faces[:1]
    regions = [
        region
        for number, face in enumerate(faces, start=1)
        for region in _regions(face, number, result, interface)
    ]
    # The first region lies on top in Label Studio: a rectangle there would be dragged instead of
    # its points.
    regions.sort(key=lambda region: bool(region["from_name"] == interface.face))
    content = {"model_version": model, "result": regions}
    if not result.faces:
        return {**content, "score": 0.0}
    if math.isinf(result.uncertainty):
        return content
    return {**content, "score": round(max(0.0, 1 - result.uncertainty / 100), 4)}


def _regions(
    face: Face, number: int, result: ImageResult, interface: LabelingInterface
) -> list[dict[str, Any]]:
    """The rectangle of a face and its points; nothing of a face without points."""
    if np.isnan(face.points).all():
        return []
    size = np.array([result.width, result.height])
    box = tight_boxes(face.points[None])[0].astype(np.float64).reshape(2, 2)
    (x, y), (right, bottom) = ((box + TOOL_ORIGIN) / size * 100).tolist()
    width, parent, regions = right - x, f"face{number}", list[dict[str, Any]]()
    image = {"to_name": interface.image, "image_rotation": 0}
    image |= {"original_width": result.width, "original_height": result.height}
    if interface.face:
        value = {"x": x, "y": y, "width": width, "height": bottom - y, "rotation": 0}
        value["rectanglelabels"] = [interface.face_label]
        kind = {"from_name": interface.face, "type": "rectanglelabels"}
        regions.append({"id": parent, **kind, **image, "value": value})
    places = ((face.points.astype(np.float64) + TOOL_ORIGIN) / size * 100).tolist()
    for index, label in interface.labels.items():
        x, y = places[index]
        if np.isnan(x + y):
            continue
        value = {"x": x, "y": y, "width": _POINT_WIDTH * width, "keypointlabels": [label]}
        kind = {"from_name": interface.points, "type": "keypointlabels"}
        region = {"id": f"{parent}p{index}", **kind, **image, "value": value}
        if interface.face:
            region["parentID"] = parent
        if np.isfinite(face.confidence[index]):
            region["score"] = round(float(face.confidence[index]), 4)
        regions.append(region)
        if interface.visibility and face.hidden[index]:
            value = {"x": x, "y": y, "width": value["width"], "choices": [HIDDEN]}
            kind = {"from_name": interface.visibility, "type": "choices"}
            regions.append({"id": region["id"], **kind, **image, "value": value})
    return regions


class LabelStudioFile(AnnotationFile):
    """Label Studio's JSON export.

    Key points with the same parent are a face; where an image has fewer than two parents, all its
    points are one face. Of several annotations of a task the one marked as ground truth counts,
    else the one that was changed last; skipped ones (``was_canceled``), predictions and tasks
    without an annotation do not. Labels are the schema's names, or numbers from 1; points of which
    "hidden" is chosen are hidden. Other regions are skipped. For names and groups see
    :func:`~facedots.annotations.exports.annotations_of`. ``content`` is that of the file, if it was
    parsed before.
    """

    origin: ClassVar[Origin] = TOOL_ORIGIN

    def __init__(self, path: str | Path, content: Any = None) -> None:
        super().__init__(path)
        tasks = read_json(self.path, "Label Studio's tasks") if content is None else content
        try:
            self._tasks = [(task["id"], task["data"], task["annotations"]) for task in tasks]
        except (KeyError, TypeError) as error:
            fault = f"not a JSON export of Label Studio ({error!r}); "
            hint = "export as JSON, not as JSON-MIN or another format"
            raise AnnotationError(self.path, [fault + hint]) from error

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        exported, faults = [], list[str]()
        for key, data, annotations in self._tasks:
            where = f"task {key}"
            try:
                chosen = _chosen(annotations)
                if chosen is not None:
                    faces, hidden, wrong = _faces(chosen["result"], schema)
                    size, reference = _size(chosen["result"]), _reference(data)
                    exported.append(ExportedImage(where, reference, faces, size, hidden))
                    faults += [f"{where}: {fault}" for fault in wrong]
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                faults.append(f"{where}: {error!r} in its structure")
        return annotations_of(self, exported, faults, images, origin)


def _size(regions: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Width and height of the image when it was labeled; None without a point."""
    sizes = [
        (float(region["original_width"]), float(region["original_height"]))
        for region in regions
        if region.get("type") == "keypointlabels"
    ]
    if len(set(sizes)) > 1:
        raise ValueError("several sizes of one image")
    return sizes[0] if sizes else None


def _chosen(annotations: Sequence[Any]) -> Any:
    """The annotation that counts, or None."""
    done = [annotation for annotation in annotations if not annotation.get("was_canceled")]
    # Times are ISO 8601 in UTC, so that they sort as text.
    keys = ((bool(one.get("ground_truth")), one.get("updated_at") or "") for one in done)
    return max(zip(keys, done, strict=True), key=lambda each: each[0], default=(None, None))[1]


def _reference(data: Mapping[str, Any]) -> str:
    """The image of a task: as facedots noted it, else what is called image, else the only text."""
    texts = {name: value for name, value in data.items() if isinstance(value, str)}
    for name in ("file", IMAGE):
        if name in texts:
            return texts[name]
    if len(texts) != 1:
        raise ValueError(f"which of {', '.join(texts) or 'no texts'} is the image?")
    return next(iter(texts.values()))


def _faces(
    regions: Sequence[Mapping[str, Any]], schema: KeypointSchema
) -> tuple[list[Matrix], list[Mask], list[str]]:
    """The faces ``(K, 2)`` of an annotation in pixels, their hidden points ``(K,)``, and its
    faults.
    """
    points = [region for region in regions if region.get("type") == "keypointlabels"]
    keys = {region.get("id") for region in regions}
    parents = {parent for region in points if (parent := region.get("parentID")) and parent in keys}
    marked = {region.get("id") for region in regions if _is_hidden(region)}
    faces, hidden = dict[str, Matrix](), dict[str, Mask]()
    faults: list[str] = []
    for region in points:
        labels = [str(label) for label in region["value"].get("keypointlabels") or [""]]
        index = point_index(labels[0], schema)
        parent = region.get("parentID") if len(parents) > 1 else ""
        if index is None or len(labels) > 1:
            names = ", ".join(map(repr, labels))
            faults.append(f"label {names} is no point of the schema {schema.name}")
        elif turn := region.get("image_rotation"):
            faults.append(f"the image was turned by {turn}° in Label Studio; turn it back there")
        elif parent is None or (parent and parent not in keys):
            hint = "drag it onto its face in the list of regions"
            faults.append(f"the point {labels[0]!r} is in no rectangle; {hint}")
        else:
            face = faces.setdefault(parent, np.full((schema.count, 2), np.nan))
            if np.isfinite(face[index]).all():
                alone = "there twice, and no rectangles tell faces apart"
                again = "in one rectangle twice" if parent else alone
                faults.append(f"the point {labels[0]!r} is {again}")
            x, y = float(region["value"]["x"]), float(region["value"]["y"])
            if not (abs(x) <= MAX_PERCENT and abs(y) <= MAX_PERCENT):
                faults.append(f"the point {labels[0]!r} is at {x}, {y} percent of the image")
            face[index] = (x / 100 * region["original_width"], y / 100 * region["original_height"])
            marks = hidden.setdefault(parent, np.zeros(schema.count, bool))
            marks[index] = region.get("id") in marked
    return list(faces.values()), list(hidden.values()), list(dict.fromkeys(faults))


def _is_hidden(region: Mapping[str, Any]) -> bool:
    return region.get("type") == "choices" and HIDDEN in region["value"].get("choices", ())
