"""The XML of dlib's imglab, as its shape predictors are trained with."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import numpy as np

from facedots.annotations.archives import read_xml
from facedots.annotations.base import AnnotationFile, FaceAnnotation, Origin, to_pixels
from facedots.annotations.exports import point_index, resized_note, size_of
from facedots.annotations.image_files import ImageFinder
from facedots.annotations.image_sizes import Size, place_points, read_header
from facedots.annotations.schemas import SCHEMA_HINT
from facedots.errors import AnnotationError, DataError, ImageError
from facedots.geometry import Matrix, tight_boxes
from facedots.io.text import printable
from facedots.schema import IBUG68, KeypointSchema


class ImglabFile(AnnotationFile):
    """A data set of dlib's imglab: images with boxes, whose parts are points.

    Parts are found by the schema's names, or by number, from 0 as dlib has them, or from 1. A part
    that is absent is missing (NaN); boxes without parts, or with ``ignore``, are skipped. Names are
    as in the file, with ``#1``, ``#2``, … where several faces share an image.

    Example:
        >>> faces = ImglabFile("training_with_face_landmarks.xml").faces()  # doctest: +SKIP
    """

    def __init__(self, path: str | Path, root: ET.Element | None = None) -> None:
        super().__init__(path)
        self._root = read_xml(self.path, lambda names: names[0]) if root is None else root
        if self._root.tag != "dataset":
            raise AnnotationError(self.path, ["not an XML file of dlib's imglab"])
        labels = {part.get("name", "") for part in self._root.iter("part")}
        numbers = {int(label) for label in labels if label.isdecimal() and len(label) < 9}
        self._labels, self._first = labels, 0 if 0 in numbers else 1

    def schema(self) -> KeypointSchema:
        """IBUG68 for parts of these names, or with 68 numbers.

        Raises:
            DataError: They are other ones.
        """
        if len(self._labels) != IBUG68.count:
            count = len(self._labels)
            raise DataError(f"{self.path}: {count} parts, not iBUG's 68; {SCHEMA_HINT}")
        return IBUG68

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        finder, faults = ImageFinder(images), list[str]()
        names, groups, faces = list[str](), list[str](), list[Matrix]()
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
                names.append(f"{name}#{number}" if len(boxes) > 1 else name)
                places.append((file, size_of(image)))
        if not faces and not faults:
            faults.append("no box has parts")
        if faults:
            raise AnnotationError(self.path, faults)
        stored, resized, faults = place_points(list(to_pixels(np.stack(faces), origin)), places)
        if faults:
            raise AnnotationError(self.path, faults)
        self._notes += [resized_note(resized)] if resized else []
        return [
            FaceAnnotation(file, points, name, group)
            for (file, _), points, name, group in zip(places, stored, names, groups, strict=True)
        ]

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
