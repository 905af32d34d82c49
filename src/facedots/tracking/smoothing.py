"""One-Euro smoothing of keypoints in video, in the face's own coordinates.

The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012, doi:10.1145/2207676.2208639) is a low-pass
whose cutoff rises with speed: noise goes at rest, motion stays prompt. Filtering pixels directly
would make every point of a moving head fast, hence noisy or late. Each frame is therefore split
into the head's motion (the similarity from the track's first frame) and the residual shape, each
with its own filter. The motion filter has a constant-velocity model, so steady motion has no lag.
Measured in docs/experiments.md, "Tracking".
"""

import cmath
import math
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
        expected = self._value + self._velocity * step
        innovation = value - expected
        missing = np.isnan(innovation)
        if missing.any():
            expected = np.where(missing, value, expected)
            innovation[missing] = self._speed[missing] = self._velocity[missing] = 0
        rate = innovation / step
        self._speed = self._speed + _gain(params.speed_cutoff, step) * (rate - self._speed)
        cutoff = params.min_cutoff + params.beta * np.abs(self._speed) / unit
        gain = _gain(cutoff * trust, step)
        if params.constant_velocity:  # Benedict and Bordner's (1962) velocity gain.
            self._velocity = self._velocity + gain**2 / (2 - gain) * rate
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
        self._reference: Matrix | None = None

    def __call__(self, points: Floats, sigma: ArrayLike, time: float) -> Floats:
        """The smoothed points ``float32 (K, 2)`` of this frame.

        Args:
            points: Predicted points ``(K, 2)`` in pixels; missing ones (NaN) stay missing.
            sigma: One standard deviation per point, ``(K,)`` in pixels; NaN where unknown.
            time: Seconds, rising from frame to frame.
        """
        if self._reference is None or not 0 <= time - self._time <= MAX_GAP:
            self._reference, self._angle = _normalized(points), 0.0
            self._shape, self._motion = (OneEuroFilter(params) for params in self._params)
        try:
            matrix = fit_similarity(self._reference, points)
        except PointsError:
            self._reference = None
            return points
        zoom, shift = complex(*matrix[:, 0]), complex(*matrix[:, 2])
        size = abs(zoom)
        if not size:
            self._reference = None
            return points
        step, self._time = min(max(time - self._time, _MIN_STEP), MAX_GAP), time
        # Unwrapped: without jumps by a whole turn.
        self._angle += (cmath.phase(zoom) - self._angle + math.pi) % (2 * math.pi) - math.pi
        trust = _trust(np.asarray(sigma, np.float64) / size)
        motion = np.array([shift, complex(math.log(size), self._angle)])
        position, log_zoom = self._motion(motion, step, trust.mean(), np.array([size, 1.0]))
        current = np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0]
        shape = self._shape((current - shift) / zoom, step, trust)
        smooth = np.exp(log_zoom) * shape + position
        return np.stack([smooth.real, smooth.imag], axis=1, dtype=np.float32, casting="same_kind")


def _gain(cutoff: float | Matrix, step: float) -> float | Matrix:
    """The share of a new value that a low-pass lets through."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)


def _trust(sigma: Matrix) -> Matrix:
    """Factors of the cutoff from sigmas in eye distances; 1 where unknown."""
    trust = np.clip(_TYPICAL_SIGMA / np.maximum(sigma, 1e-6), 0.5, 2.0)
    trust[np.isnan(trust)] = 1.0
    return trust


def _normalized(points: Floats) -> Matrix:
    """The points ``(K, 2)`` centered on 0, with an eye distance of about 1."""
    valid = points[~np.isnan(points).any(axis=1)].astype(np.float64)
    middle = valid.mean(axis=0) if len(valid) else np.zeros(2)
    radius = math.sqrt(((valid - middle) ** 2).sum() / max(len(valid), 1))
    return (points - middle) / (_EYES_OVER_RADIUS * max(radius, 1e-9))
