"""Near duplicates: pairs of images whose perceptual hashes differ in few bits."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.audit.image_files import ImageFile, phash
from facedots.geometry import Image
from facedots.io.images import read_image

MAX_HAMMING = 26
"""Largest Hamming distance of two near duplicates, of 256 bits; docs/audit.md says why."""

_BLOCK = 2048


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
    for start in range(0, len(signs), _BLOCK):
        rows = slice(start, start + _BLOCK)
        distances = _distances(signs[rows], signs)
        distances[content[rows, None] == content] = 0
        close = np.triu(distances <= max_distance, k=start + 1)
        pairs += [
            DuplicatePair(start + int(i), int(j), int(distances[i, j]))
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
    signs = _signs(bits[valid])
    number = np.unique(np.asarray(groups, dtype=str)[valid], return_inverse=True)[1]
    nearest = np.full(len(valid), np.inf)
    for start in range(0, len(valid), _BLOCK):
        rows = slice(start, start + _BLOCK)
        candidates = (number[rows, None] != number) == across
        np.fill_diagonal(candidates[:, start:], False)
        distances = np.where(candidates, _distances(signs[rows], signs), np.inf)
        nearest[rows] = distances.min(axis=1)
    result: NDArray[np.int64] = nearest[np.isfinite(nearest)].astype(np.int64)
    return result


def reencoded_distances(files: Sequence[ImageFile]) -> NDArray[np.int64]:
    """Hamming distances ``(M,)`` of images to themselves as a poor JPEG, halved, and brighter.

    Flat images are passed over.
    """
    distances: list[int] = []
    for file in files:
        if file.phash.any():
            versions = _reencoded(read_image(file.path, orient=False))
            distances += [int((phash(image) != file.phash).sum()) for image in versions]
    return np.array(distances, np.int64)


def _reencoded(image: Image) -> list[Image]:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    half = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
    versions = (
        cv2.imdecode(data, cv2.IMREAD_COLOR),
        cv2.resize(image, half, interpolation=cv2.INTER_AREA),
        cv2.convertScaleAbs(image, alpha=1.25, beta=10),
    )
    return [np.asarray(version, np.uint8) for version in versions]


def _signs(hashes: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(hashes, np.float32(1), np.float32(-1))


def _distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hamming distances ``(N, M)`` of signs ``(N, B)`` and ``(M, B)``."""
    distances: NDArray[np.float32] = ((first.shape[1] - first @ second.T) / 2).round()
    return distances
