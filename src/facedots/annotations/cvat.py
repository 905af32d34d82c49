"""CVAT: the XML of "CVAT for images 1.1", and the labels of a project. https://docs.cvat.ai has the
format.

A face is a skeleton whose elements are called as the schema's points. CVAT takes files of this form
as annotations of a task that has the images ("Upload annotations", "CVAT 1.1") and gives them back
("Export", "CVAT for images 1.1").
"""

import json
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation, Origin
from facedots.annotations.exports import TOOL_ORIGIN, ExportedImage, annotations_of, point_index
from facedots.errors import AnnotationError
from facedots.geometry import Floats, Matrix
from facedots.schema import IBUG68, KeypointSchema
from facedots.types import Face, ImageResult

LABEL = "face"
"""The label of the skeleton."""

SIGMA = "sigma"
"""A face's attribute: its mean sigma in pixels, for the person who corrects."""

_SURFACE = 100.0
"""Side of the drawing that shows a skeleton in CVAT; its coordinates are percent."""


def to_cvat(results: Iterable[ImageResult], schema: KeypointSchema) -> str:
    """XML with the faces of images, for a task that holds these images.

    A missing point is an element with ``outside="1"``, which CVAT hides, in the middle of the
    others. ``occluded`` is 0: whether a point is seen is for people to say.

    Args:
        results: Their ``source`` is the image's name in the task, and their order that of the
            frames.
        schema: What the points mean.
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


def _add_skeleton(image: ET.Element, face: Face, schema: KeypointSchema) -> None:
    points = np.asarray(face.points, np.float64) + TOOL_ORIGIN
    known = np.asarray(np.isfinite(points).all(axis=1))
    if not known.any():
        return
    points[~known] = points[known].mean(axis=0)
    skeleton = ET.SubElement(image, "skeleton", {"label": LABEL, "source": "auto", "z_order": "0"})
    for name, (x, y), there in zip(schema.names, points.tolist(), known.tolist(), strict=True):
        place = {"outside": "0" if there else "1", "occluded": "0", "points": f"{x:.2f},{y:.2f}"}
        ET.SubElement(skeleton, "points", {"label": name, "source": "auto", **place})
    if np.isfinite(face.sigma).any():
        ET.SubElement(skeleton, "attribute", {"name": SIGMA}).text = f"{np.nanmean(face.sigma):.2f}"


def cvat_labels(schema: KeypointSchema, shape: Floats) -> str:
    """JSON for the "Raw" tab of a new project's or task's labels: one skeleton with the schema's
    points and edges.

    Args:
        schema: Its points.
        shape: ``(K, 2)``, a face of any size, to draw the skeleton that people see; missing points
            go to the middle.
    """
    attribute = {
        "name": SIGMA,
        "mutable": False,
        "input_type": "text",
        "default_value": "",
        "values": [""],
    }
    sublabels = [{"name": name, "type": "points", "attributes": []} for name in schema.names]
    label = {
        "name": LABEL,
        "type": "skeleton",
        "attributes": [attribute],
        "sublabels": sublabels,
        "svg": _drawing(schema, shape),
    }
    return json.dumps([label], indent=1) + "\n"


def _drawing(schema: KeypointSchema, shape: Floats) -> str:
    """The elements of an SVG without the element itself. CVAT puts its own ids in place of the
    names once it has them.
    """
    given = np.asarray(shape, np.float64)
    low, high = np.nanmin(given, axis=0), np.nanmax(given, axis=0)
    filled = np.where(np.isnan(given), (low + high) / 2, given)
    places = ((filled - (low + high) / 2) / (high - low).max() * 0.9 + 0.5) * _SURFACE
    lines = [
        f'<line x1="{places[a, 0]:.2f}" y1="{places[a, 1]:.2f}" x2="{places[b, 0]:.2f}" y2="{places[b, 1]:.2f}" stroke="black" '
        f'data-type="edge" data-node-from="{a + 1}" data-node-to="{b + 1}" stroke-width="0.5"></line>'
        for a, b in schema.edges
    ]
    nodes = [
        f'<circle r="0.75" cx="{x:.2f}" cy="{y:.2f}" stroke="black" fill="#b3b3b3" stroke-width="0.1" data-type="element node" '
        f'data-element-id="{i}" data-node-id="{i}" data-label-name="{name}"></circle>'
        for i, (name, (x, y)) in enumerate(zip(schema.names, places.tolist(), strict=True), start=1)
    ]
    return "\n".join([*lines, *nodes])


def read_cvat(
    file: str | Path,
    root_dir: str | Path,
    schema: KeypointSchema = IBUG68,
    origin: Origin = TOOL_ORIGIN,
) -> list[FaceAnnotation]:
    """Faces from an export of CVAT, "CVAT for images 1.1".

    A skeleton is a face; its elements are found by their names, or by their numbers from 1. An
    element that is ``outside`` or not there is missing (NaN); one that is ``occluded`` is where
    somebody put it. A ``points`` shape with as many points as the schema is a face, too, in the
    schema's order. Boxes, polygons, masks and tags are passed over.

    Args:
        file: The XML, or the ZIP file that CVAT gives.
        root_dir: Folder with the images, see :func:`~facedots.annotations.exports.annotations_of`.
        schema: What the points mean.
        origin: The coordinates that the file gives to the center of the top-left pixel; they are
            subtracted.

    Returns:
        One annotation a face, in the file's order, in pixels of the stored images.

    Raises:
        AnnotationError: With all faults, by image.
    """
    root = _parsed(Path(file))
    if root.tag != "annotations" or root.find("track") is not None:
        raise AnnotationError(
            file,
            ['not what CVAT exports as "CVAT for images 1.1"; choose that format and export again'],
        )
    images, faults = [], list[str]()
    for image in root.iter("image"):
        where = f"image {image.get('name', image.get('id', ''))}"
        faces = []
        for shape in image:
            if shape.tag in ("skeleton", "points"):
                face, wrong = (
                    _skeleton(shape, schema) if shape.tag == "skeleton" else _points(shape, schema)
                )
                faces.append(face)
                faults += [
                    f"{where}, {shape.tag} {shape.get('label', '')}: {fault}" for fault in wrong
                ]
        images.append(ExportedImage(where, image.get("name", ""), faces))
    return annotations_of(file, images, faults, root_dir, origin)


def _parsed(file: Path) -> ET.Element:
    try:
        if not zipfile.is_zipfile(file):
            return ET.fromstring(file.read_bytes())
        with zipfile.ZipFile(file) as archive:
            names = [
                name for name in archive.namelist() if name.rpartition("/")[2] == "annotations.xml"
            ]
            if len(names) != 1:
                raise AnnotationError(
                    file, [f"{len(names)} files annotations.xml in it; an export of CVAT has one"]
                )
            return ET.fromstring(archive.read(names[0]))
    except OSError as error:
        raise AnnotationError(file, [f"cannot be read: {error.strerror or error}"]) from error
    except (ET.ParseError, zipfile.BadZipFile) as error:
        raise AnnotationError(
            file, [f"not an XML file, nor a ZIP file with one: {error}"]
        ) from error


def _skeleton(shape: ET.Element, schema: KeypointSchema) -> tuple[Matrix, list[str]]:
    """The face ``(K, 2)`` and what is wrong with it."""
    face, faults = np.full((schema.count, 2), np.nan), list[str]()
    seen: set[int] = set()
    for element in shape.iter("points"):
        label = element.get("label", "")
        index = point_index(label, schema)
        if index is None:
            faults.append(f"{label!r} is no point of the schema {schema.name}")
            continue
        if index in seen:
            faults.append(f"the point {label!r} is there twice")
        seen.add(index)
        pairs = _pairs(element.get("points", ""))
        if len(pairs) != 1:
            faults.append(
                f"{label!r}: two finite numbers expected, not {element.get('points', '')!r}"
            )
        elif element.get("outside") != "1":
            face[index] = pairs[0]
    return face, faults


def _points(shape: ET.Element, schema: KeypointSchema) -> tuple[Matrix, list[str]]:
    """The face ``(K, 2)`` of a shape without names, and what is wrong with it."""
    pairs = _pairs(shape.get("points", ""))
    if len(pairs) == schema.count:
        return pairs, []
    return np.full((schema.count, 2), np.nan), [
        f"{schema.count} points expected (schema {schema.name}), found {len(pairs)}"
    ]


def _pairs(text: str) -> Matrix:
    """``"x,y;x,y"`` as (n, 2); none where something is not a finite number."""
    try:
        pairs = np.array([pair.split(",") for pair in text.split(";")], np.float64)
    except ValueError:
        return np.zeros((0, 2))
    return (
        pairs
        if pairs.ndim == 2 and pairs.shape[1] == 2 and np.isfinite(pairs).all()
        else np.zeros((0, 2))
    )
