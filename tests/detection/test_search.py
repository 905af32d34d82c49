"""The search: every place and size is looked at, nothing is found twice, cut boxes give way, weak
candidates get a second look, lying heads are found where they are asked for, and no upright one is
lost by that.
"""

import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from facedots.data.splits import load_source
from facedots.detection.base import Detections, Detector, PrecomputedBoxes, SearchRange
from facedots.detection.candidates import TEMPLATE, Candidates, upright_squares
from facedots.detection.finder import Finder
from facedots.detection.opencv import Haar, YuNet
from facedots.detection.retinaface import RetinaFace
from facedots.detection.search import SearchingDetector
from facedots.geometry import (
    Floats,
    Image,
    apply_affine,
    box_iou,
    similarity,
    tight_boxes,
    warp_image,
)
from facedots.io.images import read_image


class Spots(SearchingDetector):
    """Finds each view's white rectangle of 20 to 200 pixels whose green part is at its top; one
    with blue in it is a weak candidate in views of more than 112 pixels.
    """

    view_faces = (20, 200)

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.views: list[tuple[int, ...]] = []

    def candidates(self, view: Image, min_score: float) -> Candidates:
        self.views.append(view.shape[:2])
        red = view[..., 0] > 100
        rows, columns = (np.flatnonzero(red.any(axis=axis)) for axis in (1, 0))
        box = np.array([[0, 0, 1, 1]])
        score = 0.0
        if len(rows) and 18 <= max(len(rows), len(columns)) <= 210:
            box = np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]])
            face = view[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            third = len(rows) // 3
            upright = face[:third, :, 1].mean() > face[-third:, :, 1].mean() + 20
            score = 0.99 if upright else 0.03
            if face[..., 2].mean() > 40 and len(view) > 112:
                score = min(score, 0.1)
        keep = np.array([score]) >= min_score
        side = (box[:, 2:] - box[:, :2]).max()
        points = TEMPLATE[None] * side + (box[:, None, :2] + box[:, None, 2:]) / 2
        return Candidates.of(box[keep], np.array([score], np.float32)[keep], points[keep])


def scene(size: tuple[int, int], left: int, top: int, side: int, blue: int = 0) -> Image:
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[top : top + side, left : left + side] = (255, 0, blue)
    image[top : top + side // 2, left : left + side, 1] = 255
    return image


@pytest.mark.parametrize("left", [0, 830, 1490, 2970])
@pytest.mark.parametrize("top", [0, 835, 1470])
def test_a_small_face_is_found_once_wherever_it_is(left: int, top: int) -> None:
    found = Spots(search="thorough")(scene((3000, 1500), left, top, 24))
    assert np.abs(found.boxes - [[left, top, left + 24, top + 24]]).max() < 3


@pytest.mark.parametrize("side", [24, 50, 130, 200, 420, 900, 1400])
def test_faces_of_all_sizes_are_found_once(side: int) -> None:
    found = Spots(search="thorough")(scene((3000, 1500), 700, 50, side))
    assert np.abs(found.boxes - [[700, 50, 700 + side, 50 + side]]).max() < 0.1 * side


def test_the_presets_and_the_smallest_face_bound_the_cost() -> None:
    image = scene((3000, 1500), 700, 50, 300)
    pixels = []
    for options in ({"search": "fast"}, {}, {"min_face": 60}, {"search": "thorough"}):
        detector = Spots(**options)
        detector(image)
        pixels.append(sum(height * width for height, width in detector.views))
        smallest = detector.search_range(3000, 1500).smallest
        assert pixels[-1] < 1.5 * image[..., 0].size * (20 / smallest) ** 2 + 5e4
    assert pixels == sorted(pixels)
    assert Spots(min_face=1).search_range(100, 100).smallest == 10, "no zoom above 2"


def test_a_weak_candidate_gets_a_second_look() -> None:
    image = scene((300, 300), 90, 60, 50, blue=200)
    detector = Spots()
    found = detector(image)
    assert found.scores.tolist() == pytest.approx([0.99])
    assert np.abs(found.boxes - [[90, 60, 140, 110]]).max() < 3
    assert detector.views[-1] == (112, 112)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_lying_heads_are_found_at_any_angle_alone(turn: int) -> None:
    image = np.ascontiguousarray(np.rot90(scene((300, 200), 90, 60, 50), turn))
    assert not len(Spots()(image))
    found = Spots(any_angle=True)(image)
    assert found.squares is not None
    assert abs(found.squares[0, 3]) == pytest.approx(abs((-90 * turn + 180) % 360 - 180), abs=1)
    rows, columns = (np.flatnonzero(image[..., 0].any(axis=axis)) for axis in (1, 0))
    box = [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
    assert box_iou(found.boxes, box)[0, 0] > 0.85


class Veiled(Spots):
    """Gives points in turned views alone, and sees nothing in a second look."""

    def candidates(self, view: Image, min_score: float) -> Candidates:
        found = super().candidates(view, min_score)
        points = np.where(found.scores[:, None, None] > 0.5, np.nan, found.points)
        found = replace(found, scores=found.scores.clip(max=0.95), points=points)
        return found[:0] if len(view) == 112 else found


def test_a_turned_candidate_that_does_not_hold_leaves_the_upright_face() -> None:
    image = scene((300, 200), 90, 60, 50)
    upright = Veiled(search="thorough")(image)
    assert upright.scores.tolist() == pytest.approx([0.95])
    turned = Veiled(search="thorough", any_angle=True)(image)
    np.testing.assert_array_equal(turned.boxes, upright.boxes)


class Guesses(SearchingDetector):
    """Up to four boxes at random, some outside, the same whenever it sees the same view."""

    view_faces = (20, 200)

    def candidates(self, view: Image, min_score: float) -> Candidates:
        rng = np.random.default_rng(zlib.crc32(view.tobytes()))
        count, (height, width) = int(rng.integers(5)), view.shape[:2]
        centers = rng.uniform(-1, 2, (count, 2)) * (width, height)
        sides = rng.uniform(15, min(200, height), (count, 1))
        scores = np.sort(rng.uniform(0, 1, count).astype(np.float32) ** 0.5)[::-1]
        points = TEMPLATE * sides[..., None] + centers[:, None]
        points[rng.uniform(size=count) < 0.4] = np.nan
        boxes = np.concatenate([centers - sides / 2, centers + sides / 2], axis=1)
        return Candidates.of(boxes, scores, points)[scores >= min_score]


@pytest.mark.parametrize("min_score", [0.3, 0.8])
def test_any_angle_loses_no_face_of_the_upright_search(min_score: float) -> None:
    faces = 0
    for seed in range(40):
        image = np.random.default_rng(seed).integers(0, 256, (150, 200, 3), np.uint8)
        upright = Guesses(min_score, "thorough")(image)
        turned = Guesses(min_score, "thorough", any_angle=True)(image)
        (near, sides), (others, other_sides) = map(middles, (upright, turned))
        apart = np.linalg.norm(near[:, None] - others, axis=2)
        same = apart < np.minimum(sides[:, None], other_sides) / 2
        same |= box_iou(upright.boxes, turned.boxes) > 0.4
        assert same.any(axis=1).all()
        assert (turned.scores >= min_score).all()
        faces += len(near)
    assert faces > 20


def middles(found: Detections) -> tuple[Floats, Floats]:
    corners = found.boxes.reshape(-1, 2, 2)
    return corners.mean(axis=1), np.ptp(corners, axis=1).max(axis=1, initial=0)


def test_a_square_follows_the_face_and_disagreeing_points_have_none() -> None:
    turn = similarity(30, 80, (200, 100), (0, 0))
    points = apply_affine(turn, TEMPLATE)[None]
    square = upright_squares(points)[0]
    np.testing.assert_allclose(square[3], 30, atol=1)
    assert np.hypot(*(square[:2] - (200, 100))) < 8
    assert 0.85 < square[2] / 80 < 1.15
    boxes = np.array([[160, 60, 240, 140], [60, 60, 140, 140]])
    squares = Candidates.of(boxes, np.ones(2, np.float32), np.tile(points, (2, 1, 1))).squares()
    assert np.isfinite(squares[0]).all()
    assert np.isnan(squares[1]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"search": "slow"}, "search='slow': not one of fast, default, thorough"),
        ({"min_face": 0}, "min_face=0: "),
        ({"min_face": -3}, "min_face=-3: "),
        ({"min_face": float("nan")}, "min_face=nan: "),
        ({"min_score": 7}, "min_score=7: a number from 0 to 1"),
        ({"min_score": -0.1}, "min_score=-0.1: "),
        ({"min_score": float("nan")}, "min_score=nan: "),
    ],
)
@pytest.mark.parametrize(
    "detector", [Spots, RetinaFace, partial(YuNet, "yunet.onnx"), partial(Finder, "finder.onnx")]
)
def test_no_such_search(
    detector: Callable[..., Detector], options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        detector(**options)


def test_detectors_tell_what_they_look_for() -> None:
    assert str(RetinaFace().search_range(640, 480)) == ("faces from 32 pixels, tilted by up to 45°")
    whole = RetinaFace(search="thorough", any_angle=True).search_range(4000, 3000)
    assert str(whole) == "faces from 24 pixels, at any angle"
    assert whole.omissions(24) == ""
    assert RetinaFace(any_angle=True).search_range(4000, 3000).omissions(24) == (
        "faces below 125 pixels were not looked for"
    )
    assert "45° were not" in RetinaFace(search="thorough").search_range(40, 30).omissions(24)
    assert "only upright frontal faces" in Haar().search_range(100, 100).omissions(24)
    assert PrecomputedBoxes([]).search_range(9, 9) == SearchRange()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rolls", "least"), [((0,), 0.99), ((-45, 45), 0.97), ((-90, 90), 0.97), ((180,), 0.97)]
)
def test_real_faces_are_found_at_any_angle(
    rolls: tuple[float, ...], least: float, data_dir: Path
) -> None:
    detector, hits = RetinaFace(any_angle=True), []
    faces = load_source(data_dir, "youtube-faces").subsets["test"][::10]
    for face, roll in product(faces, rolls):
        image = read_image(face.image, orient=False)
        height, width = image.shape[:2]
        side = int(np.hypot(height, width)) + 1
        shift = ((side - width) / 2, (side - height) / 2)
        turn = similarity(roll, 1, shift, ((width - 1) / 2, (height - 1) / 2))
        found = detector(warp_image(image, turn, (side, side)))
        truth = tight_boxes(apply_affine(turn, face.points)[None])
        hits.append(box_iou(truth, found.boxes).max(initial=0) > 0.5)
    assert np.mean(hits) >= least
