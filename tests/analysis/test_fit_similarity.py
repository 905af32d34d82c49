import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facedots.errors import PointsError, ShapeError
from facedots.geometry import Matrix, apply_affine, fit_similarity, similarity

coordinates = st.floats(-100, 100, width=32)
clouds = st.integers(2, 12).flatmap(lambda n: arrays(np.float64, (n, 2), elements=coordinates))
similarities = st.builds(
    similarity,
    st.floats(-180, 180),
    st.floats(0.2, 5),
    st.tuples(coordinates, coordinates),
    st.tuples(coordinates, coordinates),
)


def squared_error(matrix: Matrix, source: Matrix, target: Matrix) -> float:
    return float(((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2).sum())


@given(clouds.filter(lambda cloud: np.ptp(cloud, axis=0).max() > 1), similarities)
def test_a_known_similarity_comes_back(source: Matrix, known: Matrix) -> None:
    target = source @ known[:, :2].T + known[:, 2]
    np.testing.assert_allclose(fit_similarity(source, target), known, atol=1e-6)


@given(st.integers(0, 10_000))
def test_no_other_similarity_is_closer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source, target = rng.normal(0, 30, (2, 7, 2))
    best = fit_similarity(source, target)
    assert best[0, 0] == best[1, 1]
    assert best[0, 1] == -best[1, 0]
    for nudge in 1e-3 * np.eye(4):
        cos, sin, x, y = nudge
        other = best + np.array([[cos, -sin, x], [sin, cos, y]])
        assert squared_error(best, source, target) < squared_error(other, source, target)


def test_missing_pairs_do_not_count() -> None:
    source = np.array([[0, 0], [2, 0], [np.nan, 9], [1, 1]])
    target = np.array([[1, 1], [1, 5], [7, 7], [np.nan, np.nan]])
    matrix = fit_similarity(source, target)
    np.testing.assert_allclose(apply_affine(matrix, source[:2]), target[:2])


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    square = np.array([[-1.0, -1.0], [1, -1], [1, 1], [-1, 1]])
    assert np.linalg.det(fit_similarity(square, square * (-1, 1))[:, :2]) >= 0


@pytest.mark.parametrize("source", [[[1, 1]], [[3, 4], [3, 4]], [[np.nan, 1], [2, 2]]])
def test_what_decides_nothing_is_refused(source: list[list[float]]) -> None:
    with pytest.raises(PointsError, match="two different points"):
        fit_similarity(source, source)


def test_unequal_numbers_of_points_are_refused() -> None:
    with pytest.raises(ShapeError, match="target points must have the shape"):
        fit_similarity([[0, 0], [1, 1]], [[0, 0]])
