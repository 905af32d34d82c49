import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedots.audit.shapes import ReferenceShape, mirror_shapes
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
