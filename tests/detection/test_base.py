import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.detection.base import Adjustment
from facedots.errors import ShapeError


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
