"""One-Euro smoothing of keypoints in video, in the face's own coordinates.

The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012, doi:10.1145/2207676.2208639) is a low-pass
whose cutoff rises with speed: noise goes at rest, motion stays prompt. Filtering pixels directly
would make every point of a moving head fast, hence noisy or late. Each frame is therefore split
into the head's motion (the similarity from the track's first frame) and the residual shape, each
with its own filter. The motion filter has a constant-velocity model, so steady motion has no lag.
Measured in docs/experiments.md, "Tracking".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.errors import PointsError
from facedots.geometry import Floats, Matrix, fit_similarity

_Complex = NDArray[np.complex128]

MAX_GAP = 0.5
"""Seconds without a face after which the filters restart."""


@dataclass(frozen=True)
class OneEuroParams:
    """Parameters of a :class:`OneEuroFilter`.

    Attributes:
        min_cutoff: Cutoff at rest in Hz; lower is smoother.
        beta: Rise of the cutoff with speed, Hz per unit per second; higher is prompter.
        speed_cutoff: Cutoff of the speed's own low-pass in Hz.
        constant_velocity: Predict by constant velocity; only deviations count as speed.

    Example:
        >>> FaceSmoother(shape=OneEuroParams(min_cutoff=0.3, beta=5.0))  # doctest: +ELLIPSIS
        <...FaceSmoother object at ...>
    """

    min_cutoff: float
    beta: float
    speed_cutoff: float = 3.0
    constant_velocity: bool = False


SHAPE = OneEuroParams(min_cutoff=0.5, beta=5.0)
MOTION = OneEuroParams(min_cutoff=1.0, beta=10.0, speed_cutoff=2.0, constant_velocity=True)

_TYPICAL_SIGMA = 0.035
"""Eye distances; points with a smaller sigma are filtered less, others more."""

_EYES_OVER_RADIUS = 1.6
"""Outer-eye distance over the points' RMS distance from their mean, the median of 300-W. The eye
distance itself nearly vanishes in a profile.
"""

_MIN_STEP = 1e-3


class OneEuroFilter:
    """Filters several values over time; a missing value (NaN) restarts when it returns.

    Values are complex, x + iy, so that a point has one speed in every direction.
    """

    def __init__(self, params: OneEuroParams) -> None:
        self._params = params
        self._value: _Complex | None = None
        self._speed: _Complex
        self._velocity: _Complex

    def __call__(
        self, value: _Complex, step: float, trust: float | Matrix = 1.0, unit: float | Matrix = 1.0
    ) -> _Complex:
        """The filtered values, ``complex128 (N,)``.

        Args:
            value: Values of this frame, ``complex128 (N,)``.
            step: Seconds since the last frame.
            trust: Factor of the cutoff, scalar or ``(N,)``.
            unit: Unit of speed, scalar or ``(N,)``.
        """
        if self._value is None:
            self._value, self._speed = value, np.zeros_like(value)
            self._velocity = np.zeros_like(value)
            return value
        params = self._params
        valid = ~np.isnan(self._value) & ~np.isnan(value)
        expected = np.where(valid, self._value + self._velocity * step, value)
        innovation = np.nan_to_num(value - expected)
        change = _gain(params.speed_cutoff, step) * (innovation / step - self._speed)
        self._speed = np.where(valid, self._speed + change, 0)
        cutoff = params.min_cutoff + params.beta * np.abs(self._speed) / unit
        gain = _gain(cutoff * trust, step)
        if params.constant_velocity:  # Benedict and Bordner's (1962) velocity gain.
            change = gain**2 / (2 - gain) * innovation / step
            self._velocity = np.where(valid, self._velocity + change, 0)
        self._value = expected + gain * innovation
        return self._value


class FaceSmoother:
    """Smooths the points of one face through a video.

    Args:
        shape: Filter of the residual shape, in outer-eye distances.
        motion: Filter of the head's motion: position in eye distances, rotation in radians, log of
            the size.

    Example:
        >>> smoother = FaceSmoother()
        >>> square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32)
        >>> for frame in range(60):
        ...     smooth = smoother(square + frame, np.full(4, np.nan), frame / 30)
        >>> bool(np.abs(smooth - (square + 59)).max() < 0.05)
        True
    """

    def __init__(self, shape: OneEuroParams = SHAPE, motion: OneEuroParams = MOTION) -> None:
        self._params = shape, motion
        self._time = -np.inf
        self._reference: _Complex | None = None

    def __call__(self, points: Floats, sigma: ArrayLike, time: float) -> Floats:
        """The smoothed points ``float32 (K, 2)`` of this frame.

        Args:
            points: Predicted points ``(K, 2)`` in pixels; missing ones (NaN) stay missing.
            sigma: One standard deviation per point, ``(K,)`` in pixels; NaN where unknown.
            time: Seconds, rising from frame to frame.
        """
        current: _Complex = points[:, 0].astype(np.float64) + 1j * points[:, 1]
        if self._reference is None or not 0 <= time - self._time <= MAX_GAP:
            self._reference, self._angle = _normalized(current), 0.0
            self._shape, self._motion = (OneEuroFilter(params) for params in self._params)
        try:
            matrix = fit_similarity(_real(self._reference), _real(current))
        except PointsError:
            matrix = np.zeros((2, 3))
        zoom, shift = complex(*matrix[:, 0]), complex(*matrix[:, 2])
        if not abs(zoom) > 0:
            self._reference = None
            return points
        step, self._time = float(np.clip(time - self._time, _MIN_STEP, MAX_GAP)), time
        # Unwrapped: without jumps by a whole turn.
        self._angle += (np.angle(zoom) - self._angle + np.pi) % (2 * np.pi) - np.pi
        trust = _trust(np.asarray(sigma, np.float64) / abs(zoom))
        motion = np.array([shift, np.log(abs(zoom)) + 1j * self._angle])
        units = np.array([abs(zoom), 1.0])
        position, log_zoom = self._motion(motion, step, float(trust.mean()), units)
        shape = self._shape((current - shift) / zoom, step, trust)
        smooth = np.exp(log_zoom) * shape + position
        return _real(smooth).astype(np.float32)


def _real(points: _Complex) -> Matrix:
    """Complex points ``(K,)`` as ``(K, 2)``."""
    return np.stack([points.real, points.imag], axis=1)


def _gain(cutoff: float | Matrix, step: float) -> float | Matrix:
    """The share of a new value that a low-pass lets through."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)


def _trust(sigma: Matrix) -> Matrix:
    """Factors of the cutoff from sigmas in eye distances; 1 where unknown."""
    ratio = _TYPICAL_SIGMA / np.maximum(sigma, 1e-6)
    return np.clip(np.nan_to_num(ratio, nan=1.0), 0.5, 2.0)


def _normalized(points: _Complex) -> _Complex:
    """The points centered on 0, with an eye distance of about 1."""
    valid = points[~np.isnan(points)]
    if not valid.size:
        return points
    centered: _Complex = points - valid.mean()
    radius = float(np.sqrt(np.nanmean(np.abs(centered) ** 2)))
    return centered / (_EYES_OVER_RADIUS * max(radius, 1e-9))
