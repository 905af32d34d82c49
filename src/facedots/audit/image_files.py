"""What an image file really holds: format, channels, size, checksum and perceptual hash."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.geometry import Image
from facedots.io.images import decode_image, read_image_bytes

HASH_BITS = 256
"""Length of :func:`phash`."""

_FORMATS = {
    "JPEG": ((b"\xff\xd8\xff",), (".jpg", ".jpeg")),
    "PNG": ((b"\x89PNG",), (".png",)),
    "WebP": ((b"RIFF",), (".webp",)),
    "BMP": ((b"BM",), (".bmp",)),
    "TIFF": ((b"II*\0", b"MM\0*"), (".tif", ".tiff")),
}
"""First bytes and suffixes of each format."""

_HASH_SIDE, _THUMB_SIDE = 16, 64
_FLAT = 2.0  # gray levels; an image with a smaller deviation has no hash


@dataclass(frozen=True, eq=False)
class ImageFile:
    """One image file.

    Attributes:
        path: The file.
        sha256: Of its bytes.
        width: In pixels.
        height: In pixels.
        format: By the bytes, as in ``"PNG"``; ``"other"`` if unknown.
        mode: ``"gray"``, ``"RGB"`` or ``"RGBA"``.
        phash: ``bool (256,)``, see :func:`phash`.

    Example:
        >>> inspect_image(Path("face.jpg")).format  # doctest: +SKIP
        'JPEG'
    """

    path: Path
    sha256: str
    width: int
    height: int
    format: str
    mode: str
    phash: NDArray[np.bool_]

    @property
    def misnamed(self) -> bool:
        """The file's suffix belongs to another format than its bytes."""
        suffixes = _FORMATS[self.format][1] if self.format in _FORMATS else ()
        return self.path.suffix.lower() not in suffixes


def inspect_image(path: Path) -> ImageFile:
    """Read and decode a file, as stored.

    Raises:
        ImageError: The file is missing or cannot be decoded.
    """
    return load_image_file(path)[0]


def load_image_file(path: Path) -> tuple[ImageFile, Image]:
    """:func:`inspect_image`, and the decoded image as stored, RGB ``uint8 (H, W, 3)``.

    Raises:
        ImageError: The file is missing or cannot be decoded.
    """
    data = read_image_bytes(path)
    image = decode_image(data, orient=False, source=path)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    shape = image.shape if stored is None else stored.shape
    channels = shape[2] if len(shape) == 3 else 1
    formats = (name for name, (magic, _) in _FORMATS.items() if data.startswith(magic))
    file = ImageFile(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        width=image.shape[1],
        height=image.shape[0],
        format=next(formats, "other"),
        mode={1: "gray", 3: "RGB", 4: "RGBA"}.get(channels, f"{channels} channels"),
        phash=phash(image),
    )
    return file, image


def phash(image: Image) -> NDArray[np.bool_]:
    """Perceptual hash, ``bool (256,)``; all false for a flat image.

    Signs, relative to their median, of the lowest 16 x 16 DCT coefficients of a 64 px gray version,
    its mean aside: pHash (Zauner, 2010) with four times its bits, because frames of one video are
    more alike than photos.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    thumb = cv2.resize(gray, (_THUMB_SIDE, _THUMB_SIDE), interpolation=cv2.INTER_AREA)
    small = thumb.astype(np.float32)
    coefficients = cv2.dct(small)[:_HASH_SIDE, :_HASH_SIDE].ravel()
    if float(small.std()) < _FLAT:
        return np.zeros(HASH_BITS, bool)
    coefficients[0] = np.median(coefficients[1:])
    signs: NDArray[np.bool_] = coefficients > coefficients[0]
    return signs
