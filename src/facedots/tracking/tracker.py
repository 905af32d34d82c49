"""Face tracking: stable IDs and temporally smoothed keypoints."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facedots.detection.base import Detections, Detector, checked_count, predict_accepted
from facedots.geometry import Floats, Image, box_iou
from facedots.spec import Predictor
from facedots.tracking.smoothing import FaceSmoother
from facedots.tracking.track import MIN_IOU, Observation, Track, assign, remove_duplicates
from facedots.types import Face, check_image

_RECHECK_EVERY = 5
"""Frames between two detector runs while a face is uncertain or hidden."""

_NEW_FACE_IOU = 0.5
"""A detector's box that overlaps every tracked face less than this is predicted anew."""

_HEAD_MARGIN = 0.25
"""Sides of the tight box by which a head reaches beyond it and may hide another one."""

_COST_LIMIT = 100.0
"""Above any finite cost of a :class:`~facedots.tracking.track.Track`."""


class Tracker:
    """Face tracking: stable IDs and temporally smoothed keypoints.

    Call it with the frames of one video in order; their size may change. Each crop comes from the
    last points; the detector runs in the first frame, every ``detect_every`` frames, and where a
    face is lost or uncertain. A face keeps its ID while it is visible and while it is hidden for up
    to ``max_lost_seconds``. Needs scipy (``facedots[video]``).

    Args:
        detector: Finds boxes, see :class:`~facedots.detection.base.Detector`.
        predictor: Finds keypoints in boxes.
        max_faces: The number of faces at most, the detector's best that hold; by default all.
        detect_every: Frames between two detector runs while every face is confident.
        max_lost_seconds: How long a hidden face keeps its track.
        smooth: Whether to smooth the points with
            :class:`~facedots.tracking.smoothing.FaceSmoother`.

    Raises:
        ValueError: ``max_faces`` or ``detect_every`` is less than 1, or ``max_lost_seconds`` less
            than 0 or NaN.

    Attributes:
        detector_runs: How often the detector has run.

    Example:
        >>> from facedots import KeypointPredictor, RetinaFace
        >>> tracker = Tracker(RetinaFace(), KeypointPredictor())
        >>> for i, frame in enumerate(np.zeros((3, 48, 64, 3), np.uint8)):
        ...     faces = tracker(frame, time=i / 25)
        >>> faces, tracker.detector_runs
        ([], 3)
    """

    def __init__(
        self,
        detector: Detector,
        predictor: Predictor,
        *,
        max_faces: int | None = None,
        detect_every: int = 30,
        max_lost_seconds: float = 2.0,
        smooth: bool = True,
    ) -> None:
        if not (detect_every >= 1 and max_lost_seconds >= 0):
            values = f"detect_every={detect_every}, max_lost_seconds={max_lost_seconds}"
            raise ValueError(f"{values}: at least 1 and 0")
        self._detector, self._predictor = detector, predictor
        self._max_faces = checked_count(max_faces)
        self._detect_every, self._max_lost_seconds = detect_every, max_lost_seconds
        self._smooth = smooth
        self._tracks: list[Track] = []
        self._next_id = 0
        self._frames_since_detection = 0
        self._size: tuple[int, int] | None = None
        self.detector_runs = 0

    def __call__(self, image: Image, time: float | Fraction) -> list[Face]:
        """The faces of the next frame, by track ID.

        Args:
            image: RGB, ``uint8 (H, W, 3)``.
            time: Seconds, rising from frame to frame.

        Raises:
            ShapeError: The image has another shape or type.
            ValueError: The time is NaN or infinite.
        """
        now = float(time)
        if not math.isfinite(now):
            raise ValueError(f"time={now}: not a time in seconds")
        self._follow_size(check_image(image))
        limit = self._max_lost_seconds
        self._tracks = [track for track in self._tracks if abs(now - track.time) <= limit]
        observations = self._propagate(image)
        self._frames_since_detection += 1
        if self._needs_detection(observations):
            observations = self._detect(image, observations)
        self._associate(image, remove_duplicates(observations), now)
        return [track.result() for track in self._tracks if track.visible]

    def _follow_size(self, image: Image) -> None:
        """Where the frames change their size, look for the tracked faces anywhere in the image."""
        size = (image.shape[1], image.shape[0])
        if self._size not in (None, size):
            for track in self._tracks:
                track.displace()
        self._size = size

    def _propagate(self, image: Image) -> list[Observation]:
        """The plausible faces in the visible tracks' last boxes."""
        visible = [track for track in self._tracks if track.visible]
        observations = self._observe(image, [track.last.tight_box for track in visible])
        for item, track in zip(observations, visible, strict=True):
            item.source_tracks = frozenset({track.track_id})
            item.missed_detections = track.last.missed_detections
            item.patience = track.last.patience
        return [item for item in observations if item.plausible(image)]

    def _needs_detection(self, observations: Sequence[Observation]) -> bool:
        """Whether the detector must run in this frame."""
        visible = sum(track.visible for track in self._tracks)
        frames = self._frames_since_detection
        if not observations or len(observations) < visible or frames >= self._detect_every:
            return True
        if any(item.weak and frames > min(item.patience, _RECHECK_EVERY) for item in observations):
            return True
        checks = [max(_RECHECK_EVERY, item.patience) for item in observations if item.uncertain]
        if len(self._tracks) > visible:
            checks.append(_RECHECK_EVERY)
        return frames >= min(checks, default=self._detect_every)

    def _detect(self, image: Image, observations: Sequence[Observation]) -> list[Observation]:
        """Run the detector: confirm or drop the observations, and add new faces."""
        self.detector_runs += 1
        self._frames_since_detection = 0
        detections = self._detector(image)
        overlaps = box_iou(
            detections.boxes, np.reshape([item.tight_box for item in observations], (-1, 4))
        )
        for column, item in enumerate(observations):
            best = int(overlaps[:, column].argmax()) if len(detections) else -1
            if best >= 0 and overlaps[best, column] >= MIN_IOU:
                item.detection_score, item.missed_detections = float(detections.scores[best]), 0
                if not item.confident:
                    item.patience = max(_RECHECK_EVERY, 2 * item.patience)
            else:
                item.detection_score, item.patience = None, 0
                item.missed_detections += 1
        firm = [column for column, item in enumerate(observations) if not item.weak]
        new = np.flatnonzero(overlaps[:, firm].max(axis=1, initial=0) < _NEW_FACE_IOU)
        kept = [item for item in observations if not item.refuted]
        followed = sum(not item.weak for item in kept)
        return [*kept, *self._new_faces(image, detections[new], followed)]

    def _new_faces(self, image: Image, found: Detections, followed: int) -> list[Observation]:
        """The plausible ones of the faces found beside those that are surely followed."""
        most = None if self._max_faces is None else max(self._max_faces - followed, 0)
        if not len(found) or most == 0:
            return []
        keypoints, best, rows = predict_accepted(
            image, found, self._detector, self._predictor, most
        )
        faces = keypoints.faces(best.boxes)
        new = [Observation(faces[row], detection_score=float(best.scores[row])) for row in rows]
        return [item for item in new if item.plausible(image)]

    def _observe(self, image: Image, boxes: Sequence[Floats]) -> list[Observation]:
        """The network's prediction in each box."""
        if not boxes:
            return []
        keypoints = self._predictor.predict(image, boxes)
        return list(map(Observation, keypoints.faces(np.asarray(boxes, np.float32))))

    def _associate(self, image: Image, observations: list[Observation], now: float) -> None:
        """Continue each track with its best observation, hide the others, start new tracks."""
        pairs = self._pairs(image, observations, now)
        hidden = [
            track.expected_box(now) for row, track in enumerate(self._tracks) if row not in pairs
        ]
        count, room = len(observations), (self._max_faces or math.inf) - len(pairs)
        near = _near([*(item.tight_box for item in observations), *hidden])
        for row, track in enumerate(self._tracks):
            if row in pairs:
                isolated = not near[pairs[row]].any()
                track.update(observations[pairs[row]], image, now, isolated=isolated)
            else:
                track.visible = False
        for column in sorted(set(range(count)) - set(pairs.values())):
            item = observations[column]
            # A new face near another one while one is hidden is likely the hidden one, half
            # visible: wait until it is clear.
            is_likely_known = item.source_tracks or (hidden and near[column, :count].any())
            if room > 0 and not (item.weak or is_likely_known):
                room -= 1
                smoother = FaceSmoother() if self._smooth else None
                score, look = item.detection_score or 0.0, item.appearance(image)
                self._tracks.append(Track(self._next_id, item, look, now, score, smoother))
                self._next_id += 1

    def _pairs(
        self, image: Image, observations: Sequence[Observation], now: float
    ) -> dict[int, int]:
        """Which track (its row) continues with which observation; appearance counts only where
        faces could be confused.
        """
        sources = frozenset[int]().union(*(item.source_tracks for item in observations))
        costs = {
            (row, column): cost
            for row, track in enumerate(self._tracks)
            for column, item in enumerate(observations)
            # A track that was propagated does not jump to a face found elsewhere.
            if track.track_id in item.source_tracks or track.track_id not in sources
            if (cost := track.position_cost(item, now)) < math.inf
        }
        unique = (
            len({row for row, _ in costs}) == len({column for _, column in costs}) == len(costs)
        )
        if unique and all(self._tracks[row].visible for row, _ in costs):
            return dict(list(costs))
        table = np.full((len(self._tracks), len(observations)), np.inf)
        for (row, column), cost in costs.items():
            table[row, column] = cost + self._tracks[row].appearance_cost(
                observations[column], image
            )
        return dict(assign(table, _COST_LIMIT))


def _near(boxes: Sequence[Floats]) -> NDArray[np.bool_]:
    """Which heads may hide each other, by their tight boxes ``(N, 4)``: ``bool (N, N)``."""
    tight = np.reshape(boxes, (-1, 4)).astype(np.float32)
    if len(tight) < 2:
        return np.zeros((len(tight), len(tight)), bool)
    margin = _HEAD_MARGIN * np.tile(tight[:, 2:] - tight[:, :2], 2) * (-1, -1, 1, 1)
    overlaps = box_iou(tight + margin, tight + margin)
    np.fill_diagonal(overlaps, 0)
    near: NDArray[np.bool_] = overlaps != 0
    return near
