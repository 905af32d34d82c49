import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.evaluation.uncertainty_metrics import (
    auroc,
    ause,
    confidence_bins,
    coverage,
    coverage_probability,
    ece,
    failure_recall,
    reliability,
    sparsification,
)
from facedots.uncertainty import negative_log_likelihood


def test_bins_by_hand() -> None:
    sigma, rms, robust = reliability([5, 1, 1, 5, np.nan, 2], [6, 0, 2, 8, 9, np.inf], bins=2)
    assert sigma.tolist() == [1, 5]
    # Per axis: sqrt((0 + 4) / 2 / 2), sqrt((36 + 64) / 2 / 2).
    assert rms == pytest.approx([1, 5])
    assert robust == pytest.approx([1 / 1.17741, 7 / 1.17741], rel=1e-5)


def test_honest_sigma_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    sigma = rng.uniform(1, 5, 40_000)
    errors = np.linalg.norm(rng.normal(0, sigma, (2, 40_000)), axis=0)
    predicted, rms, robust = reliability(sigma, errors)
    assert len(predicted) == 10
    assert rms == pytest.approx(predicted, rel=0.05)
    assert robust == pytest.approx(predicted, rel=0.05)


def test_fewer_points_than_bins() -> None:
    assert reliability([1, 2], [1, 1])[0].tolist() == [1, 2]
    assert reliability([np.nan], [1]).shape == (3, 0)


def test_coverage_by_hand() -> None:
    # Within r standard deviations of a round Gaussian lie 1 - exp(-r²/2): 39.3 % within 1, 86.5 %
    # within 2, 98.9 % within 3.
    probabilities = coverage_probability(
        np.array([[1, 0], [0, 2], [3, 0], [np.nan, 0]]), np.eye(2), None
    )
    assert probabilities[:3] == pytest.approx([0.3935, 0.8647, 0.9889], abs=1e-4)
    assert coverage(probabilities, 0.5) == pytest.approx(100 / 3)
    assert coverage(probabilities, 0.9) == pytest.approx(200 / 3)
    assert np.isnan(coverage([np.nan], 0.5))


@pytest.mark.parametrize("dof", [None, 3.0, 8.0])
def test_density_is_one_over_the_plane_and_agrees_with_the_probabilities(dof: float | None) -> None:
    spread = np.array([[1.5, 0.4], [0.4, 0.8]])
    axis = np.linspace(-40, 40, 1601)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    mass = np.exp(-negative_log_likelihood(grid, spread, dof)) * (axis[1] - axis[0]) ** 2
    inside = coverage_probability(grid, spread, dof) <= 0.7
    assert mass.sum() == pytest.approx(1, abs=2e-3)
    assert mass[inside].sum() == pytest.approx(0.7, abs=2e-3)


def test_confidence_bins_by_hand() -> None:
    bins = confidence_bins(
        [0.0, 0.05, 0.95, 1.0, 0.9, 0.99, np.nan], [False, True, True, True, True, False, True]
    )
    predicted, observed, share = bins
    assert predicted == pytest.approx([2.5, 96])
    assert observed == pytest.approx([50, 75])
    assert share == pytest.approx([100 / 3, 200 / 3])
    # A third of the points off by 47.5, two thirds by 21.
    assert ece(bins) == pytest.approx(47.5 / 3 + 42 / 3)
    assert np.isnan(ece(confidence_bins([np.nan], [True])))


ERRORS = st.lists(st.floats(0.5, 50), min_size=2, max_size=30)


def test_sparsification_by_hand() -> None:
    # Most uncertain first: 1, then 4, then 3, then 2.
    result = sparsification([4, 1, 3, 2], [3, 9, 2, 1])
    assert result.tolist() == [[2.5, 3, 2.5, 2], [2.5, 2, 1.5, 1]]
    # (0 + 1 + 1 + 1) over (0 + 0.5 + 1 + 1.5).
    assert ause(result) == pytest.approx(100)


def test_equal_uncertainty_is_as_good_as_random() -> None:
    result = sparsification([5, 1, 3], [2, 2, 2])
    assert result[0] == pytest.approx([3, 3, 3])
    assert ause(result) == pytest.approx(100)


def test_equal_errors_have_no_order() -> None:
    assert np.isnan(ause(sparsification([0.1] * 7, range(7))))
    assert np.isnan(ause(sparsification([], [])))


@given(ERRORS)
def test_the_right_order_is_perfect_and_the_wrong_one_worse_than_random(
    errors: list[float],
) -> None:
    if np.ptp(errors) < 0.1:
        return
    assert ause(sparsification(errors, errors)) == pytest.approx(0, abs=1e-9)
    assert ause(sparsification(errors, np.negative(errors))) > 100
    scaled = sparsification(errors, [9 * error + 2 for error in errors])
    assert ause(scaled) == pytest.approx(0, abs=1e-9)


def test_values_that_are_not_finite_do_not_count() -> None:
    result = sparsification([4, np.inf, 1, 2], [5, 9, np.nan, 1])
    assert result[0].tolist() == [3, 2]


def test_failures_among_the_most_uncertain() -> None:
    errors = [9, 12, 1, 20, 2, 3, 4, 5, 6, 8]
    # The most uncertain are the second and the third; failures: the first, second and fourth.
    assert failure_recall(errors, [0, 9, 8, 1, 1, 1, 1, 1, 1, 1], fraction=0.2) == pytest.approx(
        100 / 3
    )
    assert failure_recall(errors, [8, 9, 0, 1, 1, 1, 1, 1, 1, 1], threshold=10, fraction=0.2) == 50
    assert np.isnan(failure_recall([1, 2], [1, 2]))


def test_each_of_equally_uncertain_cases_is_as_likely() -> None:
    assert failure_recall([9] + [1] * 9, [3] * 10) == pytest.approx(10)
    # The first is taken; the second is one of three, one of them a failure.
    assert failure_recall(
        [9, 9, 1, 1, 1, 1, 1, 1, 1, 1], [5, 4, 4, 4, 1, 1, 1, 1, 1, 1], fraction=0.2
    ) == pytest.approx(50 + 50 / 3)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=12),
    st.lists(st.integers(0, 5), min_size=1, max_size=12),
)
def test_auroc_is_how_often_a_positive_beats_a_negative(above: list[int], below: list[int]) -> None:
    wins = [(one > other) + (one == other) / 2 for one in above for other in below]
    assert auroc(above, below) == pytest.approx(100 * np.mean(wins))
    assert np.isnan([auroc(above, []), auroc([], below)]).all()
