"""What an image file really holds, its perceptual hash, and near duplicates among files."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Floats, Image
from facedots.io.images import decode_image, read_image, read_image_bytes
from facedots.io.tar_files import ImagePlace

MAX_HAMMING = 26
"""Largest Hamming distance of two near duplicates, of 256 bits; docs/audit.md says why."""

_FORMATS = {
    "JPEG": (rb"\xff\xd8\xff", (".jpg", ".jpeg", ".jpe", ".jfif")),
    "PNG": (rb"\x89PNG", (".png",)),
    "WebP": (rb"RIFF....WEBP", (".webp",)),
    "BMP": (rb"BM", (".bmp",)),
    "TIFF": (rb"II[*+]\0|MM\0[*+]", (".tif", ".tiff")),
    "GIF": (rb"GIF8", (".gif",)),
    "AVIF": (rb"....ftypavi[fs]", (".avif",)),
    "HEIC": (rb"....ftyp(he|mif1|msf1)", (".heic", ".heif")),
    "JPEG 2000": (rb"\0\0\0\x0cjP  ", (".jp2",)),
}
"""First bytes and suffixes of each format."""

_HASH_SIDE, _THUMB_SIDE = 16, 64
_FLAT = 2.0  # gray levels; an image with a smaller deviation has no hash
_BLOCK = 2048  # rows of a matrix of distances at a time


@dataclass(frozen=True, eq=False)
class ImageFile:
    """One image file.

    Attributes:
        path: The file, or its place in a pack.
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

    path: ImagePlace
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


def inspect_image(path: ImagePlace) -> ImageFile:
    """Read and decode a file, as stored.

    Raises:
        ImageError: The file is missing or cannot be decoded.
    """
    return load_image_file(path)[0]


def load_image_file(path: ImagePlace) -> tuple[ImageFile, Image]:
    """:func:`inspect_image`, and the decoded image as stored, RGB ``uint8 (H, W, 3)``."""
    data = read_image_bytes(path)
    image = decode_image(data, orient=False, source=path)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    shape = image.shape if stored is None else stored.shape
    channels = shape[2] if len(shape) == 3 else 1
    formats = (name for name, (magic, _) in _FORMATS.items() if re.match(magic, data, re.DOTALL))
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
        return np.zeros(_HASH_SIDE**2, bool)
    coefficients[0] = np.median(coefficients[1:])
    signs: NDArray[np.bool_] = coefficients > coefficients[0]
    return signs


@dataclass(frozen=True)
class DuplicatePair:
    """Two images that look the same.

    Attributes:
        first: Index of an image.
        second: Index of another, larger than ``first``.
        distance: Hamming distance of their perceptual hashes, 0 to 256.

    Example:
        >>> DuplicatePair(first=0, second=7, distance=4).distance
        4
    """

    first: int
    second: int
    distance: int


def find_near_duplicates(
    files: Sequence[ImageFile], max_distance: int = MAX_HAMMING
) -> list[DuplicatePair]:
    """All pairs of files with the same bytes, or hashes within ``max_distance``, in order.

    A flat image has no hash and matches only by its bytes.
    """
    if not files:
        return []
    hashes = np.stack([file.phash for file in files])
    signs = _signs(hashes) * hashes.any(axis=1, keepdims=True)
    content = np.unique([file.sha256 for file in files], return_inverse=True)[1]
    pairs: list[DuplicatePair] = []
    for rows, distances in _distance_blocks(signs):
        distances[content[rows, None] == content] = 0
        close = np.triu(distances <= max_distance, k=rows.start + 1)
        pairs += [
            DuplicatePair(rows.start + int(i), int(j), int(distances[i, j]))
            for i, j in zip(*np.nonzero(close), strict=True)
        ]
    return pairs


def nearest_distances(
    hashes: ArrayLike, groups: Sequence[str], across: bool = False
) -> NDArray[np.int64]:
    """Hamming distance from each hash to the nearest other one of its group.

    Args:
        hashes: ``bool (N, 256)``; all-false ones are passed over.
        groups: The group of each, as in the person shown.
        across: Search the other groups instead.

    Returns:
        ``int64 (M,)``, M <= N: only those for which there is another hash to compare with.
    """
    bits = np.asarray(hashes, bool)
    valid = np.flatnonzero(bits.any(axis=1))
    number = np.unique(np.asarray(groups, dtype=str)[valid], return_inverse=True)[1]
    nearest = np.full(len(valid), np.inf)
    for rows, distances in _distance_blocks(_signs(bits[valid])):
        candidates = (number[rows, None] != number) == across
        np.fill_diagonal(candidates[:, rows.start :], False)
        nearest[rows] = np.where(candidates, distances, np.inf).min(axis=1)
    return np.asarray(nearest[np.isfinite(nearest)], np.int64)


def reencoded_distances(files: Sequence[ImageFile]) -> NDArray[np.int64]:
    """Hamming distances ``(M,)`` of images to themselves as a poor JPEG, halved, and brighter; flat
    ones are passed over.
    """
    distances: list[int] = []
    for file in files:
        if file.phash.any():
            image = read_image(file.path, orient=False)
            data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
            half = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
            versions = (
                cv2.imdecode(data, cv2.IMREAD_COLOR),
                cv2.resize(image, half, interpolation=cv2.INTER_AREA),
                cv2.convertScaleAbs(image, alpha=1.25, beta=10),
            )
            hashes = (phash(np.asarray(version, np.uint8)) for version in versions)
            distances += [int((one != file.phash).sum()) for one in hashes]
    return np.array(distances, np.int64)


def _signs(hashes: NDArray[np.bool_]) -> Floats:
    return np.where(hashes, np.float32(1), np.float32(-1))


def _distance_blocks(signs: Floats) -> Iterator[tuple[slice, Floats]]:
    """Hamming distances ``(block, N)`` of signs ``(N, B)`` to all of them, some rows at a time."""
    for start in range(0, len(signs), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield rows, ((signs.shape[1] - signs[rows] @ signs.T) / 2).round()
