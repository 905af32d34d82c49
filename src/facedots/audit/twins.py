"""Pictures that show nearly the same, whatever their size and encoding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALIKE = 26
"""Two pictures are near duplicates if their looks (:func:`facedots.audit.sights.look_of`) differ in at most so many of 256 bits.

Measured on 400 frames of YouTube faces and 400 photos of 300-W: a picture and itself as JPEG of quality 30 differ by at most 14
bits, at half or twice its size by 6, brighter by a quarter or with a gamma of 0.7 by 26. Over all 8.9 million pairs of frames of
different people of YouTube faces the smallest difference is 60, one pair in 100,000 is below 80. Between lie frames of one video:
half of the pairs below 72, a twentieth below 16. Pairs of 300-W below 26 under different names are, looked at, the same photo
or the next of a series. A picture cut by 5 % on two sides differs by 76 and is not found.
"""

_BLOCK = 2048


@dataclass(frozen=True)
class Twin:
    """Two pictures that look the same.

    Attributes:
        first: Index of a picture.
        second: Index of another, larger than ``first``.
        bits: How much their looks differ, 0 to 256.
    """

    first: int
    second: int
    bits: int


def find_twins(looks: ArrayLike, most: int = ALIKE) -> list[Twin]:
    """All pairs of looks ``bool (N, B)`` that differ in at most so many bits, in their order; one that is all false has none."""
    given = np.asarray(looks, bool)
    signs = np.where(given, 1, -1).astype(np.float32) * given.any(axis=1, keepdims=True)
    least = signs.shape[1] - 2 * most
    twins: list[Twin] = []
    for start in range(0, len(signs), _BLOCK):
        agreement = signs[start : start + _BLOCK] @ signs.T
        rows, columns = np.nonzero(np.triu(agreement >= least, k=start + 1))
        bits = ((signs.shape[1] - agreement[rows, columns]) / 2).round().astype(int)
        twins += [Twin(start + int(i), int(j), int(b)) for i, j, b in zip(rows, columns, bits, strict=True)]
    return twins


def nearest(looks: ArrayLike, groups: Sequence[str], others: bool) -> NDArray[np.int64]:
    """How many bits the nearest look differs from each look that has one: among other groups, or in its own.

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
