"""Smooth, anti-aliased strokes through points that lie between pixels."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.drawing import FRACTION_BITS, draw_disc, fixed_point
from facedots.geometry import Image, Matrix

Color = tuple[float, ...]


class Canvas:
    """An image to paint on, in place.

    Args:
        image: ``uint8 (H, W, 3)``.
        unit: Pixels to a unit of length, in which radii and thicknesses are given; points are in
            pixels.
    """

    def __init__(self, image: Image, unit: float) -> None:
        self.image = image
        self.unit = unit

    def area(self, points: Matrix, color: Color, *, smooth: bool = True) -> None:
        """Fill a closed line, curved through its points or straight between them."""
        cv2.fillPoly(
            self.image,
            [fixed_curve(points, closed=True, smooth=smooth)],
            color,
            cv2.LINE_AA,
            FRACTION_BITS,
        )

    def line(self, points: Matrix, color: Color, thickness: float, *, closed: bool = False) -> None:
        """Draw a curve through the points."""
        pixels = max(1, round(thickness * self.unit))
        cv2.polylines(
            self.image,
            [fixed_curve(points, closed=closed)],
            closed,
            color,
            pixels,
            cv2.LINE_AA,
            FRACTION_BITS,
        )

    def disc(self, center: Matrix, radius: float, color: Color) -> None:
        """Fill a circle."""
        draw_disc(self.image, center, radius * self.unit, color)

    def take(self, other: "Canvas", within: Matrix) -> None:
        """Take over what another canvas shows inside a closed curve."""
        mask: Image = np.zeros(self.image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [fixed_curve(within, closed=True)], 255, cv2.LINE_AA, FRACTION_BITS)
        x, y, width, height = cv2.boundingRect(mask)
        part = np.s_[y : y + height, x : x + width]
        share = mask[part][..., None] / np.float32(255)
        self.image[part] = self.image[part] * (1 - share) + other.image[part] * share

    def shade(self, areas: list[tuple[Matrix, float]]) -> None:
        """Lighten or darken inside closed curves by a factor, with soft borders."""
        light = np.ones(self.image.shape[:2], np.float32)
        for points, factor in areas:
            cv2.fillPoly(
                light, [fixed_curve(points, closed=True)], factor, cv2.LINE_8, FRACTION_BITS
            )
        soft = np.asarray(cv2.GaussianBlur(light, (0, 0), 0.07 * self.unit), np.float32)
        shaded = self.image * soft[..., None]
        self.image[:] = np.clip(shaded, 0, 255, out=shaded)


def fixed_curve(points: Matrix, *, closed: bool, smooth: bool = True) -> NDArray[np.int32]:
    """The line through the points (n, 2) as OpenCV wants it: whole numbers of 1/16 px."""
    line = curve(points, closed=closed) if smooth else points
    return fixed_point(line)


def curve(points: Matrix, *, closed: bool) -> Matrix:
    """A Catmull-Rom curve, six steps a span: it goes through every point (n, 2), which stand at
    every sixth place.
    """
    return np.asarray(_weights(len(points), closed) @ points)


@lru_cache
def _weights(count: int, closed: bool, steps: int = 6) -> Matrix:
    """Share (steps * spans, count) of each point in each step of the curve."""
    spans = count if closed else count - 1
    t = np.arange(steps) / steps
    basis = (
        np.stack(
            [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2],
            axis=1,
        )
        / 2
    )
    weights = np.zeros((spans * steps + (not closed), count))
    for span in range(spans):
        for offset in range(4):
            point = span + offset - 1
            point = point % count if closed else min(max(point, 0), count - 1)
            weights[span * steps : (span + 1) * steps, point] += basis[:, offset]
    if not closed:
        weights[-1, -1] = 1
    return weights
