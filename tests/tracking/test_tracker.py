"""Tracking of simulated faces: patterned squares with points, one in front of the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from tests.faces import isotropic_covariance

from facedots.detection.base import Detections, Detector
from facedots.errors import ShapeError
from facedots.geometry import Floats, Image, box_iou, tight_boxes
from facedots.schema import IBUG68
from facedots.spec import ModelSpec
from facedots.tracking.track import (
    CONFIDENT_SCORE,
    CONFIDENT_SIGMA,
    HIDDEN_SCORE,
    LOST_SCORE,
    LOST_SIGMA,
)
from facedots.tracking.tracker import Tracker
from facedots.types import Face, Keypoints

RATE = 30
SIZE = 60.0
SHAPE = np.random.default_rng(0).uniform(-0.5, 0.5, (68, 2)).astype(np.float32)
SHAPE[:4] = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
SIGMA = 0.02


@dataclass
class SimulatedFace:
    """A patterned square at ``(x, y)``; ``sigma`` (in face sizes) and ``score`` are predicted."""

    x: float
    y: float
    pattern: int
    sigma: float = SIGMA
    detected: bool = True
    score: float = np.nan

    @property
    def points(self) -> Floats:
        return np.asarray(SHAPE * SIZE + np.array([self.x, self.y]), np.float32)

    @property
    def box(self) -> Floats:
        box: Floats = tight_boxes(self.points[None])[0]
        return box


@dataclass(frozen=True)
class FunctionDetector(Detector):
    """A detector made of a function, which drops the keypoints of some boxes."""

    detect: Callable[[Image], Detections]
    least_score: float = 0.0

    def __call__(self, image: Image) -> Detections:
        return self.detect(image)

    def accepts(self, found: Floats, keypoints: Keypoints) -> NDArray[np.bool_]:
        return np.asarray(np.isnan(keypoints.score) | (keypoints.score >= self.least_score))


class World:
    """The faces of a frame, the nearest first, with a detector and a network for them.

    Both find the faces that are not mostly covered. In a box without a face the network has a large
    sigma, and score 0 if it gives any face a score.
    """

    def __init__(self) -> None:
        self.faces: list[SimulatedFace] = []
        self.false_alarms: list[Floats] = []

    def image(self) -> Image:
        canvas = np.full((240, 400, 3), 90, np.uint8)
        for face in reversed(self.faces):
            paint = np.random.default_rng(face.pattern).integers(0, 255, (4, 4, 3), np.uint8)
            x0, y0, x1, y1 = face.box.round().astype(int)
            window = canvas[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
            height, width = window.shape[:2]
            if height and width:
                tiles = paint.repeat(-(-height // 4), 0).repeat(-(-width // 4), 1)
                window[:] = tiles[:height, :width]
        return canvas

    spec: ModelSpec

    def visible(self) -> list[SimulatedFace]:
        return [
            face
            for i, face in enumerate(self.faces)
            if all(box_iou([face.box], [other.box])[0, 0] < 0.35 for other in self.faces[:i])
        ]

    @property
    def detector(self) -> FunctionDetector:
        return FunctionDetector(self.detect)

    def detect(self, image: Image) -> Detections:
        boxes = [face.box for face in self.visible() if face.detected] + self.false_alarms
        scores = np.full(len(boxes), 0.9, np.float32)
        return Detections(np.reshape(boxes, (-1, 4)).astype(np.float32), scores)

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        points, sigmas, scores = [], [], []
        scored = any(np.isfinite(face.score) for face in self.faces)
        for box in np.asarray(boxes, np.float32):
            overlaps = [float(box_iou([box], [face.box])[0, 0]) for face in self.visible()]
            if overlaps and max(overlaps) > 0.2:
                face = self.visible()[int(np.argmax(overlaps))]
                points.append(face.points)
                sigmas.append(face.sigma * SIZE)
                scores.append(face.score)
            else:
                points.append((box[:2] + box[2:]) / 2 + SHAPE * (box[2:] - box[:2]))
                sigmas.append(2 * LOST_SIGMA * SIZE)
                scores.append(0.0 if scored else np.nan)
        sigma = np.tile(np.array(sigmas, np.float32)[:, None], (1, 68))
        covariance, confidence = isotropic_covariance(sigma), np.exp(-sigma)
        score = np.array(scores, np.float32)
        return Keypoints(np.array(points, np.float32), covariance, confidence, score, IBUG68)


def follow(
    world: World, frames: Sequence[Sequence[SimulatedFace]], tracker: Tracker, start: int = 0
) -> list[list[Face]]:
    results = []
    for i, faces in enumerate(frames):
        world.faces = list(faces)
        results.append(tracker(world.image(), (start + i) / RATE))
    return results


def track_ids(results: list[list[Face]]) -> list[list[int | None]]:
    return [[face.track_id for face in faces] for faces in results]


def test_a_face_is_tracked_from_its_last_points() -> None:
    world = World()
    tracker = Tracker(world.detector, world, detect_every=10, smooth=False)
    frames = [[SimulatedFace(100 + 3 * i, 120, 1)] for i in range(41)]
    results = follow(world, frames, tracker)
    assert track_ids(results) == [[0]] * 41
    assert tracker.detector_runs == 5
    assert np.array_equal(results[7][0].points, frames[7][0].points)
    assert np.array_equal(results[7][0].box, frames[6][0].box)
    assert results[7][0].score == pytest.approx(0.9)


def test_points_are_smoothed_unless_that_is_off() -> None:
    world = World()
    noisy = np.random.default_rng(1).normal(100, 0.3, 60)
    frames = [[SimulatedFace(x, 120, 1)] for x in noisy]
    flicker = {}
    for smooth in (False, True):
        results = follow(world, frames, Tracker(world.detector, world, smooth=smooth))
        flicker[smooth] = float(
            np.abs(np.diff([faces[0].points[0, 0] for faces in results[20:]])).mean()
        )
    assert flicker[True] < 0.4 * flicker[False]


class EyedWorld(World):
    """Its network also predicts pupils, which lie on the first two points."""

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        found = super().predict(image, boxes, squares)
        return replace(found, pupils=found.points[:, :2], pupils_covariance=found.covariance[:, :2])


def test_pupils_are_smoothed_with_the_points() -> None:
    world = EyedWorld()
    noisy = np.random.default_rng(1).normal(100, 0.3, 60)
    frames = [[SimulatedFace(x, 120, 1)] for x in noisy]
    for smooth in (False, True):
        results = follow(world, frames, Tracker(world.detector, world, smooth=smooth))
        for (face,) in results:
            assert face.points.shape == (68, 2)
            assert face.pupils is not None
            np.testing.assert_allclose(face.pupils, face.points[:2], atol=1e-3)
        assert np.array_equal(results[-1][0].points, frames[-1][0].points) != smooth


@pytest.mark.parametrize(
    ("before", "lost", "again", "track_id"),
    [
        (10, 10, SimulatedFace(120, 120, 1), 0),
        (3, 40, SimulatedFace(100, 120, 1), 1),
        (3, 3, SimulatedFace(100, 120, 2), 1),
    ],
    ids=["lost for a moment", "lost for longer", "another face in its place"],
)
def test_a_face_that_comes_back_in_time_keeps_its_id(
    before: int, lost: int, again: SimulatedFace, track_id: int
) -> None:
    world = World()
    frames = [[SimulatedFace(100, 120, 1)]] * before + [[]] * lost + [[again]] * 3
    found = track_ids(follow(world, frames, Tracker(world.detector, world, max_lost_seconds=1.0)))
    assert found == [[0]] * before + [[]] * lost + [[track_id]] * 3


@pytest.mark.parametrize("first_in_front", [True, False])
@pytest.mark.parametrize("shift", [0, 20])
@pytest.mark.parametrize("speed", [3, 8])
def test_crossing_faces_keep_their_ids(first_in_front: bool, shift: int, speed: int) -> None:
    world = World()
    frames = []
    for i in range(240 // speed):
        faces = [
            SimulatedFace(60 + speed * i, 110, 1),
            SimulatedFace(340 - speed * i, 110 + shift, 2),
        ]
        frames.append(faces if first_in_front else faces[::-1])
    results = follow(world, frames, Tracker(world.detector, world))
    where = [
        {face.track_id: float(face.points[:4, 0].mean()) for face in faces} for faces in results
    ]
    first, last = where[3], where[-1]
    assert len(first) == len(last) == 2
    assert {number for faces in where for number in faces} == {0, 1}
    assert all((first[number] < 200) == (last[number] > 200) for number in (0, 1))
    assert min(len(faces) for faces in where) == 1  # One was hidden for a while.


def test_a_new_face_is_found_at_the_next_detector_run() -> None:
    world = World()
    frames = [[SimulatedFace(100, 120, 1)]] * 5 + [
        [SimulatedFace(100, 120, 1), SimulatedFace(300, 120, 2)]
    ] * 20
    results = track_ids(follow(world, frames, Tracker(world.detector, world, detect_every=10)))
    assert results[9] == [0]
    assert results[11] == [0, 1]


def test_an_uncertain_face_is_rechecked_and_dropped_when_the_detector_misses_it() -> None:
    world = World()
    tracker = Tracker(world.detector, world, detect_every=1000)
    between = (CONFIDENT_SIGMA + LOST_SIGMA) / 2
    seen = follow(
        world,
        [[SimulatedFace(100, 120, 1)]] + [[SimulatedFace(100, 120, 1, sigma=between)]] * 20,
        tracker,
    )
    assert all(seen)
    assert tracker.detector_runs == 1 + 3  # after 5, 10 and 20 frames
    unseen = follow(
        world, [[SimulatedFace(100, 120, 1, sigma=between, detected=False)]] * 30, tracker, start=21
    )
    assert unseen[5]
    assert not unseen[-1]


def test_a_score_overrides_sigma() -> None:
    world = World()
    tracker = Tracker(world.detector, world, detect_every=1000)
    sure = follow(
        world, [[SimulatedFace(100, 120, 1, sigma=2 * LOST_SIGMA, score=0.95)]] * 20, tracker
    )
    assert tracker.detector_runs == 1
    assert [[face.score, face.detection_score] for face in sure[9]] == [pytest.approx([0.95, 0.9])]
    between = (CONFIDENT_SCORE + LOST_SCORE) / 2
    assert all(follow(world, [[SimulatedFace(100, 120, 1, score=between)]] * 20, tracker, start=20))
    assert tracker.detector_runs == 1 + 3  # at once, then after 5 and 10 frames
    assert not follow(
        world, [[SimulatedFace(100, 120, 1, score=between, detected=False)]] * 30, tracker, start=40
    )[-1]


def test_a_face_whose_score_falls_is_dropped_and_redetected_at_once() -> None:
    world = World()
    tracker = Tracker(world.detector, world, detect_every=1000)
    follow(world, [[SimulatedFace(100, 120, 1, score=0.95)]] * 5, tracker)
    assert (
        follow(world, [[SimulatedFace(100, 120, 1, score=HIDDEN_SCORE / 2)]] * 5, tracker, start=5)
        == [[]] * 5
    )
    assert tracker.detector_runs == 1 + 5
    # The head has jumped: the crop around its last place shows too little of it, the detector's box
    # all of it.
    assert track_ids(
        follow(world, [[SimulatedFace(120, 120, 1, score=0.95)]], tracker, start=10)
    ) == [[0]]
    assert track_ids(
        follow(world, [[SimulatedFace(175, 120, 1, score=0.95)]], tracker, start=11)
    ) == [[0]]
    assert tracker.detector_runs == 1 + 5 + 2


def test_a_weak_face_is_kept_while_the_detector_confirms_it_and_never_starts_a_track() -> None:
    world = World()
    tracker, weak = Tracker(world.detector, world), (HIDDEN_SCORE + LOST_SCORE) / 2
    frame = [SimulatedFace(100, 120, 1, score=weak)]
    assert follow(world, [frame] * 5, tracker) == [[]] * 5
    follow(world, [[SimulatedFace(100, 120, 1, score=0.95)]] * 5, tracker, start=5)
    assert track_ids(follow(world, [frame] * 20, tracker, start=10)) == [[0]] * 20
    assert tracker.detector_runs <= 5 + 1 + 4
    missed = [SimulatedFace(100, 120, 1, score=weak, detected=False)]
    assert follow(world, [missed] * 10, tracker, start=30)[-1] == []


def test_the_detector_s_tilted_squares_reach_the_predictor() -> None:
    world = World()
    given = list[object]()
    square = np.array([[100, 120, 60, 90]], np.float32)

    def detect(image: Image) -> Detections:
        return Detections(world.faces[0].box[None], np.ones(1, np.float32), square)

    def predict(image: Image, boxes: ArrayLike, squares: ArrayLike | None = None) -> Keypoints:
        given.append(squares)
        return World.predict(world, image, boxes, squares)

    world.predict = predict  # type: ignore[method-assign]
    follow(world, [[SimulatedFace(100, 120, 1)]] * 2, Tracker(FunctionDetector(detect), world))
    assert np.array_equal(np.asarray(given[0]), square)
    assert given[1] is None


def test_a_confident_face_stays_where_the_detector_misses_it() -> None:
    world = World()
    frames = [[SimulatedFace(100, 120, 1)]] + [[SimulatedFace(100, 120, 1, detected=False)]] * 60
    assert all(follow(world, frames, Tracker(world.detector, world, detect_every=5)))


def test_a_network_without_sigma_follows_the_detector() -> None:
    world = World()
    tracker = Tracker(world.detector, world, detect_every=10)
    frames = [[SimulatedFace(100, 120, 1, sigma=np.nan)]] * 40
    assert all(follow(world, frames, tracker))
    assert tracker.detector_runs == 4
    assert not follow(
        world, [[SimulatedFace(100, 120, 1, sigma=np.nan, detected=False)]] * 40, tracker, start=40
    )[-1]


def test_a_false_alarm_of_the_detector_is_no_face() -> None:
    world = World()
    world.false_alarms = [np.array([200, 20, 260, 80], np.float32)]
    assert (
        track_ids(
            follow(
                world,
                [[SimulatedFace(100, 120, 1)]] * 3,
                Tracker(world.detector, world, detect_every=1),
            )
        )
        == [[0]] * 3
    )


@pytest.mark.parametrize("max_faces", [None, 1])
def test_a_new_face_that_the_detector_does_not_accept_is_none(max_faces: int | None) -> None:
    world = World()
    frames = [[SimulatedFace(100, 120, 1, score=0.7), SimulatedFace(300, 120, 2, score=0.95)]] * 3
    detector = FunctionDetector(world.detect, least_score=0.9)
    tracker = Tracker(detector, world, max_faces=max_faces, detect_every=1)
    results = follow(world, frames, tracker)
    assert [[face.points.mean(0)[0] > 200 for face in faces] for faces in results] == [[True]] * 3


def test_so_many_faces_as_wanted_are_followed() -> None:
    world = World()
    frames = [[SimulatedFace(100, 120, 1), SimulatedFace(300, 120, 2)]] * 3
    results = follow(world, frames, Tracker(world.detector, world, max_faces=1))
    assert track_ids(results) == [[0]] * 3


def test_the_face_that_is_followed_stays_where_another_is_found_before_it() -> None:
    world = World()
    first, second = SimulatedFace(100, 120, 1), SimulatedFace(300, 120, 2)
    frames = [[first], *[[second, replace(first, sigma=CONFIDENT_SIGMA + 0.01)]] * 8]
    tracker = Tracker(world.detector, world, max_faces=1, detect_every=1)
    results = follow(world, frames, tracker)
    assert track_ids(results) == [[0]] * 9
    assert all(faces[0].points.mean(0)[0] < 200 for faces in results)


def test_a_face_that_leaves_the_image_is_gone() -> None:
    world = World()
    frames = [[SimulatedFace(60 - 4 * i, 120, 1)] for i in range(25)]
    results = follow(world, frames, Tracker(world.detector, world))
    assert results[10]
    assert not results[-1]


def test_without_faces_the_detector_runs_on_every_frame() -> None:
    world = World()
    tracker = Tracker(world.detector, world)
    assert follow(world, [[]] * 4, tracker) == [[]] * 4
    assert tracker.detector_runs == 4


def test_a_jump_of_the_clock_restarts_tracking() -> None:
    world = World()
    tracker = Tracker(world.detector, world)
    follow(world, [[SimulatedFace(100, 120, 1)]] * 3, tracker, start=300)
    assert (
        track_ids(follow(world, [[SimulatedFace(100, 120, 1)]] * 2, tracker, start=0)) == [[1]] * 2
    )


@pytest.mark.parametrize(
    "numbers", [{"detect_every": 0}, {"max_lost_seconds": -1}, {"max_lost_seconds": np.nan}]
)
def test_numbers_without_a_meaning_are_refused(numbers: dict[str, Any]) -> None:
    world = World()
    with pytest.raises(ValueError, match="at least 1 and 0"):
        Tracker(world.detector, world, **numbers)
    tracker = Tracker(world.detector, world)
    for time in (np.nan, np.inf):
        with pytest.raises(ValueError, match="not a time in seconds"):
            tracker(world.image(), time)


def test_a_wrong_image_is_refused() -> None:
    world = World()
    with pytest.raises(ShapeError):
        Tracker(world.detector, world)(np.zeros((8, 8), np.uint8), 0.0)
