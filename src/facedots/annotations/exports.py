"""Exports of annotation tools: XML and ZIP files within bounds, images by what a tool calls them,
points as it shows them.
"""

import lzma
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedots.annotations.base import (
    MAX_BYTES,
    AnnotationFile,
    FaceAnnotation,
    Origin,
    face_names,
    read_bytes,
    to_pixels,
)
from facedots.annotations.image_files import ImageFinder, Size, place_points, stored_points
from facedots.errors import AnnotationError, ImageError
from facedots.geometry import Floats, Matrix
from facedots.regions import Mask
from facedots.schema import KeypointSchema

TOOL_ORIGIN: Origin = (0.5, 0.5)
"""What tools on a canvas call the center of the top-left pixel: their (0, 0) is its corner."""


_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


def zip_members(file: Path) -> list[str]:
    """The names of the files in a ZIP archive; none in another file."""
    try:
        if not zipfile.is_zipfile(file):
            return []
        with zipfile.ZipFile(file) as archive:
            return [name for name in archive.namelist() if not name.endswith("/")]
    except _DAMAGED as error:
        raise AnnotationError(file, [f"a damaged ZIP file: {error}"]) from error


def read_member(file: Path, name: str) -> bytes:
    """The bytes of a file in a ZIP archive."""
    try:
        with zipfile.ZipFile(file) as archive, archive.open(name) as member:
            data = member.read(MAX_BYTES + 1)
    except (NotImplementedError, RuntimeError) as error:
        raise AnnotationError(file, [f"{name} cannot be unpacked: {error}"]) from error
    except _DAMAGED as error:
        raise AnnotationError(file, [f"a damaged ZIP file: {name}: {error}"]) from error
    if len(data) > MAX_BYTES:
        raise AnnotationError(file, [f"{name} is larger than {MAX_BYTES >> 20} MB"])
    return data


def read_xml(file: Path, member: Callable[[list[str]], str]) -> ET.Element:
    """The root of an XML file, or of the one in a ZIP archive that ``member`` names."""
    try:
        names = zip_members(file)
        return ET.fromstring(read_member(file, member(names)) if names else read_bytes(file, "XML"))
    except (ET.ParseError, ValueError, LookupError, RecursionError) as error:
        fault = f"not an XML file, nor a ZIP file with one: {error}"
        raise AnnotationError(file, [fault]) from error


@dataclass(frozen=True, eq=False)
class ExportedImage:
    """The faces of one image, as an export has them.

    Attributes:
        where: How messages call the entry, as in ``"image 3"``.
        reference: What the tool calls the image.
        faces: Each ``float64 (K, 2)``, in pixels of the image as it is shown, in the tool's
            coordinates; NaN where missing.
        size: Width and height of the image when it was labeled; None if unknown.
        hidden: Of each face, ``bool (K,)``, the points that are marked as hidden; empty: none is.
    """

    where: str
    reference: str
    faces: Sequence[Matrix]
    size: Size | None = None
    hidden: Sequence[Mask] = ()


def visible_labels(points: Matrix | Floats, hidden: Mask) -> Floats | None:
    """The ``visible`` of a :class:`FaceAnnotation` with points ``(K, 2)``, some of them hidden
    ``(K,)``; ``None`` where none is.
    """
    if not hidden.any():
        return None
    return np.where(np.isnan(points[:, 0]), np.nan, ~hidden).astype(np.float32)


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
    file: AnnotationFile,
    entries: Sequence[ExportedImage],
    faults: Sequence[str],
    images: Path,
    origin: Origin,
) -> list[FaceAnnotation]:
    """The faces of an export in pixels of the stored images; faces without points are skipped, and
    images without another are the ``empty`` ones of the file.

    Names are paths below the folder ``images``, with ``#1``, ``#2``, … where several faces share an
    image; the group is the path.

    Raises:
        AnnotationError: With ``faults`` and all others: images are missing, or are in two entries.
    """
    finder, wrong = ImageFinder(images), list(faults)
    first: dict[Path, str] = {}
    resized: list[str] = []
    annotations: list[FaceAnnotation] = []
    for entry in entries:
        rows = [i for i, face in enumerate(entry.faces) if np.isfinite(face).any()]
        if not rows:
            with suppress(ImageError):  # Of images without a face nothing is read.
                file.empty.append(finder.find(entry.reference).relative_to(images).as_posix())
            continue
        faces = [entry.faces[i] for i in rows]
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
        image = path.relative_to(finder.root).as_posix()
        names = face_names([image] * len(faces))
        annotations += [
            FaceAnnotation(
                path,
                points[k],
                names[k],
                image,
                visible=visible_labels(points[k], entry.hidden[i]) if entry.hidden else None,
            )
            for k, i in enumerate(rows)
        ]
    if not annotations and not wrong:
        wrong.append(f"no face in {len(entries)} images")
    if wrong:
        raise AnnotationError(file.path, wrong)
    _note_resized(file, resized)
    return annotations


def placed(
    file: AnnotationFile, points: Sequence[Floats], images: Sequence[tuple[Path, Size | None]]
) -> list[Floats]:
    """Points of faces as points of the stored images, see
    :func:`~facedots.annotations.image_files.place_points`.
    """
    stored, resized, faults = place_points(points, images)
    if faults:
        raise AnnotationError(file.path, faults)
    _note_resized(file, resized)
    return stored


def _note_resized(file: AnnotationFile, images: Sequence[str]) -> None:
    if images:
        some = f"{len(images)} images were resized since ({images[0]}, …)"
        file.notes.append(f"{some}: their points are scaled")
