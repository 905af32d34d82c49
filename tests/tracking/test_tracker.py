"""Following faces in a world whose truth is known: rectangles with points, one before the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import ArrayLike

from facedots.errors import ShapeError
from facedots.geometry import Floats, Image, box_iou, tight_boxes
from facedots.schema import IBUG68
from facedots.tracking.track import LOST, LOST_SCORE, UNSURE, UNSURE_SCORE, appearance
from facedots.tracking.tracker import Tracker
from facedots.types import Detections, Face, Keypoints
from facedots.uncertainty import isotropic_covariance

RATE = 30
SIZE = 60.0
SHAPE = np.random.default_rng(0).uniform(-0.5, 0.5, (68, 2)).astype(np.float32)
SHAPE[:4] = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
SURE = 0.02


@dataclass
class Track:
    """Somebody at ``(x, y)``, painted in a pattern of their own; ``doubt``, in sizes, and ``score``
    are what the network says.
    """

    x: float
    y: float
    pattern: int
    doubt: float = SURE
    detected: bool = True
    score: float = np.nan

    @property
    def points(self) -> Floats:
        return np.asarray(SHAPE * SIZE + np.array([self.x, self.y]), np.float32)

    @property
    def box(self) -> Floats:
        return np.asarray(tight_boxes(self.points[None])[0], np.float32)


class World:
    """A frame's people, the nearest first; detector and network of it see whoever is not mostly
    covered.

    Where nobody is, the network is in doubt, and gives a low score if it gives people one.
    """

    def __init__(self) -> None:
        self.people: list[Track] = []
        self.given: list[Floats] = []
        self.false_alarms: list[Floats] = []

    def image(self) -> Image:
        canvas = np.full((240, 400, 3), 90, np.uint8)
        for person in reversed(self.people):
            paint = np.random.default_rng(person.pattern).integers(0, 255, (4, 4, 3), np.uint8)
            x0, y0, x1, y1 = person.box.round().astype(int)
            inside = np.s_[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
            height, width = canvas[inside].shape[:2]
            if height and width:
                canvas[inside] = paint.repeat(-(-height // 4), 0).repeat(-(-width // 4), 1)[
                    :height, :width
                ]
        return canvas

    def seen(self) -> list[Track]:
        return [
            person
            for i, person in enumerate(self.people)
            if all(box_iou([person.box], [other.box])[0, 0] < 0.35 for other in self.people[:i])
        ]

    def detector(self, image: Image) -> Detections:
        boxes = [person.box for person in self.seen() if person.detected] + self.false_alarms
        return Detections(
            np.reshape(boxes, (-1, 4)).astype(np.float32), np.full(len(boxes), 0.9, np.float32)
        )

    def predict(self, image: Image, boxes: ArrayLike) -> Keypoints:
        points, sigma, score = [], [], []
        for box in np.asarray(boxes, np.float32):
            self.given.append(box)
            overlaps = [float(box_iou([box], [person.box])[0, 0]) for person in self.seen()]
            person = (
                self.seen()[int(np.argmax(overlaps))] if overlaps and max(overlaps) > 0.2 else None
            )
            center = (box[:2] + box[2:]) / 2
            points.append(person.points if person else center + SHAPE * (box[2:] - box[:2]))
            sigma.append(np.full(68, (person.doubt if person else 2 * LOST) * SIZE))
            score.append(
                person.score
                if person
                else 0.0
                if any(np.isfinite(one.score) for one in self.people)
                else np.nan
            )
        doubts = np.asarray(sigma, np.float32)
        scores = np.asarray(score, np.float32)
        return Keypoints(
            np.asarray(points, np.float32),
            isotropic_covariance(doubts),
            np.exp(-doubts),
            scores,
            IBUG68,
        )


def follow(
    world: World, frames: Sequence[Sequence[Track]], tracker: Tracker, start: int = 0
) -> list[list[Face]]:
    results = []
    for i, people in enumerate(frames):
        world.people = list(people)
        results.append(tracker(world.image(), (start + i) / RATE))
    return results


def numbers(results: list[list[Face]]) -> list[list[int | None]]:
    return [[face.track_id for face in faces] for faces in results]


def test_one_face_is_followed_from_its_last_points() -> None:
    world = World()
    tracker = Tracker(world.detector, world, every=10, smooth=False)
    frames = [[Track(100 + 3 * i, 120, 1)] for i in range(41)]
    results = follow(world, frames, tracker)
    assert numbers(results) == [[0]] * 41
    assert tracker.detections == 5
    assert np.array_equal(results[7][0].points, frames[7][0].points)
    assert np.array_equal(results[7][0].box, frames[6][0].box)
    assert results[7][0].score == pytest.approx(0.9)


def test_points_are_smoothed_unless_that_is_off() -> None:
    world = World()
    noisy = np.random.default_rng(1).normal(100, 0.3, 60)
    frames = [[Track(x, 120, 1)] for x in noisy]
    flicker = {}
    for smooth in (False, True):
        results = follow(world, frames, Tracker(world.detector, world, smooth=smooth))
        flicker[smooth] = float(
            np.abs(np.diff([faces[0].points[0, 0] for faces in results[20:]])).mean()
        )
    assert flicker[True] < 0.4 * flicker[False]


def test_a_face_that_is_lost_for_a_moment_keeps_its_number() -> None:
    world = World()
    tracker = Tracker(world.detector, world)
    frames: list[list[Track]] = [[Track(100, 120, 1)]] * 10 + [[]] * 10 + [[Track(120, 120, 1)]] * 5
    assert numbers(follow(world, frames, tracker)) == [[0]] * 10 + [[]] * 10 + [[0]] * 5


def test_a_face_that_was_gone_for_long_is_somebody_new() -> None:
    world = World()
    tracker = Tracker(world.detector, world, max_lost_seconds=1.0)
    frames: list[list[Track]] = [[Track(100, 120, 1)]] * 3 + [[]] * 40 + [[Track(100, 120, 1)]] * 3
    assert numbers(follow(world, frames, tracker))[-1] == [1]


def test_somebody_else_in_the_same_place_is_somebody_new() -> None:
    world = World()
    frames: list[list[Track]] = [[Track(100, 120, 1)]] * 3 + [[]] * 3 + [[Track(100, 120, 2)]] * 3
    assert numbers(follow(world, frames, Tracker(world.detector, world)))[-1] == [1]


@pytest.mark.parametrize("first_in_front", [True, False])
@pytest.mark.parametrize("shift", [0, 20])
@pytest.mark.parametrize("speed", [3, 8])
def test_faces_that_cross_keep_their_numbers(first_in_front: bool, shift: int, speed: int) -> None:
    world = World()
    frames = []
    for i in range(240 // speed):
        people = [Track(60 + speed * i, 110, 1), Track(340 - speed * i, 110 + shift, 2)]
        frames.append(people if first_in_front else people[::-1])
    results = follow(world, frames, Tracker(world.detector, world))
    where = [
        {face.track_id: float(face.points[:4, 0].mean()) for face in faces} for faces in results
    ]
    first, last = where[3], where[-1]
    assert len(first) == len(last) == 2
    assert {number for faces in where for number in faces} == {0, 1}
    assert all((first[number] < 200) == (last[number] > 200) for number in (0, 1))
    assert min(len(faces) for faces in where) == 1  # One was hidden for a while.


def test_who_comes_in_is_found_at_the_next_look() -> None:
    world = World()
    frames = [[Track(100, 120, 1)]] * 5 + [[Track(100, 120, 1), Track(300, 120, 2)]] * 20
    results = numbers(follow(world, frames, Tracker(world.detector, world, every=10)))
    assert results[9] == [0]
    assert results[11] == [0, 1]


def test_an_unsure_face_is_shown_to_the_detector_and_given_up_when_it_disagrees() -> None:
    world = World()
    tracker = Tracker(world.detector, world, every=1000)
    between = (UNSURE + LOST) / 2
    seen = follow(
        world, [[Track(100, 120, 1)]] + [[Track(100, 120, 1, doubt=between)]] * 20, tracker
    )
    assert all(seen)
    assert tracker.detections == 1 + 4
    unseen = follow(
        world, [[Track(100, 120, 1, doubt=between, detected=False)]] * 30, tracker, start=21
    )
    assert unseen[5]
    assert not unseen[-1]


def test_a_score_counts_for_more_than_the_sigmas() -> None:
    world = World()
    tracker = Tracker(world.detector, world, every=1000)
    sure = follow(world, [[Track(100, 120, 1, doubt=2 * LOST, score=0.95)]] * 20, tracker)
    assert tracker.detections == 1
    assert [[face.score, face.detection_score] for face in sure[9]] == [pytest.approx([0.95, 0.9])]
    between = (UNSURE_SCORE + LOST_SCORE) / 2
    assert all(follow(world, [[Track(100, 120, 1, score=between)]] * 20, tracker, start=20))
    assert tracker.detections == 1 + 4
    assert not follow(
        world, [[Track(100, 120, 1, score=between, detected=False)]] * 30, tracker, start=40
    )[-1]


def test_a_face_whose_score_falls_is_dropped_and_looked_for_at_once() -> None:
    world = World()
    tracker = Tracker(world.detector, world, every=1000)
    follow(world, [[Track(100, 120, 1, score=0.95)]] * 5, tracker)
    assert (
        follow(world, [[Track(100, 120, 1, score=LOST_SCORE / 2)]] * 5, tracker, start=5)
        == [[]] * 5
    )
    assert tracker.detections == 1 + 5
    # The head has jumped: the crop around its last place shows too little of it, the detector's box
    # all of it.
    assert numbers(follow(world, [[Track(120, 120, 1, score=0.95)]], tracker, start=10)) == [[0]]
    assert numbers(follow(world, [[Track(175, 120, 1, score=0.95)]], tracker, start=11)) == [[0]]
    assert tracker.detections == 1 + 5 + 2


def test_a_sure_face_stays_where_the_detector_is_blind() -> None:
    world = World()
    frames = [[Track(100, 120, 1)]] + [[Track(100, 120, 1, detected=False)]] * 60
    assert all(follow(world, frames, Tracker(world.detector, world, every=5)))


def test_a_network_without_sigma_follows_the_detector() -> None:
    world = World()
    tracker = Tracker(world.detector, world, every=10)
    frames = [[Track(100, 120, 1, doubt=np.nan)]] * 40
    assert all(follow(world, frames, tracker))
    assert tracker.detections == 4
    assert not follow(
        world, [[Track(100, 120, 1, doubt=np.nan, detected=False)]] * 40, tracker, start=40
    )[-1]


def test_a_false_alarm_of_the_detector_is_no_face() -> None:
    world = World()
    world.false_alarms = [np.array([200, 20, 260, 80], np.float32)]
    assert (
        numbers(follow(world, [[Track(100, 120, 1)]] * 3, Tracker(world.detector, world, every=1)))
        == [[0]] * 3
    )


def test_a_face_that_leaves_the_image_is_gone() -> None:
    world = World()
    frames = [[Track(60 - 4 * i, 120, 1)] for i in range(25)]
    results = follow(world, frames, Tracker(world.detector, world))
    assert results[10]
    assert not results[-1]


def test_without_faces_the_detector_looks_at_every_frame() -> None:
    world = World()
    tracker = Tracker(world.detector, world)
    assert follow(world, [[]] * 4, tracker) == [[]] * 4
    assert tracker.detections == 4


def test_a_jump_of_the_clock_begins_anew() -> None:
    world = World()
    tracker = Tracker(world.detector, world)
    follow(world, [[Track(100, 120, 1)]] * 3, tracker, start=300)
    assert numbers(follow(world, [[Track(100, 120, 1)]] * 2, tracker, start=0)) == [[1]] * 2


def test_a_wrong_image_is_refused() -> None:
    world = World()
    with pytest.raises(ShapeError):
        Tracker(world.detector, world)(np.zeros((8, 8), np.uint8), 0.0)


def test_a_description_knows_faces_apart_but_not_brightness() -> None:
    world = World()
    one, other = Track(100, 120, 1), Track(100, 120, 2)
    looks = []
    for person in (one, other):
        world.people = [person]
        looks.append(appearance(world.image(), person.points))
    world.people = [one]
    darker = appearance((world.image() * 0.7).astype(np.uint8), one.points)
    assert looks[0] @ darker > 0.95
    assert looks[0] @ looks[1] < 0.6
    outside = appearance(world.image(), one.points - 500)
    assert np.isfinite(outside).all()
