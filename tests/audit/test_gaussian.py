import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedots.audit.gaussian import OUTLIER_MADS, Gaussian, last_axis_mean, outlier_limit


def test_the_limit_is_four_robust_deviations_on_a_logarithmic_scale() -> None:
    logs = np.array([-2.0, -1, 0, 1, 2])  # The median distance from the median is 1.
    assert np.log(outlier_limit(np.exp(logs))) == pytest.approx(OUTLIER_MADS * 1.4826)


@settings(max_examples=30)
@given(st.lists(st.floats(0.1, 10), min_size=9, max_size=30), st.floats(1e3, 1e6))
def test_the_size_of_an_outlier_does_not_move_the_limit(usual: list[float], outlier: float) -> None:
    assert outlier_limit([*usual, outlier]) == pytest.approx(
        outlier_limit([*usual, 1000 * outlier])
    )
    assert outlier_limit([*usual, np.nan, 0.0]) == outlier_limit(usual)


def test_without_numbers_the_limit_is_infinite() -> None:
    assert outlier_limit([]) == np.inf
    assert outlier_limit([np.nan]) == np.inf


def test_conditional_residuals_by_hand() -> None:
    # Two points whose x are the same but for noise of deviation 1, each with deviation 10: given
    # one, the other is 100/101 of it.
    shared = np.kron(np.array([[1.0, 1.0], [1.0, 1.0]]), np.diag([100.0, 100.0]))
    model = Gaussian(np.zeros(4), shared + np.eye(4))
    residuals = model.conditional_residuals([[[10.0, 0.0], [7.0, 0.0]]])[0]
    assert residuals == pytest.approx([10 - 7 * 100 / 101, abs(7 - 10 * 100 / 101)], rel=1e-6)


def test_distances_are_one_for_what_is_usual() -> None:
    model = Gaussian(np.zeros(4), np.diag([4.0, 4.0, 9.0, 9.0]))
    assert model.distances([[[2, 2], [3, 3]], [[4, 4], [6, 6]]]) == pytest.approx([1, 2])


def test_a_missing_point_is_passed_over() -> None:
    model = Gaussian(np.zeros(4), np.diag([4.0, 4.0, 9.0, 9.0]))
    faces = np.array([[[2, 2], [np.nan, np.nan]], [[np.nan] * 2] * 2])
    distances = model.distances(faces)
    assert distances[0] == pytest.approx(1)
    assert np.isnan(distances[1])
    assert np.isnan(model.conditional_residuals(faces[:1])[0, 1])
    assert model.conditional_residuals(faces[:1])[0, 0] == pytest.approx(np.hypot(2, 2))


def test_outliers_do_not_change_the_fit() -> None:
    rng = np.random.default_rng(0)
    faces = rng.normal(0, 1, (300, 3, 2))
    clean = Gaussian.fit(faces)
    faces[:30] += 50
    dirty = Gaussian.fit(faces)
    assert np.abs(dirty.mean - clean.mean).max() < 0.15
    assert np.abs(np.diag(dirty.covariance) - 1).max() < 0.35
    assert (dirty.distances(faces)[:30] > 10).all()


def test_few_faces_determine_few_axes() -> None:
    rng = np.random.default_rng(1)
    along = rng.normal(0, 5, (40, 1, 1)) * np.ones(
        (1, 10, 2)
    )  # One axis of 20 carries nearly everything.
    model = Gaussian.fit(along + rng.normal(0, 0.1, (40, 10, 2)))
    values = np.sort(np.linalg.eigvalsh(model.covariance))
    assert values[:16] == pytest.approx(np.full(16, values[0]))  # 40 faces speak for four axes.
    assert values[-1] > 1000 * values[0]


def test_last_axis_mean() -> None:
    assert last_axis_mean([[1, np.nan], [np.nan, np.nan]])[0] == 1
    assert np.isnan(last_axis_mean([[np.nan]])[0])
