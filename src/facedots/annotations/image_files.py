"""The image files that labels name: found as other machines and tools call them, and points of
images as they were labeled as points of the images as they are stored.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from facedots.errors import ImageError
from facedots.geometry import Floats
from facedots.io.images import SUFFIXES

ORIENTATION = 0x0112
"""The EXIF tag for how an image is turned when it is shown."""

Size = tuple[float, float]
"""Width and height in pixels."""

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


class ImageFinder:
    """Finds images in the folder ``root`` by what a tool calls them."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def find(self, reference: str) -> Path:
        """The image below the folder, by a path, also of Windows, an address (http, s3, gs, …), or
        Label Studio's ``/data/local-files/?d=…``, ``/data/upload/1/…``.

        Taken as a path first, whole and then without its leading folders; then by its name alone,
        whatever its case and ending, also as Label Studio changes names of uploads.

        Raises:
            ImageError: There is no such image, or there are several.
        """
        parts = [part for part in path_of(reference).parts if part not in ("/", "..")]
        for start in range(len(parts)):
            path = self.root.joinpath(*parts[start:])
            if is_file(path):
                return path
        name = parts[-1].lower() if parts else ""
        keys = [(self._by_name, name), (self._by_stem, name)]
        if re.match(r"[0-9a-f]{8}-", name):
            keys.append((self._by_clean_name, _clean(name[9:])))
        for files, key in keys:
            if key in files:
                return self._only(files[key], parts, reference)
        missing = self.root.joinpath(*parts)
        fix = "put it back, or take it out of the export"
        if re.match(r"\d{5,}_", name):  # As `facedots label export` numbers its copies.
            fix += "; exported by facedots: give --exported DIR, or --images DIR/images"
        raise ImageError(f"no image {missing}; {fix}")

    def file(self, name: str, folders: Sequence[str] = ("",)) -> Path:
        """The image of exactly this name in the folder, or in one of some folders in it; else as
        :meth:`find`. Files outside the folder need the ending of an image.

        Raises:
            ImageError: There is no such image, or there are several.
        """
        outside = name.startswith("/") or ".." in Path(name).parts
        for file in (self.root / folder / name for folder in folders):
            if is_file(file) and (not outside or file.suffix.lower() in SUFFIXES):
                return file
        try:
            return self.find(name)
        except ImageError as error:
            if not str(error).startswith("no image"):
                raise
            raise ImageError(f"no file {str(self.root / name)[:300]}") from error

    def _only(self, files: Sequence[Path], parts: Sequence[str], reference: str) -> Path:
        """The one of some files whose folders end as the reference's do."""

        def common(file: Path) -> int:
            folders = [part.lower() for part in file.parts[:-1][::-1]]
            wanted = [part.lower() for part in parts[:-1][::-1]]
            alike = (a == b for a, b in zip(folders, wanted, strict=False))
            return next((n for n, same in enumerate(alike) if not same), len(wanted))

        best = max(map(common, files))
        fitting = [file for file in files if common(file) == best]
        if len(fitting) > 1:
            places = " or ".join(map(str, fitting[:3]))
            raise ImageError(f"{reference} may be {places}; give the files unique names")
        return fitting[0]

    @cached_property
    def _files(self) -> list[Path]:
        return [file for file in sorted(self.root.rglob("*")) if file.suffix.lower() in SUFFIXES]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        return self._grouped(lambda file: file.name.lower())

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        return self._grouped(lambda file: file.stem.lower())

    @cached_property
    def _by_clean_name(self) -> dict[str, list[Path]]:
        return self._grouped(lambda file: _clean(file.name.lower()))

    def _grouped(self, key: Callable[[Path], str]) -> dict[str, list[Path]]:
        groups: defaultdict[str, list[Path]] = defaultdict(list)
        for file in self._files:
            groups[key(file)].append(file)
        return dict(groups)


def is_file(path: Path) -> bool:
    """Whether a path is a file; not one where its name is impossible."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def path_of(reference: str) -> PurePosixPath:
    """The path in a reference to an image, whatever stands around it.

    >>> str(path_of("/data/local-files/?d=faces/my%20dog.jpg")), str(path_of("s3://bucket/a/b.jpg"))
    ('faces/my dog.jpg', '/a/b.jpg')
    """
    try:
        address = urlsplit(reference)
    except ValueError:
        return PurePosixPath(reference.replace("\\", "/"))
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


@dataclass(frozen=True)
class ImageHeader:
    """Width and height of an image as stored, and EXIF's orientation, 1 (upright) to 8."""

    size: tuple[int, int]
    orientation: int = 1

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height of the upright image."""
        width, height = self.size
        return (height, width) if self.orientation >= 5 else self.size

    def to_stored(self, points: Floats) -> Floats:
        """Points of the upright image as points of the stored one, ``(..., 2)``."""
        if self.orientation not in _TO_STORED:
            return points
        swapped, from_end = _TO_STORED[self.orientation]
        stored = points[..., ::-1] if swapped else points
        return np.where(from_end, np.array(self.size, np.float32) - 1 - stored, stored)


def read_header(image: Path) -> ImageHeader | None:
    """Size and orientation of an image, which is not decoded; None for what is no image."""
    import PIL.Image

    try:
        with image.open("rb") as file, PIL.Image.open(file) as opened:
            # Of a PNG file without EXIF data, getexif() would decode all pixels.
            plain = opened.format == "PNG" and "exif" not in opened.info
            orientation = 1 if plain else opened.getexif().get(ORIENTATION, 1)
            return ImageHeader(opened.size, orientation if orientation in _TO_STORED else 1)
    except (PIL.UnidentifiedImageError, PIL.Image.DecompressionBombError):
        return None
    except OSError as error:
        if error.strerror:
            raise ImageError(f"{image}: cannot be read: {error.strerror}") from error
        return None
    except (ValueError, SyntaxError, TypeError, KeyError, IndexError):
        return None


def stored_points(
    points: Floats, image: str | Path, size: Size | None = None
) -> tuple[Floats, float]:
    """Points ``(..., 2)`` of an image as it was shown, as points of the image as stored, which EXIF
    data may turn or mirror; and by how much they were scaled.

    Args:
        points: In pixels.
        image: The file, which is not decoded.
        size: That of the upright image when it was labeled; None if unknown. Where it was resized
            since, the points are scaled.

    Raises:
        ImageError: The file cannot be read, or was cropped or turned since it was labeled.
    """
    header = read_header(Path(image))
    if header is None:
        return points, 1.0
    scaled, factor = _scaled(points, header.shown_size, size, image)
    return header.to_stored(scaled), factor


def place_points(
    faces: Sequence[Floats], images: Sequence[tuple[Path, Size | None]]
) -> tuple[list[Floats], list[str], list[str]]:
    """Points ``(K, 2)`` of faces as points of the stored images, where only the sizes when they
    were labeled tell whether these were upright; an image without a size counts as stored.

    Returns:
        The points; the names of the images that were resized since; sentences about those that were
        cropped, or that EXIF data turn while no size tells whether the labels are turned, too.
    """
    read = {file: read_header(file) for file, size in images if size}
    headers = [read.get(file) if size else None for file, size in images]
    fits = [
        _is_upright(header, size) if header and size else True
        for header, (_, size) in zip(headers, images, strict=True)
    ]
    pairs = zip(headers, fits, strict=True)
    turned = {fit for header, fit in pairs if header and header.orientation != 1} - {None}
    stored, resized, faults = list[Floats](), dict[str, None](), dict[str, None]()
    for face, header, (file, size), fit in zip(faces, headers, images, fits, strict=True):
        upright = next(iter(turned)) if fit is None and len(turned) == 1 else fit
        if header is None:
            stored.append(face)
        elif upright is None:
            what = f"{file}: EXIF data turn it, and labels may be of the turned image or the stored"
            faults[f"{what}; save it upright without EXIF data"] = None
        else:
            try:
                shown = header.shown_size if upright else header.size
                points, factor = _scaled(face, shown, size, file)
                stored.append(header.to_stored(points) if upright else points)
                resized |= {file.name: None} if factor != 1 else {}
            except ImageError as error:
                faults[str(error)] = None
    return stored, list(resized), list(faults)


def _is_upright(header: ImageHeader, size: Size) -> bool | None:
    """Whether labels of an image of this size are of the upright one; None if that is open."""
    if header.orientation == 1:
        return True
    if header.size == header.shown_size:
        return None
    width, height = size
    errors = [abs(w * height - h * width) for w, h in (header.shown_size, header.size)]
    return errors[0] < errors[1]


def _scaled(
    points: Floats, size: tuple[int, int], labeled: Size | None, image: object
) -> tuple[Floats, float]:
    """Points of an image of the size ``labeled``, as points of the image resized to ``size``, and
    the factor; ImageError where the proportions are others.
    """
    if labeled is None or size == tuple(labeled):
        return points, 1.0
    (width, height), (old_width, old_height) = size, labeled
    was, now = f"{old_width:g} x {old_height:g}", f"{width} x {height}"
    if not (1 <= old_width < 1e6 and 1 <= old_height < 1e6):
        raise ImageError(f"{image}: the labels call its size {was}")
    x, y = width / old_width, height / old_height
    # The shorter side of a resized image is rounded to whole pixels.
    if abs(x * old_height - height) > 1 and abs(y * old_width - width) > 1:
        raise ImageError(
            f"{image}: {now} pixels, but the labels are of {was}: cropped, turned or squeezed; "
            "take the images that were labeled"
        )
    factors = np.array([x, y], np.float32)
    return (points + np.float32(0.5)) * factors - np.float32(0.5), max(x, y)
