"""Points of images as they were labeled, as points of the images as they are stored: by their size
then and now, and by how EXIF data turn them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedots.errors import ImageError
from facedots.geometry import Floats

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


@dataclass(frozen=True)
class ImageHeader:
    """What an image's file says before its pixels.

    Attributes:
        size: Width and height as stored.
        orientation: EXIF's, 1 to 8; 1 is upright.
    """

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
    """Size and orientation of an image, which is not decoded; None for what is no image.

    Raises:
        ImageError: The file cannot be read.
    """
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
    """Points of an image as it was shown, as points of the image as it is stored.

    Both are pixels with (0, 0) at the center of the top-left one. The image is not decoded.

    Args:
        points: ``(..., 2)``.
        image: Its file, which its EXIF data may turn or mirror.
        size: Width and height of the image when it was labeled, upright; None if unknown. Where it
            was resized since, the points are scaled.

    Returns:
        The points, and by how much they were scaled.

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
    """Points as points of the stored images, where only sizes tell whether they are of upright
    ones; an image without a size counts as stored.

    Args:
        faces: Each ``(K, 2)``.
        images: The image of each, and its width and height when it was labeled.

    Returns:
        The points; the names of the images that were resized since they were labeled; sentences
        about those that were cropped, or that EXIF data turn while no size tells whether the labels
        are turned, too.
    """
    headers = {file: read_header(file) for file, size in images if size}
    fits = [
        _is_upright(header, size) if size and (header := headers[file]) else True
        for file, size in images
    ]
    turned = {
        fit
        for (file, size), fit in zip(images, fits, strict=True)
        if size and (header := headers[file]) and header.orientation != 1
    } - {None}
    stored, resized, faults = list[Floats](), dict[str, None](), dict[str, None]()
    for face, (file, size), fit in zip(faces, images, fits, strict=True):
        header = headers[file] if size else None
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
    """Points of an image of the size ``labeled``, as points of the image resized to ``size``.

    Raises:
        ImageError: Not in the same proportions.
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
