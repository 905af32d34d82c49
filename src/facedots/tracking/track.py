"""How a face looks, in a few numbers: enough to tell two people in one scene apart, not to
recognize anybody.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from facedots.geometry import Floats, Image, box_iou, tight_boxes
from facedots.schema import KeypointSchema
from facedots.tracking.smoothing import FaceSmoother
from facedots.types import Face
from facedots.uncertainty import sigma_of

_SIDE = 8
_DARK = 20


def appearance(image: Image, points: Floats) -> Floats:
    """A description ``float32 (D,)`` of length 1: a tiny color image of the face, whatever the
    brightness.

    Half of the squared distance between two descriptions is 0 for the same image, about 0.1
    (median) for two frames of one person in one video of YouTube Faces, and 0.5 for two people; 98
    % of the pairs are in the right order.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        points: ``(K, 2)`` in pixels; some lie within the image.
    """
    x0, y0, x1, y1 = tight_boxes(points[None])[0]
    height, width = image.shape[:2]
    left, top = int(np.clip(x0, 0, width - 1)), int(np.clip(y0, 0, height - 1))
    right, bottom = int(np.clip(x1 + 1, left + 1, width)), int(np.clip(y1 + 1, top + 1, height))
    tiny = cv2.resize(image[top:bottom, left:right], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    logarithms = np.log(tiny.astype(np.float32) + _DARK).ravel()
    centerd = logarithms - logarithms.mean()
    return np.asarray(centerd / max(float(np.linalg.norm(centerd)), 1e-6), np.float32)


UNSURE_SCORE, LOST_SCORE = 0.9, 0.5
"""Scores of the network below which the detector is asked, and a face given up.

Below a half the network itself thinks it more likely that there is no face, or not there. Measured
with ``benchmarks/score.py`` and ``small`` on 488 faces that it was not trained on, below 0.5 and
0.9: good crops 0 and 0 %, of spoilt images 0.2 and 0.2 %; half as large 94 and 98 %, twice as large
95 and 100 %, shifted by 30 to 60 % of the box 50 and 65 %, without a face 100 and 100 %. What is
shifted by less, the next crop is centerd on.
"""

UNSURE, LOST = 0.045, 0.08
"""The same for a network without a score: doubts, median sigma over the square root of the tight
box's area.

Measured with the first ``small`` on 240 faces of both sets: true boxes give up to 0.036 (99 %),
boxes beside the face by half its size 0.13 (median), backgrounds 0.069 or more (99 %). A network
without sigma is judged by geometry and detector alone.
"""

AGREE = 0.3
"""Overlap (IoU) of the points' tight box with another box, of the detector or given to the network,
that confirms them.
"""

_SAME_FACE = 0.25
"""Two sets of points nearer than this, on average and in face sizes, are one face found twice."""


@dataclass
class Observation:
    """A face in this frame that is not yet anybody's.

    Attributes:
        points: ``float32 (K, 2)`` in pixels.
        covariance: ``float32 (K, 2, 2)`` in square pixels.
        confidence: ``float32 (K,)``, see :class:`~facedots.types.Face`.
        box: What the network was given, ``float32 (4,)``.
        schema: What the points mean.
        score: The network's belief in it; NaN where it has none.
        origins: The numbers of the people by whose last points it was found; none where the
            detector found it.
        detection_score: The detector's belief in it; ``None`` where it has not looked or not seen
            it.
        strikes: At how many looks in a row the detector has not seen it.
        tight: The tight box around the points.
        size: Square root of the area of that box, in pixels.
        doubt: Median sigma in sizes; NaN where the network gives none.
    """

    points: Floats
    covariance: Floats
    confidence: Floats
    box: Floats
    schema: KeypointSchema
    score: float = math.nan
    origins: frozenset[int] = frozenset()
    detection_score: float | None = None
    strikes: int = 0
    tight: Floats = field(init=False)
    size: float = field(init=False)
    doubt: float = field(init=False)

    def __post_init__(self) -> None:
        self.tight = tight_boxes(self.points[None])[0]
        self.size = max(1e-6, float(np.sqrt(np.prod(self.tight[2:] - self.tight[:2]))))
        self.doubt = float(np.median(self.sigma)) / self.size

    @property
    def sigma(self) -> Floats:
        """``float32 (K,)`` in pixels."""
        return sigma_of(self.covariance)

    @property
    def center(self) -> Floats:
        """The middle of the tight box ``(2,)``."""
        return np.asarray((self.tight[:2] + self.tight[2:]) / 2, np.float32)

    @property
    def sure(self) -> bool:
        """Whether the network believes in it as it does in most faces; false where it does not say."""
        return self.doubt <= UNSURE if math.isnan(self.score) else self.score >= UNSURE_SCORE

    @property
    def lost(self) -> bool:
        """Whether the network does not believe in it at all; false where it does not say."""
        return self.doubt > LOST if math.isnan(self.score) else self.score < LOST_SCORE

    @property
    def doubtful(self) -> bool:
        """Whether the detector should soon say what it thinks of this face."""
        silent = math.isnan(self.score) and math.isnan(self.doubt)
        return not self.sure and (not silent or self.strikes > 0)

    def plausible(self, image: Image) -> bool:
        """Whether it is not lost, lies where it was looked for, and most of it is in the image."""
        height, width = image.shape[:2]
        inside = np.clip(self.tight, -0.5, np.array([width, height, width, height]) - 0.5)
        in_image = np.prod(inside[2:] - inside[:2]) >= 0.5 * self.size**2
        return not self.lost and bool(in_image) and box_iou([self.tight], [self.box])[0, 0] >= AGREE


def distinct(candidates: Sequence[Observation]) -> list[Observation]:
    """The candidates without those that are a face found twice; the one with less doubt stays and
    takes over the origins.
    """
    kept: list[Observation] = []
    for candidate in sorted(
        candidates, key=lambda one: one.doubt if np.isfinite(one.doubt) else 0.0
    ):
        pair = next((other for other in kept if _distance(candidate, other) <= _SAME_FACE), None)
        if pair is None:
            kept.append(candidate)
        else:
            pair.origins |= candidate.origins
    return kept


def _distance(one: Observation, other: Observation) -> float:
    """Mean distance of the points, in sizes of the smaller face."""
    return float(np.linalg.norm(one.points - other.points, axis=1).mean()) / min(
        one.size, other.size
    )


_REACH, _REACH_A_SECOND = 1.0, 2.0
"""Face sizes by which a face may be off where it is expected, at once and for each second that it
was hidden.
"""

_OTHER_LOOK = 0.5
"""A hidden face that comes back may look this different, see
:func:`~facedots.tracking.track.appearance`.
"""

_NEW_VELOCITY, _NEW_LOOK = 0.3, 0.1
"""Shares of a new frame in what is known of motion and look."""


@dataclass
class Track:
    """One person through the video.

    Attributes:
        number: Who it is.
        last: The face when it was last seen.
        look: How it looks, from :func:`~facedots.tracking.track.appearance`.
        time: When it was last seen, in seconds.
        detection_score: The detector's last belief in it.
        smoother: Quiets the points; ``None`` leaves them as they are.
        velocity: Of the face's center, ``float32 (2,)``, in pixels a second.
        visible: Whether it is in this frame.
    """

    number: int
    last: Observation
    look: Floats
    time: float
    detection_score: float
    smoother: FaceSmoother | None
    velocity: Floats = field(default_factory=lambda: np.zeros(2, np.float32))
    visible: bool = True

    def expected(self, now: float) -> Floats:
        """Where the center of the face should be ``(2,)``."""
        return np.asarray(
            self.last.center + self.velocity * np.float32(now - self.time), np.float32
        )

    def expected_box(self, now: float) -> Floats:
        """Where its tight box should be ``(4,)``."""
        return self.last.tight + np.tile(self.expected(now) - self.last.center, 2)

    def cost(self, candidate: Observation, look: Floats, now: float) -> float:
        """How badly a candidate fits, by place and look; infinite where it cannot be this person."""
        off = float(np.linalg.norm(candidate.center - self.expected(now))) / self.last.size
        other = 1 - float(look @ self.look)
        waited = 0.0 if self.visible else now - self.time
        if off > _REACH + _REACH_A_SECOND * waited or (not self.visible and other > _OTHER_LOOK):
            return np.inf
        return off / (1 + _REACH_A_SECOND * waited) + other

    def take(self, candidate: Observation, look: Floats, now: float, *, alone: bool) -> None:
        """Go on with a candidate. Where another face is near, what is known of motion and look
        stays as it is.
        """
        step = now - self.time
        if alone and self.visible and step > 0:
            seen = (candidate.center - self.last.center) / np.float32(step)
            self.velocity = np.asarray(
                self.velocity + _NEW_VELOCITY * (seen - self.velocity), np.float32
            )
        if alone and not candidate.doubt > self.last.doubt * 2:
            mixed = self.look + _NEW_LOOK * (look - self.look)
            self.look = np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-6), np.float32)
        self.detection_score = (
            self.detection_score if candidate.detection_score is None else candidate.detection_score
        )
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
