from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from facedots.detection.base import Adjustment, Detections, PrecomputedBoxes, SingleObjectDetector
from facedots.errors import PointsError, ShapeError
from facedots.geometry import CropSpec, Floats, Image
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec
from facedots.types import Keypoints


@given(
    st.lists(st.floats(-0.4, 0.4), min_size=4, max_size=4),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)
def test_the_adjustment_between_boxes_and_their_tight_boxes_is_found_again(
    edges: list[float], count: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(-50, 500, (count, 2))
    boxes = np.concatenate([corners, corners + random.uniform(5, 300, (count, 2))], axis=1)
    found = Adjustment.between(boxes, Adjustment(*edges).tight(boxes))
    assert np.allclose([found.left, found.top, found.right, found.bottom], edges, rtol=0, atol=2e-4)


def test_the_median_ignores_a_box_that_is_far_off() -> None:
    boxes = np.array([[0, 0, 10, 10]] * 3)
    tight = np.array([[1, 0, 10, 10], [1, 0, 10, 10], [9, 9, 10, 10]])
    assert Adjustment.between(boxes, tight) == Adjustment(0.1, 0, 0, 0)


def test_no_boxes_stay_no_boxes() -> None:
    assert Adjustment(0.1, 0.1, 0.1, 0.1).tight(np.zeros((0, 4))).shape == (0, 4)


def test_boxes_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match="boxes"):
        Adjustment(0, 0, 0, 0).tight([1, 2, 3, 4])


def test_answers_with_the_boxes_in_the_given_order() -> None:
    found = PrecomputedBoxes([[30, 40, 10, 20], [1, 2, 3, 4]])(np.zeros((50, 60, 3), np.uint8))
    assert found.boxes.tolist() == [[10, 20, 30, 40], [1, 2, 3, 4]]
    assert found.scores.tolist() == [1, 1]


def test_the_answer_can_be_changed_without_changing_the_next() -> None:
    detector = PrecomputedBoxes([[1, 2, 3, 4]])
    detector(np.zeros((50, 60, 3), np.uint8)).boxes[:] = 9
    assert detector(np.zeros((50, 60, 3), np.uint8)).boxes.tolist() == [[1, 2, 3, 4]]


def test_no_boxes() -> None:
    assert len(PrecomputedBoxes([])(np.zeros((50, 60, 3), np.uint8))) == 0


def test_detections_of_another_shape_or_without_a_score_are_refused() -> None:
    boxes, scores = np.array([[0, 0, 8, 9], [1, 1, 5, 5]], np.float32), np.ones(2, np.float32)
    for shapes in ((boxes, scores[:1]), (boxes[:, :3], scores), (boxes, scores, boxes[:1])):
        with pytest.raises(ShapeError, match="must have the shape"):
            Detections(*shapes)
    with pytest.raises(PointsError, match="score is not a number"):
        Detections(boxes, scores * np.nan)


def test_bad_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="box 1"):
        PrecomputedBoxes([[1, 2, 3, 4], [1, 2, 1, 4]])
    with pytest.raises(ShapeError):
        PrecomputedBoxes([1, 2, 3, 4])


IMAGE = np.zeros((50, 80, 3), np.uint8)
SCHEMA = KeypointSchema("ends", ("a", "b"), {"all": (0, 1)}, (0, 1), (), (0, 1))
TARGET = np.array([[10, 12], [30, 20]], np.float32)


class HalfWay:
    """Each prediction brings the points half the way from the corners of the box to the target."""

    def __init__(self) -> None:
        self.boxes: list[Floats] = []
        self.spec = ModelSpec("half", SCHEMA, CropSpec("box", 1.0), 8, 3, (0.0,) * 3, (1.0,) * 3)

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        box = np.asarray(boxes, np.float32)
        self.boxes.append(box[0])
        points = np.asarray((box.reshape(1, 2, 2) + TARGET) / 2, np.float32)
        nothing = np.full((1, 2, 2, 2), np.nan, np.float32)
        return Keypoints(points, nothing, nothing[..., 0, 0], nothing[:, 0, 0, 0], SCHEMA)


def test_each_prediction_is_in_the_box_around_the_points_of_the_one_before() -> None:
    predictor = HalfWay()
    found = SingleObjectDetector(predictor, share=0.8, refine=3)(IMAGE)
    # The middle of the image, 0.8 times 50 px a side.
    assert predictor.boxes[0].tolist() == [19.5, 4.5, 59.5, 44.5]
    assert predictor.boxes[1].tolist() == [14.75, 8.25, 44.75, 32.25]
    assert len(predictor.boxes) == 3
    expected = TARGET.ravel() + (predictor.boxes[0] - TARGET.ravel()) / 8
    np.testing.assert_allclose(found.boxes, expected[None], atol=1e-5)
    assert found.scores.tolist() == [1]


def test_an_untrained_network_whose_points_have_no_area_keeps_the_box_before() -> None:
    class Collapsing(HalfWay):
        def predict(
            self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
        ) -> Keypoints:
            return replace(super().predict(image, boxes), points=np.ones((1, 2, 2), np.float32))

    found = SingleObjectDetector(Collapsing(), share=0.8)(IMAGE)
    assert found.boxes.tolist() == [[19.5, 4.5, 59.5, 44.5]]
