"""What a kernel detects, measured by its frequency response: how strongly it answers gratings of
each fineness and direction.

Frequencies are in cycles a pixel: 0 is a plain area, 0.5 a pattern that changes from pixel to
pixel. NumPy only.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Floats, check_shape

Kind = Literal["nothing", "blur", "brightness", "edge", "line", "spot"]

GRID = 64
"""Frequencies a side, from -0.5 up to 0.5; zero stands in the middle, at index 32."""

PLAIN = 0.5
"""A kernel that answers a plain area by more than this, of its strongest answer, tells brightness,
not change.
"""

ORIENTED = 0.3
"""Selectivity above which a kernel counts as oriented. A slope in one direction has 0.5, a bend in
one direction 0.67: their powers go with the second and the fourth power of a cosine. A Laplacian
has 0.
"""


@dataclass(frozen=True)
class KernelDescription:
    """What a kernel answers to.

    Attributes:
        kind: ``"blur"``: plain areas, and less the finer the pattern; ``"brightness"``: plain areas
            and fine patterns alike; ``"edge"``: a step from dark to bright in one direction;
            ``"line"``: a thin line in one direction; ``"spot"``: change in all directions alike, as
            center against surround does; ``"nothing"``: all its weights are zero.
        orientation: Of the edges or lines that it answers most, in degrees in [0, 180),
            counter-clockwise as seen: 0 is horizontal, 90 vertical. Means little where
            ``selectivity`` is low.
        selectivity: In [0, 1]: 1 where it answers one direction only, 0 where all directions alike.
        plain: Answer to a plain area over the strongest answer, in [0, 1].
        peak: Frequency of the strongest answer, cycles a pixel.
        odd: Share of the kernel's energy that changes sign under half a turn, in [0, 1]; 1 for an
            edge, 0 for a line.
    """

    kind: Kind
    orientation: float
    selectivity: float
    plain: float
    peak: float
    odd: float

    def __str__(self) -> str:
        oriented = f" {self.orientation:.0f}°" if self.kind in ("edge", "line") else ""
        return f"{self.kind}{oriented}"


def frequency_response(kernel: ArrayLike) -> Floats:
    """The amplitude ``float32 (GRID, GRID)`` with which a grating of each frequency comes out; rows
    are fy, columns fx.

    Args:
        kernel: ``(h, w)``, no larger than the grid.

    >>> response = frequency_response([[-1, 0, 1]])  # 2 sin(2 pi fx), whatever fy
    >>> response[32, [32, 48]].round(3).tolist()
    [0.0, 2.0]
    """
    plane = np.asarray(check_shape(kernel, "h w", "kernel"), np.float64)
    return np.asarray(np.abs(np.fft.fftshift(np.fft.fft2(plane, (GRID, GRID)))), np.float32)


def frequencies() -> NDArray[np.float64]:
    """The GRID frequencies of the columns, and of the rows, of :func:`frequency_response`."""
    return np.asarray(np.fft.fftshift(np.fft.fftfreq(GRID)))


def describe_kernel(kernel: ArrayLike) -> KernelDescription:
    """What a kernel ``(h, w)`` answers to, from its frequency response alone.

    The orientation is the axis of the answer's power in the plane of frequencies (its second
    circular moment). Each frequency counts as much as photographs hold of it: their power falls
    with its square (Field, J. Opt. Soc. Am. A 4, 1987). Frequencies above 0.5, which only the
    corners of the plane hold, are left out, so that no direction is favored.

    >>> str(describe_kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])), str(describe_kernel(np.ones((3, 3))))
    ('edge 90°', 'blur')
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
    # The pattern's stripes are at right angles to the direction in which it varies; rows count
    # downwards.
    orientation = float((90 - np.rad2deg(np.angle(moment)) / 2) % 180)
    selectivity = float(abs(moment))
    strongest = np.where(radius < 0.5, response, 0)
    plain = float(response[GRID // 2, GRID // 2] / strongest.max())
    half_turned = plane[::-1, ::-1]
    odd = float((((plane - half_turned) / 2) ** 2).sum() / (plane**2).sum())
    fine = float(response[inside & (radius > 0.25)].mean() / strongest.max())
    kind: Kind
    if plain >= PLAIN:
        kind = "blur" if fine < plain / 2 else "brightness"
    elif selectivity < ORIENTED:
        kind = "spot"
    else:
        kind = "edge" if odd > 0.5 else "line"
    return KernelDescription(
        kind, orientation, selectivity, plain, float(radius.flat[int(strongest.argmax())]), odd
    )


def split_color(kernel: ArrayLike) -> tuple[Floats, Floats, float]:
    """A kernel over several channels ``(C, h, w)`` as one pattern times one color, as well as that
    goes.

    The largest term of its singular value decomposition; the signs are such that the color's
    largest weight is positive.

    Returns:
        The color ``float32 (C,)`` of length 1, the pattern ``float32 (h, w)``, and the share of the
        kernel's energy, in [0, 1], that their product holds.

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
    return (
        np.asarray(sign * color, np.float32),
        np.asarray(sign * pattern, np.float32).reshape(planes.shape[1:]),
        share,
    )
