"""Exports of annotation tools: images by what a tool calls them, points as it shows them."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from facedots.annotations.base import FaceAnnotation, Origin, to_pixels
from facedots.errors import AnnotationError, ImageError
from facedots.geometry import Floats, Matrix
from facedots.io.images import SUFFIXES
from facedots.schema import KeypointSchema

TOOL_ORIGIN: Origin = (0.5, 0.5)
"""What tools on a canvas call the center of the top-left pixel: their (0, 0) is its corner."""

EXIF_MARKS = (b"Exif\0\0", b"eXIf", b"EXIF")
"""What a JPEG, a PNG or a WebP file with EXIF data holds in its first :data:`EXIF_BYTES`."""

EXIF_BYTES = 1 << 18

ORIENTATION = 0x0112
"""The EXIF tag for how an image is turned when it is shown."""

_TO_STORED = {
    2: (False, (True, False)),
    3: (False, (True, True)),
    4: (False, (False, True)),
    5: (True, (False, False)),
    6: (True, (False, True)),
    7: (True, (True, True)),
    8: (True, (True, False)),
}
"""Orientation -> whether x and y change places, then whether stored x and y count from the end."""


@dataclass(frozen=True, eq=False)
class ExportedImage:
    """The faces of one image, as an export has them.

    Attributes:
        where: How messages call the entry, as in ``"image 3"``.
        reference: What the tool calls the image.
        faces: Each ``float64 (K, 2)``, in pixels of the image as it is shown, in the tool's
            coordinates; NaN where missing.
    """

    where: str
    reference: str
    faces: Sequence[Matrix]


def point_index(label: str, schema: KeypointSchema) -> int | None:
    """The schema's point of a label: its name, or its number from 1 as CVAT assigns by default.

    >>> from facedots.schema import IBUG68
    >>> point_index("right_eye_0", IBUG68), point_index("37", IBUG68), point_index("tail", IBUG68)
    (36, 36, None)
    """
    if label in schema.names:
        return schema.names.index(label)
    return int(label) - 1 if label.isdecimal() and 0 < int(label) <= schema.count else None


def annotations_of(
    source: object,
    images: Sequence[ExportedImage],
    faults: Sequence[str],
    root_dir: str | Path,
    origin: Origin,
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

    Raises:
        AnnotationError: With all faults; also where images are missing, or are in two entries.
    """
    finder, wrong = ImageFinder(root_dir), list(faults)
    first: dict[Path, str] = {}
    annotations: list[FaceAnnotation] = []
    for entry in images:
        faces = [face for face in entry.faces if np.isfinite(face).any()]
        if not faces:
            continue
        try:
            path = finder.find(entry.reference)
            points = stored_points(to_pixels(np.stack(faces), origin), path)
        except ImageError as error:
            wrong.append(f"{entry.where}: {error}")
            continue
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
    return annotations


class ImageFinder:
    """Finds images in a folder by what a tool calls them.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def find(self, reference: str) -> Path:
        """The image below the folder.

        Taken as a path first, whole and then without its leading folders. Else it may be a file
        uploaded to Label Studio, which prepends ``1a2b3c4d-`` to the name and cleans the rest:
        looked for in all folders.

        Args:
            reference: A path, an address (http, s3, gs, …), or Label Studio's
                ``/data/local-files/?d=…``, ``/data/upload/1/…``.

        Raises:
            ImageError: There is no such image, or there are several.
        """
        parts = [part for part in path_of(reference).parts if part not in ("/", "..")]
        for start in range(len(parts)):
            path = self.root.joinpath(*parts[start:])
            if path.is_file():
                return path
        name = _clean(parts[-1]) if parts else ""
        uploaded = re.sub(r"^[0-9a-f]{8}-", "", name)
        files = self._by_clean_name.get(name) or self._by_clean_name.get(uploaded, [])
        if len(files) > 1:
            places = " or ".join(map(str, files[:3]))
            raise ImageError(f"{reference} may be {places}; give the files unique names")
        if not files:
            missing = self.root.joinpath(*parts)
            raise ImageError(f"no image {missing}; put it back, or take it out of the export")
        return files[0]

    @cached_property
    def _by_clean_name(self) -> dict[str, list[Path]]:
        files: defaultdict[str, list[Path]] = defaultdict(list)
        for path in sorted(self.root.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                files[_clean(path.name)].append(path)
        return dict(files)


def path_of(reference: str) -> PurePosixPath:
    """The path in a reference to an image, whatever stands around it.

    >>> str(path_of("/data/local-files/?d=faces/my%20dog.jpg")), str(path_of("s3://bucket/a/b.jpg"))
    ('faces/my dog.jpg', '/a/b.jpg')
    """
    address = urlsplit(reference)
    if local := parse_qs(address.query).get("d"):
        return PurePosixPath(local[0])
    if address.scheme and address.netloc:
        return PurePosixPath(unquote(address.path))
    # Not an address: what looks like a query may be part of a file's name.
    path = unquote(reference) if reference.startswith("/data/upload/") else reference
    return PurePosixPath(path.replace("\\", "/"))


def _clean(name: str) -> str:
    """A file's name as web servers keep it: letters, digits, ``_-.``, and ``_`` for blanks."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


def stored_points(points: Floats, image: str | Path) -> Floats:
    """Points of an image as it is shown, as points of the image as it is stored.

    Both are pixels with (0, 0) at the center of the top-left one. The image is not decoded.

    Args:
        points: ``(..., 2)``.
        image: Its file, which its EXIF data may turn or mirror.

    Raises:
        ImageError: It cannot be read.
    """
    path = Path(image)
    try:
        with path.open("rb") as file:
            start = file.read(EXIF_BYTES)
    except OSError as error:
        raise ImageError(f"{image}: cannot be read: {error.strerror}") from error
    if not any(mark in start for mark in EXIF_MARKS):
        return points
    import PIL.Image

    try:
        with PIL.Image.open(path) as opened:
            size, orientation = opened.size, opened.getexif().get(ORIENTATION)
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"{image}: not an image: {error}") from error
    if orientation not in _TO_STORED:
        return points
    swapped, from_end = _TO_STORED[orientation]
    stored = points[..., ::-1] if swapped else points
    return np.where(from_end, np.array(size, np.float32) - 1 - stored, stored)
