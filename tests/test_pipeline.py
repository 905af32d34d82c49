from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facedots.detection.base import Detections, Detector, PrecomputedBoxes
from facedots.errors import ShapeError
from facedots.geometry import Floats, Image
from facedots.inference.predictor import KeypointPredictor
from facedots.pipeline import Pipeline
from facedots.schema import IBUG68
from facedots.types import Keypoints


class Fixed(Detector):
    """Finds the same in every image."""

    def __init__(self, detections: Detections) -> None:
        self.detections = detections

    def __call__(self, image: Image) -> Detections:
        return self.detections


@pytest.fixture(scope="module")
def predictor(tiny_model: Path) -> KeypointPredictor:
    return KeypointPredictor(tiny_model, refine=0)


def test_a_face_is_what_the_parts_say_of_it(predictor: KeypointPredictor) -> None:
    """The test network puts point k at (k / 10, 7 - k / 10) of its 8-pixel crop, whose square is
    the box here.
    """

    boxes = np.array([[0, 0, 80, 80], [100, 0, 140, 40]], np.float32)
    detector = Fixed(Detections(boxes, np.array([0.9, 0.8], np.float32)))
    first, second = Pipeline(detector, predictor)(np.zeros((200, 300, 3), np.uint8))
    assert (first.detection_score, second.detection_score) == pytest.approx((0.9, 0.8))
    assert first.score == second.score == 0.75
    assert first.box.tolist() == [0, 0, 80, 80]
    # Crop pixel u lies at box center + (u - 3.5) * 80 / 8.
    assert first.points[10] == pytest.approx([40 + (1 - 3.5) * 10, 40 + (6 - 3.5) * 10], abs=1e-4)
    assert second.points[10] == pytest.approx([120 + (1 - 3.5) * 5, 20 + (6 - 3.5) * 5], abs=1e-4)
    assert first.covariance == pytest.approx(
        np.broadcast_to(np.diag([36.0, 9.0]), (68, 2, 2)), rel=1e-5
    )
    assert second.sigma == pytest.approx(first.sigma / 2)
    assert first.confidence == pytest.approx(second.confidence, abs=1e-6)
    assert first.schema == IBUG68


def test_an_upright_crop_of_the_detector_reaches_the_predictor(
    predictor: KeypointPredictor,
) -> None:
    squares = np.array([[40, 40, 80, 90], [np.nan] * 4], np.float32)

    boxes = np.array([[0, 0, 80, 80], [0, 0, 80, 80]], np.float32)
    detector = Fixed(Detections(boxes, np.array([0.9, 0.8], np.float32), squares))
    tilted, plain = Pipeline(detector, predictor)(np.zeros((200, 300, 3), np.uint8))
    # The head is tilted by 90 degrees clockwise: to the right in the crop is down in the image.
    x, y = (plain.points - 40).T
    assert tilted.points - 40 == pytest.approx(np.stack([-y, x], axis=1), abs=1e-3)
    assert tilted.box.tolist() == [0, 0, 80, 80]


def test_by_default_retinaface_finds_the_faces(predictor: KeypointPredictor, hopper: Image) -> None:
    faces = Pipeline(predictor=predictor)(hopper)
    assert len(faces) == 1
    assert faces[0].detection_score is not None
    assert 0.99 < faces[0].detection_score <= 1
    assert faces[0].points.shape == (68, 2)


def test_nothing_found_is_an_empty_list(predictor: KeypointPredictor) -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    assert Pipeline(PrecomputedBoxes([]), predictor)(image) == []
    assert Pipeline(predictor=predictor)(image) == []


def test_a_image_of_another_kind_is_refused(predictor: KeypointPredictor) -> None:
    with pytest.raises(ShapeError, match=r"read_image\(path\)"):
        Pipeline(predictor=predictor)("photo.jpg")  # type: ignore[arg-type]


def test_points_are_found_in_the_best_boxes_only(predictor: KeypointPredictor) -> None:
    boxes = np.array([[0, 0, 80, 80], [100, 0, 140, 40], [0, 90, 50, 150]], np.float32)
    squares = np.full((3, 4), np.nan, np.float32)
    detector = Fixed(Detections(boxes, np.array([0.9, 0.8, 0.7], np.float32), squares))
    image = np.zeros((200, 300, 3), np.uint8)
    for count, expected in ((2, 2), (9, 3), (None, 3)):
        faces = Pipeline(detector, predictor, max_faces=count)(image)
        assert [face.box.tolist() for face in faces] == boxes[:expected].tolist()


def test_the_best_boxes_that_hold_are_counted(predictor: KeypointPredictor) -> None:
    class TakesTheLast(Fixed):
        def accepts(self, found: Floats, keypoints: Keypoints) -> NDArray[np.bool_]:
            return np.asarray(found < 0.8)

    boxes = np.array([[0, 0, 80, 80], [100, 0, 140, 40], [0, 90, 50, 150]], np.float32)
    squares, scores = np.full((3, 4), np.nan, np.float32), np.array([0.9, 0.8, 0.7], np.float32)
    detector, image = (
        TakesTheLast(Detections(boxes, scores, squares)),
        np.zeros((200, 300, 3), "u1"),
    )
    (face,) = Pipeline(detector, predictor, max_faces=1)(image)
    assert face.box.tolist() == boxes[2].tolist()


def test_a_number_of_faces_below_1_is_refused(predictor: KeypointPredictor) -> None:
    with pytest.raises(ValueError, match="max_faces=-1"):
        Pipeline(predictor=predictor, max_faces=-1)
