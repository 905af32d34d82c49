import numpy as np
from numpy.typing import ArrayLike

from facedots.detection.base import SingleObjectDetector
from facedots.geometry import Floats, Image
from facedots.schema import KeypointSchema
from facedots.types import Keypoints

IMAGE = np.zeros((50, 80, 3), np.uint8)
SCHEMA = KeypointSchema("ends", ("a", "b"), {"all": (0, 1)}, (0, 1), (), (0, 1))
TARGET = np.array([[10, 12], [30, 20]], np.float32)


class HalfWay:
    """Each look brings the points half the way from the corners of the box to the target."""

    def __init__(self) -> None:
        self.boxes: list[Floats] = []

    def predict(self, image: Image, boxes: ArrayLike) -> Keypoints:
        box = np.asarray(boxes, np.float32)
        self.boxes.append(box[0])
        points = np.asarray((box.reshape(1, 2, 2) + TARGET) / 2, np.float32)
        nothing = np.full((1, 2, 2, 2), np.nan, np.float32)
        return Keypoints(points, nothing, nothing[..., 0, 0], nothing[:, 0, 0, 0], SCHEMA)


def test_each_look_is_at_the_box_around_the_points_of_the_one_before() -> None:
    looker = HalfWay()
    found = SingleObjectDetector(looker, share=0.8, looks=3)(IMAGE)
    assert looker.boxes[0].tolist() == [
        19.5,
        4.5,
        59.5,
        44.5,
    ]  # The middle of the image, 0.8 times 50 px a side.
    assert looker.boxes[1].tolist() == [14.75, 8.25, 44.75, 32.25]
    assert len(looker.boxes) == 3
    expected = TARGET.ravel() + (looker.boxes[0] - TARGET.ravel()) / 8
    np.testing.assert_allclose(found.boxes, expected[None], atol=1e-5)
    assert found.scores.tolist() == [1]
