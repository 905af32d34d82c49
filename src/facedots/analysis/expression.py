"""Expression signals (eyes, mouth, smile, brows), and blinks."""

import math
from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from facedots.geometry import check_shape
from facedots.schema import IBUG68

# fmt: off
SIGNALS = ("right_eye_open", "left_eye_open", "right_eye_closed", "left_eye_closed", "mouth_open",
           "smile", "brow_raise", "frown")
# fmt: on
"""What :func:`expression_signals` measures; left and right are the subject's own.

- ``…_eye_open``: gap between the lids, 0.06 to 0.10 for half of all people.
- ``…_eye_closed``: the same as a share, 0 from :data:`OPEN_EYE` up, 1 from :data:`CLOSED_EYE` down.
- ``mouth_open``: gap between the lips.
- ``smile``: half of the mouth's width minus how far its corners lie below the base of the nose,
  relative to a face at rest; 0.2 for a broad smile.
- ``brow_raise``: height of the brows above the eyes' corners, relative to a face at rest.
- ``frown``: how much nearer than at rest the inner brows are to the inner corners of the eyes.

All but the shares are in the person's outer-eye distances. People differ at rest by about 0.05: a
change over time says more than a value.
"""

OPEN_EYE, CLOSED_EYE = 0.07, 0.03
"""Gaps between the lids; a quarter of labeled eyes is below 0.06, one in fifty below 0.024."""

SMILE_AT_REST, BROWS_AT_REST, INNER_BROWS_AT_REST = 0.03, 0.21, 0.22
"""Medians over 97 labeled faces that do not smile, and, for the brows, over 1,700 labeled faces."""


def expression_signals(points: ArrayLike) -> dict[str, float]:
    """The :data:`SIGNALS` of one face by name; NaN where a signal's points are missing.

    Beyond about 45 degrees of yaw the far eye is hidden and its signals are guesses.

    Args:
        points: ``(68, 2)``, as :func:`~facedots.analysis.pose.frontal` gives them.

    Raises:
        ShapeError: The points are not (68, 2).
    """
    x, y = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64).T
    right, left = (y[[41, 40]] - y[[37, 38]]).mean(), (y[[47, 46]] - y[[43, 44]]).mean()
    corners = y[[48, 54]].mean()
    brows = y[[36, 39, 42, 45]].mean() - y[17:27].mean()
    inner = y[[39, 42]].mean() - y[20:24].mean()
    closed = (OPEN_EYE - np.array([right, left])) / (OPEN_EYE - CLOSED_EYE)
    mouth = (y[[67, 66, 65]] - y[[61, 62, 63]]).mean()
    smile = (x[54] - x[48]) / 2 - (corners - y[33]) - SMILE_AT_REST
    values = (right, left, *closed.clip(0, 1), mouth, smile)
    values += (brows - BROWS_AT_REST, INNER_BROWS_AT_REST - inner)
    return {name: float(value) for name, value in zip(SIGNALS, values, strict=True)}


class BlinkCounter:
    """Counts the blinks of one person: both eyes close and reopen within half a second.

    Below 10 frames per second blinks are missed. A short look down may count: networks close eyes
    less than people do, see docs/experiments.md.

    Args:
        closed: Share of the usual opening, the 75th percentile, below which eyes are closed.
        opened: Share of it above which they are open again.
        longest: Longest blink in seconds.
        window: Seconds over which the usual opening is taken.

    Attributes:
        count: Blinks so far.

    Raises:
        ValueError: Not 0 < closed < opened < 1.

    Example:
        >>> counter = BlinkCounter()
        >>> for frame, opening in enumerate([0.09, 0.09, 0.05, 0.02, 0.05, 0.09]):
        ...     signals = {"right_eye_open": opening, "left_eye_open": opening}
        ...     _ = counter.update(signals, time=frame / 25)
        >>> counter.count
        1
    """

    def __init__(
        self, closed: float = 0.85, opened: float = 0.92, longest: float = 0.5, window: float = 10.0
    ) -> None:
        if not 0 < closed < opened < 1:
            fault = f"closed {closed} and opened {opened}"
            raise ValueError(f"{fault}: 0 < closed < opened < 1 is expected")
        self.count = 0
        self._closed, self._opened, self._longest, self._window = closed, opened, longest, window
        self._history: deque[tuple[float, float]] = deque()
        self._closed_since: float | None = None

    def update(self, signals: Mapping[str, float], time: float) -> bool:
        """Add the :func:`expression_signals` of a frame, at a rising time in seconds; whether a
        blink ended with it. A frame without the eyes (NaN) is skipped.
        """
        opening = (signals["right_eye_open"] + signals["left_eye_open"]) / 2
        if math.isnan(opening):
            return False
        self._history.append((time, opening))
        while self._history[0][0] < time - self._window:
            self._history.popleft()
        usual = float(np.percentile([value for _, value in self._history], 75))
        share = opening / max(usual, 1e-6)
        if self._closed_since is None:
            self._closed_since = time if share < self._closed else None
            return False
        if share < self._opened:
            return False
        blinked = time - self._closed_since <= self._longest
        self._closed_since = None
        self.count += blinked
        return blinked
