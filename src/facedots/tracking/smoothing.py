"""Quiet points in video without lag: the One-Euro filter, applied in the coordinates of the face.

The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012, doi:10.1145/2207676.2208639) is a low-pass
whose cut-off rises with
speed: at rest it takes the noise away, in motion it lets go. On raw points a moving head would make
    every point fast, and so
noisy or late. Here each frame is split into the head's motion, the similarity that lays the face of
the track's first frame on this one, and the rest, the points as that face would have them. Each
part has its own filter; the one of the motion knows that heads keep their velocity, so a steady
motion has no lag.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Floats

_Complex = NDArray[np.complex128]
_Floats = NDArray[np.float64]

LONGEST_GAP = 0.5
"""Seconds without a face after which the past no longer counts."""


@dataclass(frozen=True)
class OneEuro:
    """How strongly to filter.

    Attributes:
        min_cutoff: Hz, the cut-off at rest; lower is quieter.
        beta: Hz for each unit a second of speed; higher is prompter.
        speed_cutoff: Hz, the cut-off of the speed's own low-pass.
        steady: Whether the values keep their velocity, and only surprises count as speed.
    """

    min_cutoff: float
    beta: float
    speed_cutoff: float = 3.0
    steady: bool = False


# Chosen on moving training frames, see benchmarks/jitter.py: a third of the flicker is left. Of a
# blink that lasts 0.3 s 95 % of the depth is left, 0.8 frames late; a head that stops at once from
# 3 % of the eye distance a frame goes on for half a frame.
SHAPE = OneEuro(min_cutoff=0.5, beta=5.0)
MOTION = OneEuro(min_cutoff=1.0, beta=10.0, speed_cutoff=2.0, steady=True)

_USUAL_SIGMA = 0.035
"""Eye distances; points of which a network is surer are filtered less, others more."""

_EYES_OVER_RADIUS = 1.6
"""Distance of the outer eye corners over the root mean square distance of the points from their
mean: the median of 300-W.

The distance itself would nearly vanish in a face seen from the side.
"""

_SHORTEST_STEP = 1e-3


class Filter:
    """Some values through time; one that is missing (NaN) starts anew when it comes back.

    The values are complex, x + iy, so that a point has one speed whatever its direction.

    Args:
        settings: How strongly to filter.
    """

    def __init__(self, settings: OneEuro) -> None:
        self._settings = settings
        self._value: _Complex | None = None
        self._speed: _Complex
        self._velocity: _Complex

    def __call__(
        self,
        value: _Complex,
        step: float,
        trust: float | _Floats = 1.0,
        unit: float | _Floats = 1.0,
    ) -> _Complex:
        """The filtered values ``(N,)``.

        Args:
            value: Of this frame, ``(N,)``.
            step: Seconds since the last frame.
            trust: Factor of the cut-off, for each value or for all.
            unit: The unit of speed, for each value or for all.
        """
        if self._value is None:
            self._value, self._speed, self._velocity = (
                value,
                np.zeros_like(value),
                np.zeros_like(value),
            )
            return value
        known = ~np.isnan(self._value) & ~np.isnan(value)
        expected = np.where(known, self._value + self._velocity * step, value)
        surprise = np.nan_to_num(value - expected)
        self._speed = np.where(
            known,
            self._speed
            + _gain(self._settings.speed_cutoff, step) * (surprise / step - self._speed),
            0,
        )
        cutoff = self._settings.min_cutoff + self._settings.beta * np.abs(self._speed) / unit
        gain = _gain(cutoff * trust, step)
        if self._settings.steady:  # The gain of the velocity is Benedict and Bordner's (1962) for this gain of the position.
            self._velocity = np.where(
                known, self._velocity + gain**2 / (2 - gain) * surprise / step, 0
            )
        self._value = expected + gain * surprise
        return self._value


class FaceSmoother:
    """The points of one face through a video.

    >>> smoother = FaceSmoother()
    >>> square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32)
    >>> for frame in range(60):
    ...     quiet = smoother(square + frame, np.full(4, np.nan), frame / 30)
    >>> bool(np.abs(quiet - (square + 59)).max() < 0.05)
    True

    Args:
        shape: The filter of what is left without the head's motion; in eye distances.
        motion: The filter of the head's motion: place in eye distances, turn in radians, logarithm
            of the size.
    """

    def __init__(self, shape: OneEuro = SHAPE, motion: OneEuro = MOTION) -> None:
        self._settings = shape, motion
        self._time = -np.inf
        self._reference: _Complex | None = None

    def __call__(self, points: Floats, sigma: ArrayLike, time: float) -> Floats:
        """The points ``float32 (K, 2)`` of this frame, quieter.

        Args:
            points: As the network gives them, ``(K, 2)`` in pixels; missing ones (NaN) stay
                missing.
            sigma: One standard deviation of each point, ``(K,)`` in pixels; NaN where unknown.
            time: Seconds, rising from frame to frame.
        """
        given: _Complex = points[:, 0].astype(np.float64) + 1j * points[:, 1]
        if self._reference is None or not 0 <= time - self._time <= LONGEST_GAP:
            self._reference = _normalized(given)
            self._shape, self._motion, self._turn = (
                Filter(self._settings[0]),
                Filter(self._settings[1]),
                0.0,
            )
        fit = _fit(self._reference, given)
        if fit is None:
            self._reference = None
            return points
        zoom, shift = fit
        step, self._time = float(np.clip(time - self._time, _SHORTEST_STEP, LONGEST_GAP)), time
        self._turn += (np.angle(zoom) - self._turn + np.pi) % (
            2 * np.pi
        ) - np.pi  # Without jumps of a whole turn.
        trust = _trust(np.asarray(sigma, np.float64) / abs(zoom))
        motion = np.array([shift, np.log(abs(zoom)) + 1j * self._turn])
        place, log_zoom = self._motion(
            motion, step, float(trust.mean()), np.array([abs(zoom), 1.0])
        )
        shape = self._shape((given - shift) / zoom, step, trust)
        quiet = np.exp(log_zoom) * shape + place
        return np.stack([quiet.real, quiet.imag], axis=1).astype(np.float32)


def _gain(cutoff: float | _Floats, step: float) -> float | _Floats:
    """The share of a new value that a low-pass lets through."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)


def _trust(sigma: _Floats) -> _Floats:
    """How much more or less than usual each point is believed, from its sigma in eye distances; 1
    where that is unknown.
    """
    return np.clip(np.nan_to_num(_USUAL_SIGMA / np.maximum(sigma, 1e-6), nan=1.0), 0.5, 2.0)


def _normalized(points: _Complex) -> _Complex:
    """The points around 0, with an eye distance of about 1."""
    known = points[~np.isnan(points)]
    center = known.mean() if known.size else 0
    radius = np.sqrt(np.mean(np.abs(known - center) ** 2)) if known.size else 0
    return np.asarray((points - center) / (_EYES_OVER_RADIUS * max(radius, 1e-9)), np.complex128)


def _fit(source: _Complex, target: _Complex) -> tuple[complex, complex] | None:
    """The least-squares similarity ``target = zoom * source + shift`` over the points that both
    have, if they decide one.
    """
    known = ~np.isnan(source) & ~np.isnan(target)
    if known.sum() < 2:
        return None
    source, target = source[known], target[known]
    centerd = source - source.mean()
    zoom = complex(np.vdot(centerd, target) / max(np.vdot(centerd, centerd).real, 1e-9))
    return (zoom, complex(target.mean() - zoom * source.mean())) if abs(zoom) > 0 else None
