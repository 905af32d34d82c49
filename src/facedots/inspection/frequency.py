"""What a kernel detects, by its frequency response: the amplitude of its output for gratings of
each frequency (cycles per pixel, 0: a constant area) and direction.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Floats, check_shape

Kind = Literal["nothing", "blur", "brightness", "edge", "line", "spot"]

GRID = 64
"""Frequencies per side, from -0.5 up to 0.5; zero is in the middle, at index 32."""

MIN_DC = 0.5
"""A kernel whose response to a constant area exceeds this share of its peak detects brightness."""

MIN_SELECTIVITY = 0.3
"""Selectivity above which a kernel is oriented; a first derivative has 0.5, a second one 0.67, a
Laplacian 0.
"""


@dataclass(frozen=True)
class KernelDescription:
    """What a kernel responds to.

    Attributes:
        kind: ``"blur"``: constant areas, less the finer the pattern; ``"brightness"``: constant
            areas and fine patterns alike; ``"edge"`` or ``"line"``: in one direction; ``"spot"``:
            change in all directions alike; ``"nothing"``: all weights are zero.
        orientation: Of the edges or lines with the strongest response, in degrees in [0, 180),
            counter-clockwise as seen: 0 is horizontal, 90 vertical.
        selectivity: In [0, 1]: 1 for a response in one direction only, 0 if all are alike.
        dc: Response to a constant area over the peak response, in [0, 1].
        peak: Frequency of the peak response, cycles per pixel.
        odd: Share of the energy that changes sign under half a turn: 1 for an edge, 0 for a line.
    """

    kind: Kind
    orientation: float
    selectivity: float
    dc: float
    peak: float
    odd: float

    def __str__(self) -> str:
        oriented = f" {self.orientation:.0f}°" if self.kind in ("edge", "line") else ""
        return f"{self.kind}{oriented}"


def frequency_response(kernel: ArrayLike) -> Floats:
    """The amplitude ``float32 (GRID, GRID)`` of the output of a kernel ``(h, w)`` for a grating of
    each frequency; rows are fy, columns fx.

    >>> response = frequency_response([[-1, 0, 1]])  # 2 sin(2 pi fx), whatever fy
    >>> response[32, [32, 48]].round(3).tolist()
    [0.0, 2.0]
    """
    plane = np.asarray(check_shape(kernel, "h w", "kernel"), np.float64)
    return np.abs(np.fft.fftshift(np.fft.fft2(plane, (GRID, GRID)))).astype(np.float32)


def frequencies() -> NDArray[np.float64]:
    """The GRID frequencies of the columns, and of the rows, of :func:`frequency_response`."""
    return np.fft.fftshift(np.fft.fftfreq(GRID))


def describe_kernel(kernel: ArrayLike) -> KernelDescription:
    """Describe a kernel ``(h, w)`` by its frequency response.

    The orientation is the axis of the power in the frequency plane (its second circular moment) up
    to 0.5, weighted by the power spectrum of photographs, which falls with the square of the
    frequency (Field, J. Opt. Soc. Am. A 4, 1987).

    >>> str(describe_kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
    'edge 90°'
    >>> str(describe_kernel(np.ones((3, 3))))
    'blur'
    """
    plane = np.asarray(kernel, np.float64)
    response = frequency_response(plane).astype(np.float64)
    if not response.max() > 0:
        return KernelDescription("nothing", 0.0, 0.0, 0.0, 0.0, 0.0)
    fy, fx = np.meshgrid(frequencies(), frequencies(), indexing="ij")
    radius = np.hypot(fx, fy)
    inside = (radius > 0) & (radius < 0.5)
    power = np.divide(response**2, radius**2, out=np.zeros_like(response), where=inside)
    moment = (power * np.exp(2j * np.arctan2(fy, fx))).sum() / max(power.sum(), 1e-30)
    # Stripes are at right angles to the direction in which they vary; rows count downwards.
    orientation = float((90 - np.rad2deg(np.angle(moment)) / 2) % 180)
    selectivity = float(abs(moment))
    candidates = np.where(radius < 0.5, response, 0)
    peak = float(radius.flat[int(candidates.argmax())])
    dc = float(response[GRID // 2, GRID // 2] / candidates.max())
    odd = float((((plane - plane[::-1, ::-1]) / 2) ** 2).sum() / (plane**2).sum())
    fine = float(response[inside & (radius > 0.25)].mean() / candidates.max())
    kind: Kind
    if dc >= MIN_DC:
        kind = "blur" if fine < dc / 2 else "brightness"
    elif selectivity < MIN_SELECTIVITY:
        kind = "spot"
    else:
        kind = "edge" if odd > 0.5 else "line"
    return KernelDescription(kind, orientation, selectivity, dc, peak, odd)


def split_color(kernel: ArrayLike) -> tuple[Floats, Floats, float]:
    """The best approximation of a kernel ``(C, h, w)`` by one pattern times one color: the first
    term of its singular value decomposition, the color's largest weight positive.

    Returns:
        The color ``float32 (C,)`` of length 1, the pattern ``float32 (h, w)``, and the share of the
        kernel's energy in their product, in [0, 1].

    >>> color, pattern, share = split_color([[[3, 3]], [[-4, -4]]])
    >>> color.round(1), pattern.round(1), round(share, 3)
    (array([-0.6,  0.8], dtype=float32), array([[-5., -5.]], dtype=float32), 1.0)
    """
    planes = np.asarray(check_shape(kernel, "C h w", "kernel"), np.float64)
    left, values, right = np.linalg.svd(planes.reshape(len(planes), -1), full_matrices=False)
    color, pattern = left[:, 0], values[0] * right[0]
    sign = np.sign(color[np.abs(color).argmax()]) or 1.0
    energy = float((values**2).sum())
    share = float(values[0] ** 2 / energy) if energy else 0.0
    pattern = (sign * pattern).reshape(planes.shape[1:])
    return (sign * color).astype(np.float32), pattern.astype(np.float32), share
