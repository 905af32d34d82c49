"""tools/teacher.py: labels move half of the way to a network's, where these are near."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from teacher import STYLES, Teacher

from facedots import IBUG68, Keypoints
from facedots.annotations import FaceAnnotation
from facedots.data.augment import mirror_points
from facedots.data.synthetic import cached_synthetic
from facedots.geometry import Floats, Image
from facedots.models.registry import build_model


class Shape:
    """A predictor that answers the same symmetric shape in every box."""

    spec = build_model("tiny").spec

    def __init__(self, points: Floats) -> None:
        both = points + mirror_points(points, 100, IBUG68)
        self.unit = (both - both.min(axis=0)) / np.ptp(both, axis=0)

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        """Points in each of the boxes (N, 4)."""
        boxes = np.asarray(boxes, np.float32)
        points = boxes[:, None, :2] + self.unit * (boxes[:, None, 2:] - boxes[:, None, :2])
        nothing = np.full((len(boxes), 68), np.nan, np.float32)
        covariance = np.full((len(boxes), 68, 2, 2), np.nan, np.float32)
        return Keypoints(points.astype(np.float32), covariance, nothing, nothing[:, 0], IBUG68)


@pytest.fixture(scope="module")
def shape() -> Shape:
    """That of a drawn face."""
    return Shape(cached_synthetic(1)[0].points)


@pytest.fixture(scope="module")
def face(shape: Shape) -> FaceAnnotation:
    """A face of that shape, but for the tip of the nose, 3 px too far right."""
    drawn = cached_synthetic(1)[0]
    points = shape.predict(np.zeros((1, 1, 3), np.uint8), drawn.tight_box[None]).points[0]
    points[30, 0] += 3
    return replace(drawn, points=points, label_style=STYLES[0])


def test_labels_move_half_of_the_way(shape: Shape, face: FaceAnnotation) -> None:
    moved = Teacher(dict.fromkeys(STYLES, shape)).labels(face)
    expected = face.points.copy()
    expected[30, 0] -= 1.5
    np.testing.assert_allclose(moved.points, expected, atol=0.02)


def test_labels_stay_where_the_teacher_is_lost_or_has_another_style(
    shape: Shape, face: FaceAnnotation
) -> None:
    lost = Shape(np.random.default_rng(0).random((68, 2)).astype(np.float32))
    assert Teacher(dict.fromkeys(STYLES, lost)).labels(face) is face
    teacher = Teacher(dict.fromkeys(STYLES, shape))
    other = replace(face, label_style="fgnet")
    assert teacher.labels(other) is other
    missing = replace(face, points=np.where(np.arange(136).reshape(68, 2) < 4, np.nan, face.points))
    assert teacher.labels(missing) is missing
