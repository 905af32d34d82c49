"""CVAT: the XML of "CVAT for images 1.1" and the labels of a project, see https://docs.cvat.ai.

A face is a skeleton whose elements are called as the schema's points.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np

from facedots.annotations.base import AnnotationFile, FaceAnnotation, Origin
from facedots.annotations.exports import (
    TOOL_ORIGIN,
    ExportedImage,
    annotations_of,
    point_index,
    read_xml,
    size_of,
)
from facedots.annotations.image_files import Size
from facedots.errors import AnnotationError
from facedots.geometry import Floats, Matrix
from facedots.io.images import SUFFIXES
from facedots.regions import Mask
from facedots.schema import KeypointSchema
from facedots.types import Face, ImageResult

LABEL = "face"
"""The label of the skeleton."""

SIGMA = "sigma"
"""A face's attribute: its mean sigma in pixels, for the person who corrects."""

_SIDES = ("width", "height")

_SURFACE = 100.0
"""Side of the drawing that shows a skeleton in CVAT; its coordinates are percent."""


def to_cvat(results: Iterable[ImageResult], schema: KeypointSchema) -> str:
    """XML with the faces of images, for a task that holds them under the names ``source``, in the
    order of its frames.

    A missing point is ``outside``, which CVAT hides, in the middle of the others; one that is
    likely hidden is ``occluded``.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    for frame, result in enumerate(results):
        size = {"width": str(result.width), "height": str(result.height)}
        image = ET.SubElement(root, "image", {"id": str(frame), "name": result.source, **size})
        for face in result.faces:
            _add_skeleton(image, face, schema)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def skeleton_points(face: Face) -> tuple[Matrix, Mask]:
    """The points ``(K, 2)`` of a face as CVAT counts pixels, and which of them are there; the
    others lie in the middle. At least one must be there.
    """
    points = np.asarray(face.points, np.float64) + TOOL_ORIGIN
    labeled = ~np.isnan(points[:, 0])
    points[~labeled] = points[labeled].mean(axis=0)
    return points, labeled


def _add_skeleton(image: ET.Element, face: Face, schema: KeypointSchema) -> None:
    if np.isnan(face.points).all():
        return
    points, labeled = skeleton_points(face)
    skeleton = ET.SubElement(image, "skeleton", {"label": LABEL, "source": "auto", "z_order": "0"})
    hidden = face.hidden & labeled
    for i, (x, y) in enumerate(points.tolist()):
        element = {"label": schema.names[i], "source": "auto"}
        element |= {"outside": f"{int(not labeled[i])}", "occluded": f"{int(hidden[i])}"}
        ET.SubElement(skeleton, "points", {**element, "points": f"{x:.2f},{y:.2f}"})
    if np.isfinite(face.sigma).any():
        ET.SubElement(skeleton, "attribute", {"name": SIGMA}).text = f"{np.nanmean(face.sigma):.2f}"


def cvat_labels(schema: KeypointSchema, shape: Floats) -> str:
    """JSON for the "Raw" tab of a project's labels: one skeleton with the schema's points, drawn as
    the face ``shape`` ``(K, 2)`` of any size; missing points go to the middle.
    """
    attribute = {"name": SIGMA, "mutable": False, "input_type": "text"}
    attribute |= {"default_value": "", "values": [""]}
    sublabels = [{"name": name, "type": "points", "attributes": []} for name in schema.names]
    label = {"name": LABEL, "type": "skeleton", "attributes": [attribute]}
    label |= {"sublabels": sublabels, "svg": _drawing(schema, shape)}
    return json.dumps([label], indent=1) + "\n"


def _drawing(schema: KeypointSchema, shape: Floats) -> str:
    """The elements of an SVG without the element itself; CVAT replaces names by its own ids."""
    low, high = np.nanmin(shape, axis=0).astype(float), np.nanmax(shape, axis=0).astype(float)
    filled = np.where(np.isnan(shape), (low + high) / 2, shape)
    places = ((filled - (low + high) / 2) / (high - low).max() * 0.9 + 0.5) * _SURFACE
    lines = [
        f'<line x1="{places[a, 0]:.2f}" y1="{places[a, 1]:.2f}" '
        f'x2="{places[b, 0]:.2f}" y2="{places[b, 1]:.2f}" stroke="black" data-type="edge" '
        f'data-node-from="{a + 1}" data-node-to="{b + 1}" stroke-width="0.5"></line>'
        for a, b in schema.edges
    ]
    nodes = [
        f'<circle r="0.75" cx="{x:.2f}" cy="{y:.2f}" stroke="black" fill="#b3b3b3" '
        f'stroke-width="0.1" data-type="element node" data-element-id="{i}" data-node-id="{i}" '
        f'data-label-name="{name}"></circle>'
        for i, (name, (x, y)) in enumerate(zip(schema.names, places.tolist(), strict=True), start=1)
    ]
    return "\n".join([*lines, *nodes])


class CvatFile(AnnotationFile):
    """An export of CVAT, "CVAT for images 1.1" or "CVAT for video 1.1": the XML, or the ZIP file
    with it.

    The elements of a skeleton are found by their names, or by their numbers from 1. An element that
    is ``outside`` or absent is missing (NaN); one that is ``occluded`` is hidden. A
    ``points`` shape with as many points as the schema is a face, too, in the schema's order. Boxes,
    polygons, masks and tags are skipped. For names and groups see
    :func:`~facedots.annotations.exports.annotations_of`.

    Frame 7 of a video is the image ``frame_000007``, as CVAT saves it; else, where there are as
    many images as frames, the eighth by name. ``root`` is the content, if it was parsed before.
    """

    endings: ClassVar[tuple[str, ...]] = (".xml", ".zip")
    origin: ClassVar[Origin] = TOOL_ORIGIN

    def __init__(self, path: str | Path, root: ET.Element | None = None) -> None:
        super().__init__(path)
        self._root = read_xml(self.path, _annotations_xml) if root is None else root
        if self._root.tag != "annotations":
            fault = 'not what CVAT exports as "CVAT for images 1.1"'
            raise AnnotationError(self.path, [f"{fault}; choose that format and export again"])

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        entries = [
            (f"image {name or image.get('id', '')}", name, size_of(image), list(image))
            for image in self._root.iter("image")
            for name in [image.get("name", "")]
        ]
        exported, faults = [], list[str]()
        for where, name, size, shapes in [*entries, *self._frames(images)]:
            faces, hidden = list[Matrix](), list[Mask]()
            for shape in shapes:
                if shape.tag in ("skeleton", "points"):
                    read = _skeleton if shape.tag == "skeleton" else _points
                    face, wrong = read(shape, schema)
                    faces.append(face)
                    hidden.append(_occluded(shape, schema))
                    place = f"{where}, {shape.tag} {shape.get('label', '')}".rstrip()
                    faults += [f"{place}: {fault}" for fault in wrong]
            exported.append(ExportedImage(where, name, faces, size, hidden))
        return annotations_of(self, exported, faults, images, origin)

    def _frames(self, images: Path) -> list[tuple[str, str, Size | None, list[ET.Element]]]:
        """The frames of a video: the name in messages, the image's name and size, the shapes."""
        frames: dict[int, list[ET.Element]] = {}
        for shape in (shape for track in self._root.iter("track") for shape in track):
            number = shape.get("frame", "")
            if number.isdecimal() and len(number) < 9 and shape.get("outside") != "1":
                frames.setdefault(int(number), []).append(shape)
        if not frames:
            return []
        files = sorted(file for file in images.rglob("*") if file.suffix.lower() in SUFFIXES)
        numbered = any(file.stem.startswith("frame_") for file in files)
        size = self._root.findtext(".//task/size") or ""
        ordered = not numbered and size == str(len(files))
        sides = {side: self._root.findtext(f".//original_size/{side}") for side in _SIDES}
        pixels = size_of(ET.Element("image", {side: text or "" for side, text in sides.items()}))
        return [
            (
                f"frame {number}",
                str(files[number].relative_to(images))
                if ordered and number < len(files)
                else f"frame_{number:06}.png",
                pixels,
                shapes,
            )
            for number, shapes in sorted(frames.items())
        ]


def _annotations_xml(names: list[str]) -> str:
    """The name of the XML file in an export; ValueError where there is not one."""
    files = [name for name in names if Path(name).name == "annotations.xml"]
    if len(files) != 1:
        raise ValueError(f"{len(files)} files annotations.xml in it; an export of CVAT has one")
    return files[0]


def _skeleton(shape: ET.Element, schema: KeypointSchema) -> tuple[Matrix, list[str]]:
    """The face ``(K, 2)`` of a skeleton and its faults."""
    face, faults = np.full((schema.count, 2), np.nan), list[str]()
    read: set[int] = set()
    for element in shape.iter("points"):
        label, place = element.get("label", ""), element.get("points", "")
        index = point_index(label, schema)
        if index is None:
            faults.append(f"{label!r} is no point of the schema {schema.name}")
            continue
        if index in read:
            faults.append(f"the point {label!r} is there twice")
        read.add(index)
        pairs = _pairs(place)
        if len(pairs) != 1:
            faults.append(f"{label!r}: two finite numbers expected, not {place!r}")
        elif element.get("outside") != "1":
            face[index] = pairs[0]
    return face, faults


def _occluded(shape: ET.Element, schema: KeypointSchema) -> Mask:
    """Which elements of a skeleton are ``occluded``, ``(K,)``; of a shape without names all or
    none.
    """
    if shape.tag == "points":
        return np.full(schema.count, shape.get("occluded") == "1")
    labels = [e.get("label", "") for e in shape.iter("points") if e.get("occluded") == "1"]
    indices = [point_index(label, schema) for label in labels]
    return np.isin(np.arange(schema.count), [index for index in indices if index is not None])


def _points(shape: ET.Element, schema: KeypointSchema) -> tuple[Matrix, list[str]]:
    """The face ``(K, 2)`` of a shape without names, and its faults."""
    text = shape.get("points", "")
    count = text.count(";") + 1
    pairs = _pairs(text) if count == schema.count else np.zeros((0, 2))
    if len(pairs) == schema.count:
        return pairs, []
    if count == schema.count:
        fault = "something in its points is not a finite number"
    else:
        fault = f"{schema.count} points expected (schema {schema.name}), found {count}"
    return np.full((schema.count, 2), np.nan), [fault]


def _pairs(text: str) -> Matrix:
    """``"x,y;x,y"`` as (n, 2); empty where something is not a finite number."""
    try:
        pairs = np.array([pair.split(",") for pair in text.split(";")], np.float64)
    except ValueError:
        return np.zeros((0, 2))
    usable = pairs.ndim == 2 and pairs.shape[1] == 2 and np.isfinite(pairs).all()
    return pairs if usable else np.zeros((0, 2))
