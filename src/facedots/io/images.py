"""Images from and to files. The bytes decide the format, never the file's name."""

import importlib.util
import io
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.errors import ImageError, explain_missing_extra
from facedots.geometry import Image
from facedots.io.files import atomic_write, protect
from facedots.io.headers import avif_turns, header_size, is_heif, most_pixels
from facedots.types import check_image

OUTPUT_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""File endings that a new image takes over from its source; for others it is ``.png``."""
SUFFIXES = OUTPUT_SUFFIXES | {".avif", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe"}
"""File endings by which folders are searched; an explicitly named file may have any ending."""

_FORMATS = "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, HEIC, JPEG 2000"
_BYTES_PER_PIXEL, _SPARE_BYTES = 8, 256 << 20
"""Most bytes of a file: what its pixels can need, and room for further images and films in it."""
_PIPES = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def decode_image(
    data: bytes, *, orient: bool = True, source: object = "image", max_pixels: int | None = None
) -> Image:
    """The image in ``data`` as ``uint8 (H, W, 3)`` RGB; alpha is dropped (a TIFF of 8 bits is shown
    on black), gray and 16-bit are converted; of several images the first is taken.

    Args:
        data: The bytes of a JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, JPEG 2000 or, with the extra
            ``heif``, HEIC file.
        orient: Apply the orientation that EXIF or AVIF state. Off for annotated data, whose points
            refer to stored pixels.
        source: The image's name in error messages.
        max_pixels: Images with more are refused by their header, before anything is decoded; None
            for 100 megapixels.

    Raises:
        ImageError: The bytes cannot be decoded, or the image is too large.
        MissingExtra: It is HEIC, and ``pi-heif`` is not installed.
    """
    _check_size(io.BytesIO(data), source, max_pixels)
    if is_heif(data[:1024]):
        return _decode_heif(data, source)
    buffer: NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    turns = avif_turns(data)
    flags = cv2.IMREAD_COLOR_RGB if turns is None else cv2.IMREAD_COLOR
    try:
        decoded = cv2.imdecode(buffer, flags if orient else flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ImageError(f"{source}: cannot be decoded: {error.err}") from error
    if decoded is None:
        raise ImageError(_not_an_image(source))
    if turns is None:
        return np.asarray(decoded, np.uint8)
    return _avif_pixels(decoded, turns if orient else (0, ""))


def _avif_pixels(decoded: NDArray[Any], turns: tuple[int, str]) -> Image:
    """What OpenCV leaves to do: it exchanges colors where IMREAD_COLOR_RGB meets alpha, and turns
    nothing.
    """
    quarters, axis = turns
    shown = np.rot90(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), quarters)
    mirrored = {"": shown, "x": shown[:, ::-1], "y": shown[::-1]}[axis]
    return np.ascontiguousarray(mirrored, np.uint8)


def _decode_heif(data: bytes, source: object) -> Image:
    """The primary image, upright: the format itself says how to turn it, whatever EXIF data say."""
    library = _pi_heif()
    try:
        file = library.open_heif(data, convert_hdr_to_8bit=True)
        if file.mode not in {"RGB", "RGBA", "L"}:
            raise ValueError(f"mode {file.mode}")
        pixels = np.asarray(file)
    except (ValueError, EOFError, OSError, RuntimeError, SyntaxError, IndexError) as error:
        raise ImageError(f"{source}: HEIF that cannot be decoded: {error}") from error
    color = pixels[..., :3] if file.mode != "L" else np.dstack([pixels] * 3)
    return np.ascontiguousarray(color, np.uint8)


def _pi_heif() -> Any:
    with explain_missing_extra():
        import pi_heif
    return pi_heif


class StoredFile(Protocol):
    """A file that has no path, such as one in an archive; ``str()`` is its name in messages."""

    def read_bytes(self) -> bytes:
        """Its bytes."""


def read_image(
    path: str | Path | StoredFile, *, orient: bool = True, max_pixels: int | None = None
) -> Image:
    """Read an image as ``uint8 (H, W, 3)`` RGB; see :func:`decode_image` for the arguments and
    errors. A file that is missing, or none, is an :class:`ImageError` too.
    """
    data = read_image_bytes(path, max_pixels=max_pixels)
    return decode_image(data, orient=orient, source=path, max_pixels=max_pixels)


def read_image_bytes(path: str | Path | StoredFile, *, max_pixels: int | None = None) -> bytes:
    """The bytes of an image file, of which no more is read than an image can need; raises
    :class:`ImageError` as :func:`read_image` does.
    """
    if not isinstance(path, str | Path):
        data = path.read_bytes()
        _check_size(io.BytesIO(data), path, max_pixels)
        return data
    protect([path])
    try:
        kind = Path(path).stat().st_mode
        if stat.S_ISFIFO(kind) and str(path).startswith(_PIPES):
            with Path(path).open("rb") as pipe:
                data = pipe.read(_SPARE_BYTES)
            _check_size(io.BytesIO(data), path, max_pixels)
            return data
        if not stat.S_ISREG(kind):
            raise ImageError(f"{path}: cannot be read: {file_kind(kind)}, not a file")
        with Path(path).open("rb") as file:
            width, height = _check_size(file, path, max_pixels)
            size = os.fstat(file.fileno()).st_size
            most = width * height * _BYTES_PER_PIXEL + _SPARE_BYTES
            if size > most:
                fault = f"{size >> 20} MB, too many for {width} x {height} pixels"
                raise ImageError(f"{path}: {fault}; is it damaged? Save it anew")
            file.seek(0)
            return file.read(most)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"{path}: cannot be read: {reason}") from error


def _check_size(file: BinaryIO, source: object, max_pixels: int | None) -> tuple[int, int]:
    size = header_size(file)
    if size is None:
        file.seek(0)
        if is_heif(file.read(1024)):
            _pi_heif()  # what is missing is said first
        raise ImageError(_not_an_image(source))
    width, height = size
    limit = most_pixels() if max_pixels is None else max_pixels
    if width * height > limit:
        fault = f"{width} x {height} pixels, {width * height / 1e6:.0f} megapixels"
        fix = "reduce it, or raise --max-pixels (max_pixels)"
        raise ImageError(f"{source}: {fault}; the limit is {limit / 1e6:g}: {fix}")
    return size


def _not_an_image(source: object) -> str:
    fault = f"{source}: not an image that can be decoded ({_FORMATS})"
    return f"{fault}; is the file complete? For videos: facedots video, which does not anonymize"


def file_kind(mode: int) -> str:
    """What a path is that is no file, by its ``st_mode``."""
    names = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return names.get(stat.S_IFMT(mode), "a device")


def write_image(path: str | Path, image: Image) -> None:
    """Write an RGB or gray image in the format of the path's ending, whole or not at all.

    Raises:
        ShapeError: It is neither ``uint8 (H, W, 3)`` nor ``uint8 (H, W)``.
        ImageError, OutputError: The ending is unknown; the file cannot be written.
    """
    target = Path(path)
    is_gray = isinstance(image, np.ndarray) and image.ndim == 2 and image.dtype == np.uint8
    stored = image if is_gray else cv2.cvtColor(check_image(image), cv2.COLOR_RGB2BGR)
    try:
        done, encoded = cv2.imencode(target.suffix.lower(), stored)
    except cv2.error as error:
        kind = target.suffix or "a file without ending"
        raise ImageError(f"{target}: cannot be written as {kind}") from error
    if not done:
        raise ImageError(f"{target}: cannot be encoded")
    atomic_write(target, encoded.tobytes())


def sample_portrait() -> Path:
    """The path of matplotlib's sample portrait of Grace Hopper (U.S. Navy, public domain).

    Raises:
        ImageError: matplotlib, or the sample in it, is not installed.
    """
    spec = importlib.util.find_spec("matplotlib")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    path = folder / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    if not path.is_file():
        fix = "pip install 'facedots[plots]', or take an image of your own: facedots predict FILE"
        fault = "the sample portrait comes with matplotlib, which is not installed"
        raise ImageError(f"{fault}: {fix} --out out")
    return path
