"""What a tracker remembers of one person."""

import math
from dataclasses import dataclass, field

import numpy as np

from facedots.geometry import Floats
from facedots.track.candidate import Candidate
from facedots.track.smoothing import FaceSmoother
from facedots.types import Face

_REACH, _REACH_A_SECOND = 1.0, 2.0
"""Face sizes by which a face may be off where it is expected, at once and for each second that it was hidden."""

_OTHER_LOOK = 0.5
"""A hidden face that comes back may look this different, see :func:`~facedots.track.appearance.appearance`."""

_NEW_VELOCITY, _NEW_LOOK = 0.3, 0.1
"""Shares of a new frame in what is known of motion and look."""


@dataclass
class Person:
    """One person through the video.

    Attributes:
        number: Who it is.
        last: The face when it was last seen.
        look: How it looks, from :func:`~facedots.track.appearance.appearance`.
        time: When it was last seen, in seconds.
        detection_score: The detector's last belief in it.
        smoother: Quiets the points; ``None`` leaves them as they are.
        velocity: Of the face's centre, ``float32 (2,)``, in pixels a second.
        visible: Whether it is in this frame.
    """

    number: int
    last: Candidate
    look: Floats
    time: float
    detection_score: float
    smoother: FaceSmoother | None
    velocity: Floats = field(default_factory=lambda: np.zeros(2, np.float32))
    visible: bool = True

    def expected(self, now: float) -> Floats:
        """Where the centre of the face should be ``(2,)``."""
        return np.asarray(self.last.centre + self.velocity * np.float32(now - self.time), np.float32)

    def expected_box(self, now: float) -> Floats:
        """Where its tight box should be ``(4,)``."""
        return self.last.tight + np.tile(self.expected(now) - self.last.centre, 2)

    def cost(self, candidate: Candidate, look: Floats, now: float) -> float:
        """How badly a candidate fits, by place and look; infinite where it cannot be this person."""
        off = float(np.linalg.norm(candidate.centre - self.expected(now))) / self.last.size
        other = 1 - float(look @ self.look)
        waited = 0.0 if self.visible else now - self.time
        if off > _REACH + _REACH_A_SECOND * waited or (not self.visible and other > _OTHER_LOOK):
            return np.inf
        return off / (1 + _REACH_A_SECOND * waited) + other

    def take(self, candidate: Candidate, look: Floats, now: float, *, alone: bool) -> None:
        """Go on with a candidate. Where another face is near, what is known of motion and look stays as it is."""
        step = now - self.time
        if alone and self.visible and step > 0:
            seen = (candidate.centre - self.last.centre) / np.float32(step)
            self.velocity = np.asarray(self.velocity + _NEW_VELOCITY * (seen - self.velocity), np.float32)
        if alone and not candidate.doubt > self.last.doubt * 2:
            mixed = self.look + _NEW_LOOK * (look - self.look)
            self.look = np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-6), np.float32)
        self.detection_score = self.detection_score if candidate.detection_score is None else candidate.detection_score
        self.last, self.time, self.visible = candidate, now, True

    def face(self) -> Face:
        """The result; call it once a frame."""
        last, points = self.last, self.last.points
        if self.smoother:
            points = self.smoother(points, last.sigma, self.time)
        return Face(
            points=points,
            covariance=last.covariance,
            confidence=last.confidence,
            box=last.box,
            score=self.detection_score if math.isnan(last.score) else last.score,
            schema=last.schema,
            detection_score=self.detection_score,
            track_id=self.number,
        )
