import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedots.audit.shapes import (
    OUTLIER_MADS,
    Gaussian,
    ReferenceShape,
    mirror_shapes,
    outlier_limit,
)
from facedots.evaluation.metrics import known_mean
from facedots.geometry import Matrix, apply_affine, similarity
from facedots.schema import IBUG68


def test_the_reference_has_eyes_one_apart_and_upright(truth: Matrix) -> None:
    points = ReferenceShape.fit(truth, IBUG68).points
    assert points[45] - points[36] == pytest.approx((1, 0))
    assert points[8, 1] > points[30, 1]  # The chin is below the nose.


@settings(max_examples=12)
@given(st.floats(-170, 170), st.floats(0.2, 5), st.floats(-99, 99))
def test_turning_and_zooming_does_not_change_a_shape(
    truth: Matrix, angle: float, zoom: float, shift: float
) -> None:
    reference = ReferenceShape.fit(truth, IBUG68)
    moved = apply_affine(similarity(angle, zoom, (shift, 3), (0, 0)), truth[:4])
    np.testing.assert_allclose(reference.align(moved), reference.align(truth[:4]), atol=1e-4)
    np.testing.assert_allclose(
        reference.eye_distances(moved), zoom * reference.eye_distances(truth[:4]), rtol=1e-4
    )


def test_a_mirror_image_is_another_shape_until_its_points_swap_names(truth: Matrix) -> None:
    reference = ReferenceShape.fit(truth, IBUG68)
    turned = truth * (-1, 1)
    assert np.abs(reference.align(turned) - reference.align(truth)).mean() > 0.2
    proper = reference.align(turned[:, list(IBUG68.flip)])
    np.testing.assert_allclose(
        proper.mean(axis=0), mirror_shapes(reference.align(truth), IBUG68).mean(axis=0), atol=0.05
    )


def test_faults_do_not_move_the_reference(truth: Matrix) -> None:
    wrong = truth.copy()
    wrong[:6] = wrong[:6, ::-1]
    np.testing.assert_allclose(
        ReferenceShape.fit(wrong, IBUG68).points,
        ReferenceShape.fit(truth, IBUG68).points,
        atol=0.05,
    )


def test_missing_points_leave_the_others_where_they_are(truth: Matrix) -> None:
    reference = ReferenceShape.fit(truth, IBUG68)
    partial = truth[:3].copy()
    partial[:, :5] = np.nan
    laid = reference.align(partial)
    assert np.isnan(laid[:, :5]).all()
    np.testing.assert_allclose(laid[:, 5:], reference.align(truth[:3])[:, 5:], atol=0.15)


def test_offsets_turn_with_their_face(truth: Matrix) -> None:
    reference = ReferenceShape.fit(truth, IBUG68)
    offset = np.broadcast_to([3.0, 4.0], truth.shape)
    turned = reference.align_offsets(offset, truth)
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=2),
        5 / reference.eye_distances(truth)[:, None].repeat(68, 1),
        rtol=0.05,
    )
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_allclose(
        reference.align_offsets(offset @ quarter, truth @ quarter), turned, atol=1e-9
    )


def test_the_size_of_a_face_does_not_depend_on_the_order_of_its_points(truth: Matrix) -> None:
    reference = ReferenceShape.fit(truth, IBUG68)
    eyes = np.linalg.norm(truth[:, 45] - truth[:, 36], axis=1)
    assert np.median(reference.eye_distances(truth) / eyes) == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(
        reference.eye_distances(truth[:, ::-1]), reference.eye_distances(truth)
    )
    np.testing.assert_allclose(
        reference.eye_distances(truth[:, list(IBUG68.flip)]), reference.eye_distances(truth)
    )


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


def test_known_mean() -> None:
    assert known_mean([[1, np.nan], [np.nan, np.nan]])[0] == 1
    assert np.isnan(known_mean([[np.nan]])[0])
