"""Blinks in a video, counted from the expression signals of one person."""

import math
from collections import deque
from collections.abc import Mapping

import numpy as np


class BlinkCounter:
    """Counts the blinks of one person: both eyes close and open again within half a second.

    Eyes differ, so "closed" is relative to how open this person's eyes usually are: the 75th percentile of the last seconds. A
    blink begins where they fall below ``closed`` of that and ends where they rise above ``opened``; the distance between the two
    keeps noise from counting. Eyes that stay shut longer are shut, not blinking. At fewer than 10 frames a second blinks get lost
    between the frames.

    Networks do not close eyes as far as people do. Where a warp drew the lids of 132 faces shut, the network ``small`` still saw
    73 % of the opening before (half of the faces: 68 to 80 %; ``benchmarks/reading.py``), while noise and motion move it by 2.5 %
    and never took it below 86 %. So the limits lie higher than the shape of an eye asks for: a short look down may count.

    Args:
        closed: Share of the usual opening below which eyes are closed.
        opened: Share of it above which they are open again.
        longest: Seconds from closing to opening that still are a blink.
        window: Seconds over which the usual opening is taken.

    Raises:
        ValueError: The shares are not 0 < closed < opened < 1.
    """

    def __init__(self, closed: float = 0.85, opened: float = 0.92, longest: float = 0.5, window: float = 10.0) -> None:
        if not 0 < closed < opened < 1:
            raise ValueError(f"closed {closed} and opened {opened}: 0 < closed < opened < 1 is expected")
        self.count = 0
        self._closed, self._opened, self._longest, self._window = closed, opened, longest, window
        self._seen: deque[tuple[float, float]] = deque()
        self._shut_since: float | None = None

    def update(self, signals: Mapping[str, float], time: float) -> bool:
        """Take in the next frame.

        Args:
            signals: Of the person in this frame, from :func:`~facedots.apps.expression.expression`; a frame without the eyes
                (NaN) is passed over.
            time: Of the frame, in seconds; never less than before.

        Returns:
            Whether a blink ended with this frame; ``count`` has then grown by one.
        """
        opening = (signals["right_eye_open"] + signals["left_eye_open"]) / 2
        if math.isnan(opening):
            return False
        self._seen.append((time, opening))
        while self._seen[0][0] < time - self._window:
            self._seen.popleft()
        share = opening / max(float(np.percentile([value for _, value in self._seen], 75)), 1e-6)
        if self._shut_since is None:
            self._shut_since = time if share < self._closed else None
            return False
        if share < self._opened:
            return False
        blinked = time - self._shut_since <= self._longest
        self._shut_since = None
        self.count += blinked
        return blinked
