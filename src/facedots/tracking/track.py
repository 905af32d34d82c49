"""Tracks and observations of faces, by position, motion and appearance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from facedots.geometry import Floats, Image, box_iou, check_shape, tight_boxes
from facedots.tracking.smoothing import FaceSmoother
from facedots.types import Face
from facedots.uncertainty import sigma_of

CONFIDENT_SCORE, LOST_SCORE, HIDDEN_SCORE = 0.9, 0.5, 0.1
"""Network scores below which the detector should check a face, only a known face that the detector
confirms is kept, and none; see docs/experiments.md.
"""

CONFIDENT_SIGMA, LOST_SIGMA = 0.045, 0.08
"""The first and last for networks without a score: median sigma in face sizes; see
docs/experiments.md.
"""

MIN_IOU = 0.3
"""Overlap with the detector's box, or with the predictor's input, that confirms a face."""

_MAX_MISSED = 3
"""Consecutive detector runs that must miss an uncertain face before it is dropped."""

_DUPLICATE_DISTANCE = 0.25
"""Mean point distance in face sizes below which two observations are one face."""

_MAX_OFFSET, _MAX_OFFSET_PER_SECOND = 1.0, 2.0
"""Face sizes by which a face may be off its expected center, at once and per second hidden."""

_MAX_APPEARANCE_COST = 0.5
"""Largest appearance distance at which a hidden face is recognized."""

_VELOCITY_RATE, _APPEARANCE_RATE, _APPEARANCE_EVERY = 0.3, 0.4, 5
"""Weights of a new frame in the running means, and frames between two of the appearance."""

_THUMBNAIL_SIDE, _DARK = 8, 20


def appearance(image: Image, points: Floats) -> Floats:
    """A unit vector ``float32 (D,)`` that describes a face, independent of brightness.

    A log-color thumbnail: enough to tell two faces of one scene apart, not to recognize anybody.
    Half of the squared distance of two vectors is about 0.1 for one person, 0.5 for two; see
    docs/experiments.md.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        points: ``(K, 2)`` in pixels; some lie within the image.
    """
    x0, y0, x1, y1 = tight_boxes(points[None])[0]
    height, width = image.shape[:2]
    left, top = int(np.clip(x0, 0, width - 1)), int(np.clip(y0, 0, height - 1))
    right, bottom = int(np.clip(x1 + 1, left + 1, width)), int(np.clip(y1 + 1, top + 1, height))
    side = (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
    thumbnail = cv2.resize(image[top:bottom, left:right], side, interpolation=cv2.INTER_AREA)
    logarithms = np.log(thumbnail.astype(np.float32) + _DARK).ravel()
    return _unit(logarithms - logarithms.mean())


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)


def assign(costs: ArrayLike, limit: float) -> list[tuple[int, int]]:
    """As many pairs (row, column) as ``limit`` allows, at the least total cost.

    Args:
        costs: ``(R, C)``, at least 0, infinite where a pair is impossible.
        limit: Largest cost of a pair.

    >>> assign([[1, 2], [1, 9]], limit=5)
    [(0, 1), (1, 0)]
    >>> assign([[1, 2], [1, 9]], limit=1.5)
    [(0, 0)]
    """
    table = np.asarray(check_shape(costs, "R C", "costs"), np.float64)
    allowed = table <= limit
    # A forbidden pair costs more than all allowed ones, so it is chosen only where none is left.
    forbidden = (max(table.shape) + 1) * (limit + 1)
    pairs = zip(*linear_sum_assignment(np.where(allowed, table, forbidden)), strict=True)
    return [(int(row), int(column)) for row, column in pairs if allowed[row, column]]


@dataclass
class Observation:
    """A face in the current frame.

    Attributes:
        face: As predicted; its score is NaN where the network has none.
        source_tracks: IDs of the tracks from whose last points it was predicted; empty where the
            detector found it.
        detection_score: The detector's score; ``None`` where it did not run or missed the face.
        missed_detections: Consecutive detector runs that missed it.
        patience: Frames for which a doubtful face need not be checked again.
        tight_box: Around the points, ``float32 (4,)``.
        size: Square root of that box's area, in pixels.
    """

    face: Face
    source_tracks: frozenset[int] = frozenset()
    detection_score: float | None = None
    missed_detections: int = 0
    patience: int = 0
    tight_box: Floats = field(init=False)
    size: float = field(init=False)
    _appearance: Floats | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.tight_box = tight_boxes(self.face.points[None])[0]
        x0, y0, x1, y1 = self.tight_box.tolist()
        self.size = max(1e-6, math.sqrt((x1 - x0) * (y1 - y0)))

    @cached_property
    def relative_sigma(self) -> float:
        """Median sigma in sizes; NaN where the network gives none."""
        return float(np.median(self.face.sigma)) / self.size

    def appearance(self, image: Image) -> Floats:
        """See :func:`appearance`; ``image`` is the frame of this observation."""
        if self._appearance is None:
            self._appearance = appearance(image, self.face.points)
        return self._appearance

    @property
    def center(self) -> Floats:
        """Center of the tight box ``(2,)``."""
        return (self.tight_box[:2] + self.tight_box[2:]) / np.float32(2)

    @property
    def confident(self) -> bool:
        """Whether the network is as certain as on most faces; false where it gives no certainty."""
        if math.isnan(self.face.score):
            return self.relative_sigma <= CONFIDENT_SIGMA
        return self.face.score >= CONFIDENT_SCORE

    @property
    def weak(self) -> bool:
        """Whether it is only taken for a known face that the detector confirms."""
        return self.face.score < LOST_SCORE

    @property
    def uncertain(self) -> bool:
        """Whether the detector should check this face soon."""
        if math.isnan(self.face.score) and math.isnan(self.relative_sigma):
            return self.missed_detections > 0
        return not self.confident

    @property
    def refuted(self) -> bool:
        """Whether the detector has missed it too often for what the network says."""
        return self.missed_detections >= (1 if self.weak else _MAX_MISSED) and not self.confident

    def plausible(self, image: Image) -> bool:
        """Whether the network sees a face that overlaps its input and lies mostly in the image."""
        if math.isnan(self.face.score):
            hidden = self.relative_sigma > LOST_SIGMA
        else:
            hidden = self.face.score < HIDDEN_SCORE
        height, width = image.shape[:2]
        x0, y0, x1, y1 = self.tight_box.tolist()
        wide = min(x1, width - 0.5) - max(x0, -0.5)
        high = min(y1, height - 0.5) - max(y0, -0.5)
        if hidden or min(wide, high) < 0 or wide * high < 0.5 * self.size**2:
            return False
        return bool(box_iou([self.tight_box], [self.face.box])[0, 0] >= MIN_IOU)


def remove_duplicates(observations: Sequence[Observation]) -> list[Observation]:
    """One observation per face, the one with the least sigma, with the source tracks of all."""
    if len(observations) < 2:
        return list(observations)
    kept: list[Observation] = []
    for candidate in sorted(observations, key=lambda item: np.nan_to_num(item.relative_sigma)):
        for other in kept:
            distances = np.linalg.norm(candidate.face.points - other.face.points, axis=1)
            if float(distances.mean()) / min(candidate.size, other.size) <= _DUPLICATE_DISTANCE:
                other.source_tracks |= candidate.source_tracks
                other.patience = max(other.patience, candidate.patience)
                break
        else:
            kept.append(candidate)
    return kept


@dataclass
class Track:
    """One face through the video.

    Attributes:
        track_id: Number of the track.
        last: Its last observation.
        appearance: Running mean of :func:`appearance`.
        time: Of the last observation, in seconds.
        detection_score: The detector's last score.
        smoother: Smooths the points; ``None`` leaves them as they are.
        velocity: Of the center, ``float32 (2,)``, in pixels per second.
        visible: Whether it is in the current frame.
        displaced: Whether its last position means nothing any more.
        appearance_age: Frames since the appearance was updated.
    """

    track_id: int
    last: Observation
    appearance: Floats
    time: float
    detection_score: float
    smoother: FaceSmoother | None
    velocity: Floats = field(default_factory=lambda: np.zeros(2, np.float32))
    visible: bool = True
    displaced: bool = False
    appearance_age: int = 0

    def displace(self) -> None:
        """Expect the face anywhere, as after a change of the frame's size; smoothing restarts."""
        self.visible, self.displaced = False, True
        self.velocity = np.zeros(2, np.float32)
        self.smoother = FaceSmoother() if self.smoother else None

    def expected_center(self, now: float) -> Floats:
        """Center of the tight box at constant velocity, ``(2,)``."""
        return self.last.center + self.velocity * np.float32(now - self.time)

    def expected_box(self, now: float) -> Floats:
        """Tight box at constant velocity, ``(4,)``."""
        return self.last.tight_box + np.tile(self.expected_center(now) - self.last.center, 2)

    def position_cost(self, candidate: Observation, now: float) -> float:
        """Distance in position; infinite where it cannot be this face."""
        if self.displaced:
            return 0.0
        offset = math.dist(candidate.center, self.expected_center(now)) / self.last.size
        reach = 0.0 if self.visible else _MAX_OFFSET_PER_SECOND * (now - self.time)
        return offset / (1 + reach) if offset <= _MAX_OFFSET + reach else math.inf

    def appearance_cost(self, candidate: Observation, image: Image) -> float:
        """Distance in appearance; infinite where a hidden face must be another one."""
        difference = 1 - float(candidate.appearance(image) @ self.appearance)
        changed = not self.visible and difference > _MAX_APPEARANCE_COST
        return math.inf if changed else difference

    def update(self, observation: Observation, image: Image, now: float, *, isolated: bool) -> None:
        """Continue with an observation; near another face, velocity and appearance stay."""
        step, self.appearance_age = now - self.time, self.appearance_age + 1
        if isolated and self.visible and step > 0:
            velocity = (observation.center - self.last.center) / np.float32(step)
            self.velocity = self.velocity + _VELOCITY_RATE * (velocity - self.velocity)
        due = isolated and self.appearance_age >= _APPEARANCE_EVERY
        if due and not observation.relative_sigma > self.last.relative_sigma * 2:
            change = _APPEARANCE_RATE * (observation.appearance(image) - self.appearance)
            self.appearance, self.appearance_age = _unit(self.appearance + change), 0
        if observation.detection_score is not None:
            self.detection_score = observation.detection_score
        self.last, self.time = observation, now
        self.visible, self.displaced = True, False

    def result(self) -> Face:
        """The tracked face of this frame, smoothed; call it once per frame."""
        face, score = self.last.face, self.last.face.score
        if self.smoother:
            face = _smoothed(face, self.smoother, self.time)
        return replace(
            face,
            score=self.detection_score if math.isnan(score) else score,
            detection_score=self.detection_score,
            track_id=self.track_id,
        )


def _smoothed(face: Face, smoother: FaceSmoother, time: float) -> Face:
    """The face with its points, and its pupils where it has them, smoothed together."""
    if face.pupils is None or face.pupils_covariance is None:
        return replace(face, points=smoother(face.points, face.sigma, time))
    sigma = np.concatenate([face.sigma, sigma_of(face.pupils_covariance)])
    points = smoother(np.concatenate([face.points, face.pupils]), sigma, time)
    count = face.schema.count
    return replace(face, points=points[:count], pupils=points[count:])
