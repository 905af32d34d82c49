"""Faces followed through a video: the next crop comes from the last points, and the detector looks
only now and then.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from facedots.geometry import Floats, Image, box_iou
from facedots.tracking.assignment import assign
from facedots.tracking.smoothing import FaceSmoother
from facedots.tracking.track import AGREE, Observation, Track, appearance, distinct
from facedots.types import Detections, Face, Keypoints, check_image

_SOON = 5
"""Frames between two looks of the detector while a face is unsure or hidden."""

_STRIKES = 3
"""Looks in a row at which the detector must miss an unsure face before it is given up."""

_FRAMED_ALIKE = 0.5
"""A detector's box that overlaps a face's tight box less than this (IoU) gets a try of its own."""

_AROUND = 0.25
"""Sides of the tight box by which a head reaches beyond it and may hide parts of another one."""

_COSTLIEST = 100.0
"""Above any finite cost of a :class:`~facedots.tracking.track.Track`."""


class KeypointFinder(Protocol):
    """Who finds the points: a :class:`~facedots.inference.predictor.KeypointPredictor`."""

    def predict(self, image: Image, boxes: ArrayLike) -> Keypoints:
        """The keypoints in boxes (N, 4)."""
        ...


class Tracker:
    """Follows the faces of one video; call it with its frames in order.

    Each face has a number, from 0, that stays its own while it is seen, also when it passes behind
    another one for up to ``max_lost_seconds`` seconds. Faces are told apart by where they move and
    by how they look.

    Args:
        detector: Finds faces: in the first frame, where one is lost or unsure, and every ``every``
            frames.
        predictor: Finds the points in boxes.
        every: Frames between two looks of the detector while all is well.
        max_lost_seconds: Seconds that a hidden face is waited for.
        smooth: Whether the points are quieted by
            :class:`~facedots.tracking.smoothing.FaceSmoother`.

    Attributes:
        detections: How often the detector has looked.
    """

    def __init__(
        self,
        detector: Callable[[Image], Detections],
        predictor: KeypointFinder,
        *,
        every: int = 30,
        max_lost_seconds: float = 2.0,
        smooth: bool = True,
    ) -> None:
        self._detector, self._predictor = detector, predictor
        self._every, self._patience, self._smooth = every, max_lost_seconds, smooth
        self._people: list[Track] = []
        self._next_number = 0
        self._since_look = 0
        self.detections = 0

    def __call__(self, image: Image, time: float | Fraction) -> list[Face]:
        """The faces of the next frame, by number; none found is an empty list.

        Args:
            image: RGB, ``uint8 (H, W, 3)``.
            time: Seconds, rising from frame to frame.

        Raises:
            ShapeError: Not such an image.
        """
        check_image(image)
        now = float(time)
        self._people = [
            person for person in self._people if abs(now - person.time) <= self._patience
        ]
        followed = self._follow(image)
        self._since_look += 1
        if self._needs_detection(followed):
            followed = self._look(image, followed)
        self._associate(image, distinct(followed), now)
        return [person.face() for person in self._people if person.visible]

    def _follow(self, image: Image) -> list[Observation]:
        """The plausible faces where the visible people were in the last frame."""
        visible = [person for person in self._people if person.visible]
        found = self._keypoints(image, [person.last.tight for person in visible])
        for candidate, person in zip(found, visible, strict=True):
            candidate.origins, candidate.strikes = frozenset({person.number}), person.last.strikes
        return [candidate for candidate in found if candidate.plausible(image)]

    def _needs_detection(self, followed: Sequence[Observation]) -> bool:
        """Whether the detector is needed in this frame."""
        seen_before = sum(person.visible for person in self._people)
        if not followed or len(followed) < seen_before or self._since_look >= self._every:
            return True
        hidden = len(self._people) > seen_before
        return (
            hidden or any(candidate.doubtful for candidate in followed)
        ) and self._since_look >= _SOON

    def _look(self, image: Image, followed: Sequence[Observation]) -> list[Observation]:
        """What the detector makes of the frame: faces confirmed, faces given up, and new ones."""
        self.detections += 1
        self._since_look = 0
        seen = self._detector(image)
        overlaps = box_iou(
            seen.boxes, np.reshape([candidate.tight for candidate in followed], (-1, 4))
        )
        for column, candidate in enumerate(followed):
            best = int(overlaps[:, column].argmax()) if len(seen) else -1
            agrees = best >= 0 and overlaps[best, column] >= AGREE
            candidate.detection_score = float(seen.scores[best]) if agrees else None
            candidate.strikes = 0 if agrees else candidate.strikes + 1
        new = np.flatnonzero(overlaps.max(axis=1, initial=0) < _FRAMED_ALIKE)
        fresh = self._keypoints(image, seen.boxes[new])
        for candidate, score in zip(fresh, seen.scores[new], strict=True):
            candidate.detection_score = float(score)
        kept = [
            candidate for candidate in followed if candidate.sure or candidate.strikes < _STRIKES
        ]
        return [*kept, *(candidate for candidate in fresh if candidate.plausible(image))]

    def _keypoints(self, image: Image, boxes: "Sequence[Floats] | Floats") -> list[Observation]:
        """What the network finds in boxes."""
        if not len(boxes):
            return []
        found = self._predictor.predict(image, boxes)
        given = np.asarray(boxes, np.float32)
        rows = zip(found.points, found.covariance, found.confidence, given, strict=True)
        return [
            Observation(*row, found.schema, float(score))
            for row, score in zip(rows, found.score, strict=True)
        ]

    def _associate(self, image: Image, candidates: list[Observation], now: float) -> None:
        """Give every candidate to the person it fits best; who gets none is hidden, and who is new
        gets a number.
        """
        looks = [appearance(image, candidate.points) for candidate in candidates]
        followed = frozenset[int]().union(*(candidate.origins for candidate in candidates))
        costs = np.full((len(self._people), len(candidates)), np.inf)
        for row, person in enumerate(self._people):
            for column, candidate in enumerate(candidates):
                # Who was followed from the last frame is not exchanged for a face that has turned
                # up elsewhere.
                if person.number in candidate.origins or person.number not in followed:
                    costs[row, column] = person.cost(candidate, looks[column], now)
        pairs = dict(assign(costs, _COSTLIEST))
        hidden = [
            person.expected_box(now) for row, person in enumerate(self._people) if row not in pairs
        ]
        boxes = [candidate.tight for candidate in candidates]
        free, alone = _free(boxes, []), _free(boxes, hidden)
        for row, person in enumerate(self._people):
            if row in pairs:
                person.take(candidates[pairs[row]], looks[pairs[row]], now, alone=alone[pairs[row]])
            else:
                person.visible = False
        for column in sorted(set(range(len(candidates))) - set(pairs.values())):
            # What appears beside a face while one is hidden is likely the hidden one, half seen:
            # wait until it is free.
            if not candidates[column].origins and (free[column] or not hidden):
                smoother = FaceSmoother() if self._smooth else None
                score = candidates[column].detection_score or 0.0
                self._people.append(
                    Track(
                        self._next_number, candidates[column], looks[column], now, score, smoother
                    )
                )
                self._next_number += 1


def _free(boxes: Sequence[Floats], others: Sequence[Floats]) -> list[bool]:
    """Which of the faces hide no other one, nor are hidden, as far as their tight boxes tell;
    ``others`` are asked besides.
    """
    everyone = np.reshape([*boxes, *others], (-1, 4)).astype(np.float32)
    grown = everyone + _AROUND * np.tile(everyone[:, 2:] - everyone[:, :2], 2) * (-1, -1, 1, 1)
    overlaps = box_iou(grown[: len(boxes)], grown)
    overlaps[np.arange(len(boxes)), np.arange(len(boxes))] = 0
    return [bool(row.max(initial=0) == 0) for row in overlaps]
