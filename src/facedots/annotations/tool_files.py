"""Files of dlib's imglab (XML, as its shape predictors are trained with) and of labelme (a JSON
file an image).
"""

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from facedots.annotations.base import (
    AnnotationFile,
    FaceAnnotation,
    Origin,
    face_names,
    read_json,
    to_pixels,
)
from facedots.annotations.exports import (
    TOOL_ORIGIN,
    ExportedImage,
    annotations_of,
    placed,
    point_index,
    read_xml,
    size_of,
)
from facedots.annotations.image_files import ImageFinder, Size, read_header
from facedots.annotations.schemas import SCHEMA_HINT, named_schema, point_order, schema_of_count
from facedots.errors import AnnotationError, DataError, ImageError
from facedots.geometry import Matrix, tight_boxes
from facedots.io.text import printable
from facedots.schema import KeypointSchema


class ImglabFile(AnnotationFile):
    """A data set of dlib's imglab: images with boxes, whose parts are points.

    Parts are found by the schema's names, or by number, from 0 as dlib has them, or from 1. A part
    that is absent is missing (NaN); boxes without parts, or with ``ignore``, are skipped. Names are
    as in the file, with ``#1``, ``#2``, … where several faces share an image.

    Example:
        >>> faces = ImglabFile("training_with_face_landmarks.xml").faces()  # doctest: +SKIP
    """

    endings: ClassVar[tuple[str, ...]] = (".xml",)

    def __init__(self, path: str | Path, root: ET.Element | None = None) -> None:
        super().__init__(path)
        self._root = read_xml(self.path, lambda names: names[0]) if root is None else root
        if self._root.tag != "dataset":
            raise AnnotationError(self.path, ["not an XML file of dlib's imglab"])
        labels = {part.get("name", "") for part in self._root.iter("part")}
        numbers = {int(label) for label in labels if label.isdecimal() and len(label) < 9}
        self._labels, self._first = labels, 0 if 0 in numbers else 1

    def schema(self) -> KeypointSchema:
        """IBUG68 for parts of these names, or with 68 numbers."""
        count = len(self._labels)
        if schema := schema_of_count(count, self.path):
            return schema
        raise DataError(f"{self.path}: {count} parts, not iBUG's 68; {SCHEMA_HINT}")

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        finder, faults = ImageFinder(images), list[str]()
        groups, faces = list[str](), list[Matrix]()
        places = list[tuple[Path, Size | None]]()
        for image in self._root.iter("image"):
            name = image.get("file", "")
            boxes = [box for box in image.iter("box") if box.get("ignore") != "1"]
            boxes = [box for box in boxes if box.find("part") is not None]
            try:
                file = finder.find(name) if boxes else images
            except ImageError as error:
                faults.append(f"image {name}: {error}")
                continue
            for number, box in enumerate(boxes, start=1):
                face, wrong = self._face(box, schema)
                faults += [f"image {name}, box {number}: {fault}" for fault in wrong]
                faces.append(face)
                groups.append(name)
                places.append((file, size_of(image)))
        if not faces and not faults:
            faults.append("no box has parts")
        if faults:
            raise AnnotationError(self.path, faults)
        stored = placed(self, list(to_pixels(np.stack(faces), origin)), places)
        files = [file for file, _ in places]
        return list(map(FaceAnnotation, files, stored, face_names(groups), groups))

    def _face(self, box: ET.Element, schema: KeypointSchema) -> tuple[Matrix, list[str]]:
        """The points ``(K, 2)`` of a box, and its faults."""
        face, faults = np.full((schema.count, 2), np.nan), list[str]()
        for part in box.iter("part"):
            label = part.get("name", "")
            number = label.isdecimal() and len(label) < 9
            index = point_index(str(int(label) + 1 - self._first) if number else label, schema)
            try:
                place = float(part.get("x", "")), float(part.get("y", ""))
            except ValueError:
                place = (np.nan, np.nan)
            if index is None:
                faults.append(f"part {label!r} is no point of the schema {schema.name}")
            elif not np.isfinite(place).all():
                faults.append(f"part {label!r}: two numbers expected, x and y")
            elif not np.isnan(face[index]).all():
                faults.append(f"part {label!r} is there twice")
            else:
                face[index] = place
        return face, faults


def to_imglab(annotations: Iterable[FaceAnnotation]) -> str:
    """XML for dlib of faces that follow each other by image; parts are numbered from 0.

    Missing points are left out; boxes are tight around the points.
    """
    root = ET.Element("dataset")
    images = ET.SubElement(root, "images")
    for file, faces in groupby(annotations, key=lambda face: face.image):
        image = ET.SubElement(images, "image", {"file": printable(str(file.resolve()))})
        if header := read_header(file):
            image.attrib |= {"width": str(header.size[0]), "height": str(header.size[1])}
        for face in faces:
            x0, y0, x1, y1 = (round(side) for side in tight_boxes(face.points[None])[0].tolist())
            sides = {"top": y0, "left": x0, "width": x1 - x0 + 1, "height": y1 - y0 + 1}
            box = ET.SubElement(image, "box", {name: str(side) for name, side in sides.items()})
            for i, (x, y) in enumerate(face.points.tolist()):
                if np.isfinite(x + y):
                    place = {"x": f"{x:.2f}", "y": f"{y:.2f}"}
                    ET.SubElement(box, "part", {"name": f"{i:02}", **place})
    ET.indent(root)
    return "<?xml version='1.0' encoding='UTF-8'?>\n" + ET.tostring(root, encoding="unicode") + "\n"


class LabelmeFolder(AnnotationFile):
    """All of labelme's JSON files in a folder, or one of them.

    The points of an image are one face, or one per ``group_id``; their labels are the schema's
    names in any order, or numbers. A point that is absent is missing (NaN). Boxes and polygons are
    skipped. For names and groups see :func:`~facedots.annotations.exports.annotations_of`.

    Example:
        >>> faces = LabelmeFolder("labels").faces()  # doctest: +SKIP
    """

    origin: ClassVar[Origin] = TOOL_ORIGIN

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        files = sorted(self.path.glob("*.json")) if self.path.is_dir() else [self.path]
        self._images = [_LabelmeImage(file) for file in files]
        labels = [label for image in self._images for face in image.faces for label in face]
        self._labels = list(dict.fromkeys(labels))

    @property
    def image_folder(self) -> Path:
        """The folder, or that of the file."""
        return self.path if self.path.is_dir() else self.path.parent

    def schema(self) -> KeypointSchema:
        """The schema of the labels; IBUG68 for its names, or for 68 numbers."""
        names = tuple(self._labels)
        if not names:
            some = "; ".join(fault for image in self._images[:3] for fault in image.faults[:1])
            why = some or "no shape of the type point, and only these are read"
            raise DataError(f"{self.path}: {why}")
        faces = [face for image in self._images for face in image.faces]
        shape = [[face.get(name, (np.nan, np.nan)) for name in names] for face in faces]
        return named_schema(self.path.stem, names, shape, (), self.path)

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        faults = [fault for image in self._images for fault in image.faults]
        try:
            order = point_order(self._labels, schema)
        except DataError as error:
            raise AnnotationError(self.path, [str(error), *faults]) from error
        names = [self._labels[i] for i in order]
        exported = [
            ExportedImage(image.name, image.reference, faces, image.size)
            for image in self._images
            for faces in [[_points(face, names) for face in image.faces]]
        ]
        return annotations_of(self, exported, faults, images, origin)


class _LabelmeImage:
    """The content of one file: the image's name and size, and faces as label -> (x, y)."""

    def __init__(self, file: Path) -> None:
        self.name, self.reference, self.faults = file.name, "", list[str]()
        self.size: tuple[float, float] | None = None
        self.faces: list[dict[str, tuple[float, float]]] = []
        content: Any = read_json(file, "labelme")
        faces: defaultdict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
        try:
            self.reference = str(content["imagePath"])
            width, height = content.get("imageWidth"), content.get("imageHeight")
            self.size = (float(width), float(height)) if width and height else None
            for shape in content["shapes"]:
                if shape.get("shape_type", "point") != "point":
                    continue
                label, ((x, y),) = str(shape["label"]), shape["points"]
                face = faces[str(shape.get("group_id"))]
                if label in face:
                    hint = "give the points of each face a group id of their own"
                    self.faults.append(f"{file.name}: {label!r} is there twice; {hint}")
                face[label] = float(x), float(y)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            self.faults.append(f"{file.name}: not a file of labelme: {error!r}")
        self.faces = list(faces.values())


def _points(face: dict[str, tuple[float, float]], names: list[str]) -> Matrix:
    return np.array([face.get(name, (np.nan, np.nan)) for name in names], np.float64)
