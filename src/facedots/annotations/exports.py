"""Exports of annotation tools: images by what a tool calls them, points as it shows them."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation, Origin, to_pixels
from facedots.annotations.image_files import ImageFinder
from facedots.annotations.image_sizes import Size, stored_points
from facedots.errors import AnnotationError, ImageError
from facedots.geometry import Matrix
from facedots.schema import KeypointSchema

TOOL_ORIGIN: Origin = (0.5, 0.5)
"""What tools on a canvas call the center of the top-left pixel: their (0, 0) is its corner."""


@dataclass(frozen=True, eq=False)
class ExportedImage:
    """The faces of one image, as an export has them.

    Attributes:
        where: How messages call the entry, as in ``"image 3"``.
        reference: What the tool calls the image.
        faces: Each ``float64 (K, 2)``, in pixels of the image as it is shown, in the tool's
            coordinates; NaN where missing.
        size: Width and height of the image when it was labeled; None if unknown.
    """

    where: str
    reference: str
    faces: Sequence[Matrix]
    size: Size | None = None


def point_index(label: str, schema: KeypointSchema) -> int | None:
    """The schema's point of a label: its name, or its number from 1 as CVAT assigns by default.

    >>> from facedots.schema import IBUG68
    >>> point_index("right_eye_0", IBUG68), point_index("37", IBUG68), point_index("tail", IBUG68)
    (36, 36, None)
    """
    if label in schema.names:
        return schema.names.index(label)
    number = int(label) if label.isdecimal() and len(label) < 9 else 0
    return number - 1 if 0 < number <= schema.count else None


def size_of(image: ET.Element) -> Size | None:
    """Width and height of an image when it was labeled; None where an XML file has none."""
    try:
        return float(image.attrib["width"]), float(image.attrib["height"])
    except (KeyError, ValueError):
        return None


def annotations_of(
    source: object,
    images: Sequence[ExportedImage],
    faults: Sequence[str],
    root_dir: str | Path,
    origin: Origin,
    *,
    notes: list[str] | None = None,
) -> list[FaceAnnotation]:
    """The faces of an export in pixels of the stored images; faces without points are skipped.

    Names are paths below ``root_dir``, with ``#1``, ``#2``, … where several faces share an image;
    the group is the path.

    Args:
        source: The file that errors name.
        images: Its content.
        faults: Its other faults.
        root_dir: Folder in which :class:`ImageFinder` looks for images.
        origin: The coordinates that the file gives to the center of the top-left pixel; they are
            subtracted.
        notes: Gets a sentence about images that were resized since they were labeled.

    Raises:
        AnnotationError: With all faults; also where images are missing, or are in two entries.
    """
    finder, wrong = ImageFinder(root_dir), list(faults)
    first: dict[Path, str] = {}
    resized: list[str] = []
    annotations: list[FaceAnnotation] = []
    for entry in images:
        faces = [face for face in entry.faces if np.isfinite(face).any()]
        if not faces:
            continue
        try:
            path = finder.find(entry.reference)
            shown = to_pixels(np.stack(faces), origin)
            points, factor = stored_points(shown, path, entry.size)
        except ImageError as error:
            wrong.append(f"{entry.where}: {error}")
            continue
        if factor != 1:
            resized.append(entry.reference)
        if path in first:
            again = f"{path} stands in {first[path]} already; export one of the two"
            wrong.append(f"{entry.where}: {again}")
        first.setdefault(path, entry.where)
        name = path.relative_to(finder.root).as_posix()
        marks = [f"#{i + 1}" for i in range(len(faces))] if len(faces) > 1 else [""]
        annotations += [
            FaceAnnotation(path, face, name + mark, name)
            for face, mark in zip(points, marks, strict=True)
        ]
    if not annotations and not wrong:
        wrong.append(f"no face in {len(images)} images")
    if wrong:
        raise AnnotationError(source, wrong)
    if resized and notes is not None:
        notes.append(resized_note(resized))
    return annotations


def resized_note(images: Sequence[str]) -> str:
    """What is said of images that are smaller or larger than they were when they were labeled."""
    return f"{len(images)} images were resized since ({images[0]}, …): their points are scaled"
