import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.evaluation.uncertainty_metrics import failure_recall, sparsification

ERRORS = st.lists(st.floats(0.5, 50), min_size=2, max_size=30)


def test_by_hand() -> None:
    # Least sure first: 1, then 4, then 3, then 2.
    result = sparsification([4, 1, 3, 2], [3, 9, 2, 1])
    assert result.removed.tolist() == [0, 25, 50, 75]
    assert result.remaining.tolist() == [2.5, 3, 2.5, 2]
    assert result.best.tolist() == [2.5, 2, 1.5, 1]
    assert result.random == 2.5
    # (0 + 1 + 1 + 1) over (0 + 0.5 + 1 + 1.5).
    assert result.ause == pytest.approx(100)


def test_equally_sure_is_as_good_as_random() -> None:
    result = sparsification([5, 1, 3], [2, 2, 2])
    assert result.remaining == pytest.approx([3, 3, 3])
    assert result.ause == pytest.approx(100)


def test_equal_errors_have_no_order() -> None:
    assert np.isnan(sparsification([0.1] * 7, range(7)).ause)
    assert np.isnan(sparsification([], []).ause)


@given(ERRORS)
def test_the_right_order_is_perfect_and_the_wrong_one_worse_than_random(
    errors: list[float],
) -> None:
    if np.ptp(errors) < 0.1:
        return
    assert sparsification(errors, errors).ause == pytest.approx(0, abs=1e-9)
    assert sparsification(errors, np.negative(errors)).ause > 100
    scaled = sparsification(errors, [9 * error + 2 for error in errors])
    assert scaled.ause == pytest.approx(0, abs=1e-9)


def test_what_is_not_known_does_not_count() -> None:
    result = sparsification([4, np.inf, 1, 2], [5, 9, np.nan, 1])
    assert result.remaining.tolist() == [3, 2]


def test_bad_faces_that_go_with_the_least_sure() -> None:
    errors = [9, 12, 1, 20, 2, 3, 4, 5, 6, 8]
    # The two least sure of ten are the second and the third; bad are the first, second and fourth.
    assert failure_recall(errors, [0, 9, 8, 1, 1, 1, 1, 1, 1, 1], drop=0.2) == pytest.approx(
        100 / 3
    )
    assert failure_recall(errors, [8, 9, 0, 1, 1, 1, 1, 1, 1, 1], bad=10, drop=0.2) == 50
    assert np.isnan(failure_recall([1, 2], [1, 2]))


def test_of_equally_sure_ones_each_is_as_likely() -> None:
    assert failure_recall([9] + [1] * 9, [3] * 10) == pytest.approx(10)
    # One goes surely; the second place is one of three, one of them bad.
    assert failure_recall(
        [9, 9, 1, 1, 1, 1, 1, 1, 1, 1], [5, 4, 4, 4, 1, 1, 1, 1, 1, 1], drop=0.2
    ) == pytest.approx(50 + 50 / 3)
