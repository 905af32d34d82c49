"""Images from and to files. The bytes decide the format, never the file's name."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.errors import ImageError
from facedots.geometry import Image
from facedots.io.files import atomic_write
from facedots.io.guard import protect

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""File endings by which folders are searched; an explicitly named file may have any ending."""


def is_image_file(path: Path) -> bool:
    """Whether a searched file counts as an image: by its ending, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def decode_image(data: bytes, *, orient: bool = True, source: object = "image") -> Image:
    """The image in ``data`` as ``uint8 (H, W, 3)`` RGB; alpha is dropped, gray and 16-bit are
    converted.

    Args:
        data: The bytes of a JPEG, PNG, WebP, BMP or TIFF file.
        orient: Apply the EXIF orientation. Off for annotated data, whose points refer to stored
            pixels.
        source: The image's name in error messages.

    Raises:
        ImageError: OpenCV cannot decode the bytes.
    """
    buffer: NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    flags = cv2.IMREAD_COLOR if orient else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        decoded = cv2.imdecode(buffer, flags) if len(buffer) else None
    except cv2.error as error:
        raise ImageError(f"{source}: cannot be decoded: {error.err}") from error
    if decoded is None:
        raise ImageError(
            f"{source}: not an image that can be decoded (JPEG, PNG, WebP, BMP, TIFF); "
            "is the file complete?"
        )
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def read_image(path: str | Path, *, orient: bool = True) -> Image:
    """Read an image as ``uint8 (H, W, 3)`` RGB; see :func:`decode_image`.

    Raises:
        ImageError: The file is missing or cannot be decoded.
    """
    protect([path])
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
    return decode_image(data, orient=orient, source=path)


def write_image(path: str | Path, image: Image) -> None:
    """Write an RGB or gray image in the format of the path's ending, whole or not at all.

    Raises:
        ImageError: The ending is unknown.
        OutputError: The folder cannot be written.
    """
    target = Path(path)
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    try:
        done, encoded = cv2.imencode(target.suffix.lower(), stored)
    except cv2.error as error:
        raise ImageError(
            f"{target}: cannot be written as {target.suffix or 'a file without ending'}"
        ) from error
    if not done:
        raise ImageError(f"{target}: cannot be encoded")
    atomic_write(target, encoded.tobytes())


def sample_portrait() -> Path:
    """The path of matplotlib's sample portrait of Grace Hopper (U.S. Navy, public domain).

    matplotlib is located, not imported.

    Raises:
        ImageError: matplotlib, or the sample in it, is not installed.
    """
    spec = importlib.util.find_spec("matplotlib")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    path = folder / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    if not path.is_file():
        raise ImageError(
            "the sample portrait comes with matplotlib, which is not installed: "
            "pip install 'facedots[plots]', "
            "or take an image of your own: facedots predict FILE --out out"
        )
    return path
