"""What image files really are, and which of them show the same: bytes, sizes, formats, look-alikes."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.errors import ImageError
from facedots.geometry import Image
from facedots.io.images import decode_image, read_image

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"RIFF": "WebP",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
_ENDINGS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WebP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_THUMB = 16

MAX_GRAY_DIFFERENCE = 8
"""Two images look alike if no pixel of their slightly blurred gray versions differs by more than
this, of 255.

Measured on YouTube faces: the training copies of two test frames that were published byte for byte
the same, re-encoded as JPEG, differ by 1; frames of a still video by 2-8, where the eye sees no
difference.
"""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """One image file.

    Attributes:
        path: The file.
        sha256: Of its bytes.
        width: In pixels.
        height: In pixels.
        format: What the bytes are, as in ``"PNG"``.
        mode: ``"gray"``, ``"RGB"`` or ``"RGBA"``.
        thumb: ``float32 (256,)``, gray levels of a tiny version, to find look-alikes.
    """

    path: Path
    sha256: str
    width: int
    height: int
    format: str
    mode: str
    thumb: NDArray[np.float32]

    @property
    def misnamed(self) -> bool:
        """The file's ending says another format than its bytes."""
        return _ENDINGS.get(self.path.suffix.lower()) != self.format


def inspect_image(path: Path) -> ImageFile:
    """Read and decode a file, as stored.

    Raises:
        ImageError: It is missing or cannot be decoded.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
    image = decode_image(data, orient=False, source=path)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    channels = 1 if stored is None or stored.ndim == 2 else stored.shape[2]
    thumb = cv2.resize(_gray(image), (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
    return ImageFile(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        width=image.shape[1],
        height=image.shape[0],
        format=next((name for magic, name in _MAGIC.items() if data.startswith(magic)), "other"),
        mode={1: "gray", 3: "RGB", 4: "RGBA"}.get(channels, f"{channels} channels"),
        thumb=np.asarray(thumb, np.float32).ravel(),
    )


def look_alikes(files: Sequence[ImageFile]) -> list[tuple[ImageFile, ImageFile]]:
    """Pairs of files whose images look the same, see :data:`MAX_GRAY_DIFFERENCE`, whatever their
    encoding. Opens the few candidates again.
    """
    sizes: defaultdict[tuple[int, int], list[ImageFile]] = defaultdict(list)
    for file in files:
        sizes[file.width, file.height].append(file)
    return [
        pair
        for group in sizes.values()
        for pair in _candidates(group)
        if _differ_by(*pair) <= MAX_GRAY_DIFFERENCE
    ]


def _candidates(group: list[ImageFile]) -> list[tuple[ImageFile, ImageFile]]:
    """Pairs of images of one size whose tiny versions allow that they look alike."""
    ordered = sorted(group, key=lambda file: float(file.thumb.mean()))
    means = np.array([file.thumb.mean() for file in ordered])
    pairs: list[tuple[ImageFile, ImageFile]] = []
    for i, file in enumerate(ordered):
        near = ordered[
            i + 1 : int(np.searchsorted(means, means[i] + MAX_GRAY_DIFFERENCE, side="right"))
        ]
        if near:
            gaps = np.abs(np.stack([other.thumb for other in near]) - file.thumb).max(axis=1)
            pairs += [
                (file, other)
                for other, gap in zip(near, gaps, strict=True)
                if gap <= MAX_GRAY_DIFFERENCE
            ]
    return pairs


def _differ_by(first: ImageFile, second: ImageFile) -> int:
    """The largest difference of gray levels; a slight blur takes out what an encoder adds."""
    if first.sha256 == second.sha256:
        return 0
    blurred = [
        cv2.GaussianBlur(_gray(read_image(file.path, orient=False)), (0, 0), 1)
        for file in (first, second)
    ]
    return int(cv2.absdiff(*blurred).max())


def _gray(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


MAX_HAMMING = 26
"""Two images are near duplicates if their looks (:func:`facedots.audit.scan.look_of`) differ in at
most so many of 256 bits.

Measured on 400 frames of YouTube faces and 400 photos of 300-W: an image and itself as JPEG of
quality 30 differ by at most 14 bits, at half or twice its size by 6, brighter by a quarter or with
a gamma of 0.7 by 26. Over all 8.9 million pairs of frames of different people of YouTube faces the
smallest difference is 60, one pair in 100,000 is below 80. Between lie frames of one video: half of
the pairs below 72, a twentieth below 16. Pairs of 300-W below 26 under different names are, looked
at, the same photo or the next of a series. An image cut by 5 % on two sides differs by 76 and is
not found.
"""

_BLOCK = 2048


@dataclass(frozen=True)
class DuplicatePair:
    """Two images that look the same.

    Attributes:
        first: Index of an image.
        second: Index of another, larger than ``first``.
        bits: How much their looks differ, 0 to 256.
    """

    first: int
    second: int
    bits: int


def find_near_duplicates(looks: ArrayLike, most: int = MAX_HAMMING) -> list[DuplicatePair]:
    """All pairs of looks ``bool (N, B)`` that differ in at most so many bits, in their order; one
    that is all false has none.
    """
    given = np.asarray(looks, bool)
    signs = np.where(given, 1, -1).astype(np.float32) * given.any(axis=1, keepdims=True)
    least = signs.shape[1] - 2 * most
    duplicates: list[DuplicatePair] = []
    for start in range(0, len(signs), _BLOCK):
        agreement = signs[start : start + _BLOCK] @ signs.T
        rows, columns = np.nonzero(np.triu(agreement >= least, k=start + 1))
        bits = ((signs.shape[1] - agreement[rows, columns]) / 2).round().astype(int)
        duplicates += [
            DuplicatePair(start + int(i), int(j), int(b))
            for i, j, b in zip(rows, columns, bits, strict=True)
        ]
    return duplicates


def nearest(looks: ArrayLike, groups: Sequence[str], others: bool) -> NDArray[np.int64]:
    """How many bits the nearest look differs from each look that has one: among other groups, or in
    its own.

    Args:
        looks: N looks; those that are all false are passed over.
        groups: The group of each, as in the person that it shows.
        others: Whether to search the other groups.
    """
    given = np.asarray(looks, bool)
    some = np.flatnonzero(given.any(axis=1))
    signs = np.where(given[some], 1, -1).astype(np.float32)
    number = np.unique(np.asarray(groups, dtype=str)[some], return_inverse=True)[1]
    best = np.full(len(some), -np.inf)
    for start in range(0, len(some), _BLOCK):
        agreement = signs[start : start + _BLOCK] @ signs.T
        allowed = (number[start : start + _BLOCK, None] != number) == others
        rows = np.arange(len(agreement))
        allowed[rows, start + rows] = False
        best[start : start + _BLOCK] = np.where(allowed, agreement, -np.inf).max(axis=1)
    found = best[np.isfinite(best)]
    return np.asarray(((signs.shape[1] - found) / 2).round().astype(np.int64))
