import numpy as np
import pytest

from facedots.detection.base import PrecomputedBoxes
from facedots.errors import ShapeError

IMAGE = np.zeros((50, 60, 3), np.uint8)


def test_answers_with_the_boxes_in_the_given_order() -> None:
    found = PrecomputedBoxes([[30, 40, 10, 20], [1, 2, 3, 4]])(IMAGE)
    assert found.boxes.tolist() == [[10, 20, 30, 40], [1, 2, 3, 4]]
    assert found.scores.tolist() == [1, 1]


def test_the_answer_can_be_changed_without_changing_the_next() -> None:
    detector = PrecomputedBoxes([[1, 2, 3, 4]])
    detector(IMAGE).boxes[:] = 9
    assert detector(IMAGE).boxes.tolist() == [[1, 2, 3, 4]]


def test_no_boxes() -> None:
    assert len(PrecomputedBoxes([])(IMAGE)) == 0


def test_bad_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="box 1"):
        PrecomputedBoxes([[1, 2, 3, 4], [1, 2, 1, 4]])
    with pytest.raises(ShapeError):
        PrecomputedBoxes([1, 2, 3, 4])
