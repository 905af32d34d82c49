import numpy as np
import pytest

from facedots.audit.label_order import possible_permutations
from facedots.audit.outliers import (
    DISAGREES,
    MOVED_POINTS,
    ODD_SHAPE,
    OTHER_FACE,
    SCATTERED,
    find_label_outliers,
)
from facedots.errors import DataError
from facedots.geometry import Matrix
from facedots.schema import IBUG68, KeypointSchema


@pytest.fixture(scope="module")
def labels(truth: Matrix) -> Matrix:
    """Labels with small errors of their own, and four faults: a moved point, another face,
    scattered points, a wrong order.
    """
    rng = np.random.default_rng(1)
    made = truth + rng.normal(0, 0.3, truth.shape)
    made[0, 30] += (0, 7)
    made[1], made[2] = made[2].copy(), made[1].copy()
    made[3] += rng.normal(0, 2, made[3].shape)
    return made


def nothing_wrong(labels: Matrix) -> list[None]:
    return [None] * len(labels)


def test_faults_are_flagged_and_named_with_a_network(truth: Matrix, labels: Matrix) -> None:
    predicted = truth + np.random.default_rng(2).normal(0, 0.5, truth.shape)
    result = find_label_outliers(labels, predicted, nothing_wrong(labels), IBUG68)
    assert result.kinds[0] == MOVED_POINTS
    assert result.points[0] == (30,)
    assert result.kinds[1:3] == (OTHER_FACE, OTHER_FACE)
    assert result.kinds[3] == SCATTERED
    assert result.flagged[4:].mean() < 0.1
    assert (result.scores >= 1).tolist() == result.flagged.tolist()
    assert set(result.tests) == {
        "shape",
        "shape's points",
        "disagreement",
        "network's error",
        "network's points",
    }


def test_without_a_network_shapes_are_left(truth: Matrix, labels: Matrix) -> None:
    result = find_label_outliers(
        labels, np.full(labels.shape, np.nan), nothing_wrong(labels), IBUG68
    )
    assert result.kinds[0] == MOVED_POINTS
    assert result.points[0] == (30,)
    assert result.kinds[3] in (SCATTERED, ODD_SHAPE)
    assert result.kinds[1] == ""  # Another face's points are the points of a face.
    assert set(result.tests) == {"shape", "shape's points"}


def test_disagreement_is_in_eye_distances(truth: Matrix) -> None:
    predicted = truth + np.random.default_rng(2).normal(0, 0.5, truth.shape)
    predicted[0] = truth[0] + (6, 8)
    result = find_label_outliers(truth, predicted, nothing_wrong(truth), IBUG68)
    eyes = np.linalg.norm(truth[0, 45] - truth[0, 36])
    distances = result.tests["disagreement"].values
    # The eye distance from the front is the longer one.
    assert distances[0] == pytest.approx(10 / eyes, rel=0.4)
    assert distances[1:].max() < 0.15
    assert result.kinds[0] in (OTHER_FACE, DISAGREES)


def test_a_permutation_decides_the_kind(truth: Matrix, labels: Matrix) -> None:
    swapped = possible_permutations(IBUG68)[0]
    result = find_label_outliers(labels, truth, [swapped, *nothing_wrong(labels)[1:]], IBUG68)
    assert result.kinds[0] == swapped.name


def test_missing_points_are_no_fault(truth: Matrix) -> None:
    partial = truth + np.random.default_rng(3).normal(0, 0.3, truth.shape)
    partial[5, :10] = np.nan
    partial[6] = np.nan
    result = find_label_outliers(partial, truth, nothing_wrong(partial), IBUG68)
    assert result.kinds[6] == ""
    assert np.isfinite(result.scores).all()


def test_a_point_that_no_face_has_is_passed_over(truth: Matrix, labels: Matrix) -> None:
    partial = labels.copy()
    partial[:, 5] = np.nan
    result = find_label_outliers(partial, truth, nothing_wrong(partial), IBUG68)
    assert result.points[0] == (30,)
    assert np.isfinite(result.tests["disagreement"].values).all()


def test_without_the_points_that_scale_errors_there_is_no_audit(truth: Matrix) -> None:
    partial = truth.copy()
    partial[:, 36] = np.nan
    with pytest.raises(DataError, match="right_eye_0 and left_eye_3"):
        find_label_outliers(partial, truth, nothing_wrong(partial), IBUG68)


@pytest.mark.parametrize("count", [0, 10])
def test_too_few_faces_are_not_tested(truth: Matrix, count: int) -> None:
    result = find_label_outliers(truth[:count], truth[:count], [None] * count, IBUG68)
    assert result.tests == {}
    assert result.kinds == ("",) * count


def test_faces_of_three_points_have_no_shape() -> None:
    three = KeypointSchema("three", ("a", "b", "c"), {"all": (0, 1, 2)}, (0, 1, 2), (), (0, 1))
    points = np.random.default_rng(0).normal(0, 9, (40, 3, 2))
    assert find_label_outliers(points, points, [None] * 40, three).tests == {}
