"""What the finder's network has to answer on a canvas."""

from dataclasses import dataclass

import numpy as np

from facedots.detection.base import square_boxes
from facedots.detection.finder import SIDES, STRIDE, UNIT
from facedots.geometry import Floats

_HEAT_SIGMA = 0.12
"""Standard deviation of a face's heat over the side of its square, …"""
_SMALLEST_SIGMA = 0.55
"""… and its least value in cells."""
_REGRESSED_HEAT = 0.5
"""Cells with this much of a face's heat learn its square, …"""
_COUNTED_HEAT = 0.3
"""… and those with this much count even where something is ignored."""
DOUBTFUL_SIDES = SIDES[0] / 1.4, SIDES[1] * 1.4
"""Faces between these sides and those to find are not counted, but learn their square: a view that
shows them must not find a smaller one that competes with that of the next view."""


@dataclass(frozen=True)
class FinderTargets:
    """Targets of one canvas, for H x W cells.

    Attributes:
        heat: ``float32 (H, W)``, 1 in the cell of a face's center, falling off around it
            (CenterNet, Zhou et al. 2019, arXiv:1904.07850).
        counted: ``float32 (H, W)``, 0 where a face is neither wanted nor wrong.
        square: ``float32 (5, H, W)``: center relative to the cell's, in cells (x, y); logarithm of
            the side over :data:`~facedots.detection.finder.UNIT`; cosine and sine of the roll, 0
            where unknown.
        regressed: ``float32 (H, W)``, 1 where ``square`` is known.
    """

    heat: Floats
    counted: Floats
    square: Floats
    regressed: Floats


def finder_targets(squares: Floats, ignore: Floats, size: int) -> FinderTargets:
    """The targets of a canvas.

    Args:
        squares: Tilted squares ``(N, 4)`` of the faces; the roll is NaN where unknown. Sides
            outside :data:`~facedots.detection.finder.SIDES` are not counted, far larger ones are
            none.
        ignore: Boxes ``(M, 4)`` that are not counted.
        size: Side of the canvas in pixels.

    >>> targets = finder_targets(np.array([[35, 27, 32, 0]], np.float32), np.zeros((0, 4)), 64)
    >>> np.argwhere(targets.heat == 1).tolist(), targets.square[:, 3, 4].tolist()
    ([[3, 4]], [-0.0625, -0.0625, 0.0, 1.0, 0.0])
    """
    cells = size // STRIDE
    centers = np.arange(cells, dtype=np.float32) * STRIDE + (STRIDE - 1) / 2
    heat, counted = np.zeros((cells, cells), np.float32), np.ones((cells, cells), np.float32)
    square, regressed = np.zeros((5, cells, cells), np.float32), np.zeros_like(heat)
    wanted = (squares[:, 2] >= SIDES[0]) & (squares[:, 2] <= SIDES[1])
    doubtful = ~wanted & (squares[:, 2] < DOUBTFUL_SIDES[1])
    margin = STRIDE / 2
    for x0, y0, x1, y1 in np.concatenate([ignore, square_boxes(squares[doubtful])]):
        rows = (centers >= y0 - margin) & (centers <= y1 + margin)
        columns = (centers >= x0 - margin) & (centers <= x1 + margin)
        counted[np.ix_(rows, columns)] = 0
    known = wanted | (doubtful & (squares[:, 2] > DOUBTFUL_SIDES[0]))
    for (x, y, side, roll), is_wanted in zip(squares[known], wanted[known], strict=True):
        right, down = (x - centers) / STRIDE, (y - centers) / STRIDE
        sigma = max(_HEAT_SIGMA * side / STRIDE, _SMALLEST_SIGMA)
        own = np.exp((right[None] ** 2 + down[:, None] ** 2) / (-2 * sigma**2))
        own[np.abs(down).argmin(), np.abs(right).argmin()] = 1.0
        best = (own > heat) & (own >= _REGRESSED_HEAT)
        rows, columns = np.nonzero(best)
        angle = np.deg2rad(roll)
        turn = (np.cos(angle), np.sin(angle)) if np.isfinite(roll) else (0.0, 0.0)
        square[0, rows, columns], square[1, rows, columns] = right[columns], down[rows]
        square[2:, rows, columns] = np.array([[np.log(side / UNIT)], [turn[0]], [turn[1]]])
        regressed[best] = 1.0
        if is_wanted:
            counted[own > _COUNTED_HEAT] = 1.0
            heat = np.maximum(heat, own.astype(np.float32))
    return FinderTargets(heat, counted, square, regressed)
