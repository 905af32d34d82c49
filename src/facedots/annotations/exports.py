"""What the exports of annotation tools have in common: images with the faces that people put on
them.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from facedots.annotations.base import FaceAnnotation, Origin
from facedots.errors import AnnotationError, ImageError
from facedots.geometry import Floats, Matrix, apply_affine
from facedots.io.images import SUFFIXES, decode_image
from facedots.schema import KeypointSchema

TOOL_ORIGIN: Origin = (0.5, 0.5)
"""What annotation tools on a canvas call the center of the top-left pixel: their (0, 0) is the
image's corner.
"""


@dataclass(frozen=True, eq=False)
class ExportedImage:
    """The faces of one image, as an export has them.

    Attributes:
        where: How messages call the entry, as in ``"image 3"``.
        reference: What the tool calls the image.
        faces: Each ``float64 (K, 2)``, in pixels of the image as it is seen, in the tool's
            coordinates; NaN where missing.
    """

    where: str
    reference: str
    faces: Sequence[Matrix]


def point_index(label: str, schema: KeypointSchema) -> int | None:
    """Which point of the schema a label means: by its name, or by its number from 1, as CVAT calls
    points by itself.

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
    """The faces of an export, with points in pixels of the stored images; faces without any point
    are passed over.

    Names are paths below ``root_dir``, with ``#1``, ``#2``, … where several faces share an image;
    the group is the path.

    Args:
        source: The file that errors name.
        images: What it holds.
        faults: What is wrong with it besides.
        root_dir: Folder in which the images are looked for, see
            :class:`~facedots.annotations.exports.ImageFinder`.
        origin: The coordinates that the file gives to the center of the top-left pixel; they are
            subtracted.

    Raises:
        AnnotationError: With all faults; also where images are not there, or stand in two entries.
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
            points = stored_points(
                np.asarray(np.stack(faces) - np.asarray(origin), np.float32), path
            )
        except ImageError as error:
            wrong.append(f"{entry.where}: {error}")
            continue
        if path in first:
            wrong.append(
                f"{entry.where}: {path} stands in {first[path]} already; export one of the two"
            )
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
        """The image below the folder that is meant.

        Taken as a path first, whole and then without its leading folders. If nothing is there, it
        may be a file that somebody uploaded to Label Studio, which puts ``1a2b3c4d-`` before the
        name and tidies the rest: looked for in all folders.

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
        name = parts[-1] if parts else ""
        found = self._by_tidy_name.get(_tidy(name)) or self._by_tidy_name.get(
            _tidy(re.sub(r"^[0-9a-f]{8}-", "", name)), []
        )
        if len(found) > 1:
            raise ImageError(
                f"{reference} may be {' or '.join(map(str, found[:3]))}; give the files names of their own"
            )
        if not found:
            raise ImageError(
                f"no image {self.root.joinpath(*parts)}; put it back, or take it out of the export"
            )
        return found[0]

    @cached_property
    def _by_tidy_name(self) -> dict[str, list[Path]]:
        files: defaultdict[str, list[Path]] = defaultdict(list)
        for path in sorted(self.root.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                files[_tidy(path.name)].append(path)
        return dict(files)


def path_of(reference: str) -> PurePosixPath:
    """The path in a reference to an image, whatever stands around it.

    >>> str(path_of("/data/local-files/?d=faces/my%20dog.jpg")), str(path_of("s3://bucket/a/b.jpg"))
    ('faces/my dog.jpg', '/a/b.jpg')
    """
    address = urlsplit(reference)
    if given := parse_qs(address.query).get("d"):
        return PurePosixPath(given[0])
    if address.scheme and address.netloc:
        return PurePosixPath(unquote(address.path))
    # Not an address: what looks like a query may be part of a file's name.
    return PurePosixPath(
        (unquote(reference) if reference.startswith("/data/upload/") else reference).replace(
            "\\", "/"
        )
    )


def _tidy(name: str) -> str:
    """A file's name as web servers keep it: letters, digits, ``_``, ``-`` and ``.``, with ``_`` for
    blanks.
    """
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


_MARKS = (b"Exif\0\0", b"eXIf", b"EXIF")
"""What a JPEG, a PNG or a WebP file with EXIF data holds near its beginning."""

_NEAR = 1 << 18


def stored_points(points: Floats, image: str | Path) -> Floats:
    """Points of an image as it is seen, as points of the image as it is stored.

    Both are pixels with (0, 0) at the center of the top-left one. An image without EXIF data is not
    decoded. Which of the eight ways it was turned is found out by comparing what the decoder gives
    with and without EXIF.

    Args:
        points: ``(..., 2)``.
        image: Its file.

    Raises:
        ImageError: It cannot be read or decoded.
    """
    try:
        data = Path(image).read_bytes()
    except OSError as error:
        raise ImageError(f"{image}: cannot be read: {error.strerror}") from error
    if not any(mark in data[:_NEAR] for mark in _MARKS):
        return points
    seen, stored = decode_image(data, source=image), decode_image(data, orient=False, source=image)
    for turns in range(4):
        for mirrored in (False, True):
            candidate = np.rot90(stored[:, ::-1] if mirrored else stored, turns)
            if candidate.shape == seen.shape and (candidate == seen).all():
                return apply_affine(
                    _back(turns, mirrored, (stored.shape[0], stored.shape[1])), points
                )
    raise ImageError(
        f"{image}: shown in another way than turned or mirrored; write it anew without EXIF data"
    )


def _back(turns: int, mirrored: bool, size: tuple[int, int]) -> Matrix:
    """The affine map to an image of ``size`` (height, width) from what mirroring and then ``turns``
    quarter turns make of it.

    ``np.rot90`` turns counter-clockwise: the pixel (x, y) of an image of width W goes to (y, W - 1
    - x).
    """
    height, width = size
    linear, offset = np.eye(2), np.zeros(2)
    for _ in range(turns):
        linear = np.array([[0.0, 1], [-1, 0]]) @ linear
        offset = np.array([[0.0, 1], [-1, 0]]) @ offset + (0, width - 1)
        height, width = width, height
    inverse = np.linalg.inv(linear)
    matrix = np.concatenate([inverse, (-inverse @ offset)[:, None]], axis=1)
    if mirrored:
        matrix[0] = (0, 0, size[1] - 1) - matrix[0]
    return matrix
