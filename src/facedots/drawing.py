"""Lines, polygons and discs at positions between pixels, drawn onto images in place."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Image

Color = tuple[int, int, int]
"""RGB, 0 to 255."""

FRACTION_BITS = 4
"""OpenCV's drawing takes whole numbers of 1/16 px; this is its argument ``shift``."""


def fixed_point(points: ArrayLike) -> NDArray[np.int32]:
    """Points ``(..., 2)`` in pixels as whole numbers of 1/16 px, clipped to OpenCV's range.

    >>> fixed_point([1.5, -0.25]).tolist()
    [24, -4]
    """
    scaled = np.asarray(points, np.float64) * (1 << FRACTION_BITS)
    return np.round(scaled).clip(-(2**19), 2**19 - 1).astype(np.int32)


def fixed_length(pixels: float) -> int:
    """A length in pixels as a whole number of 1/16 px, at least one."""
    return max(1, round(float(pixels) * (1 << FRACTION_BITS)))


def draw_line(
    image: NDArray[np.generic],
    points: ArrayLike,
    color: Sequence[float],
    width: int = 1,
    *,
    closed: bool = False,
    smooth: bool = True,
) -> None:
    """Draw a line ``width`` pixels thick through points ``(n, 2)``; ``smooth`` is anti-aliased."""
    kind = cv2.LINE_AA if smooth else cv2.LINE_8
    cv2.polylines(image, [fixed_point(points)], closed, color, width, kind, FRACTION_BITS)


def draw_polygons(
    image: NDArray[np.generic],
    polygons: Iterable[ArrayLike],
    color: Sequence[float],
    *,
    smooth: bool = True,
) -> None:
    """Fill closed polygons ``(n, 2)`` with their lines; where two overlap is a hole."""
    kind = cv2.LINE_AA if smooth else cv2.LINE_8
    cv2.fillPoly(image, list(map(fixed_point, polygons)), color, kind, FRACTION_BITS)


def draw_disc(
    image: Image, center: ArrayLike, radius: float, color: Sequence[float], width: int = -1
) -> None:
    """Fill a disc around ``(2,)``, or draw its outline ``width`` pixels thick."""
    x, y = fixed_point(center).tolist()
    length = fixed_length(radius)
    cv2.circle(image, (x, y), length, color, width, cv2.LINE_AA, FRACTION_BITS)
