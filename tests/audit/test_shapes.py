import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedots.audit.shapes import Frame, mirror
from facedots.geometry import Matrix, apply_affine, similarity
from facedots.schema import IBUG68


def test_the_reference_has_eyes_one_apart_and_upright(truth: Matrix) -> None:
    reference = Frame.of(truth, IBUG68).reference
    assert reference[45] - reference[36] == pytest.approx(1)
    assert reference[8].imag > reference[30].imag  # The chin is below the nose.


@settings(max_examples=12)
@given(st.floats(-170, 170), st.floats(0.2, 5), st.floats(-99, 99))
def test_turning_and_zooming_does_not_change_a_shape(
    truth: Matrix, angle: float, zoom: float, shift: float
) -> None:
    frame = Frame.of(truth, IBUG68)
    moved = apply_affine(similarity(angle, zoom, (shift, 3), (0, 0)), truth[:4])
    np.testing.assert_allclose(frame.lay(moved), frame.lay(truth[:4]), atol=1e-4)
    np.testing.assert_allclose(frame.units(moved), zoom * frame.units(truth[:4]), rtol=1e-4)


def test_a_mirror_image_is_another_shape_until_its_points_swap_names(truth: Matrix) -> None:
    frame = Frame.of(truth, IBUG68)
    turned = truth * (-1, 1)
    assert np.abs(frame.lay(turned) - frame.lay(truth)).mean() > 0.2
    proper = frame.lay(turned[:, list(IBUG68.flip)])
    np.testing.assert_allclose(
        proper.mean(axis=0), mirror(frame.lay(truth), IBUG68).mean(axis=0), atol=0.05
    )


def test_faults_do_not_move_the_reference(truth: Matrix) -> None:
    wrong = truth.copy()
    wrong[:6] = wrong[:6, ::-1]
    np.testing.assert_allclose(
        Frame.of(wrong, IBUG68).reference, Frame.of(truth, IBUG68).reference, atol=0.05
    )


def test_missing_points_leave_the_others_where_they_are(truth: Matrix) -> None:
    frame = Frame.of(truth, IBUG68)
    partial = truth[:3].copy()
    partial[:, :5] = np.nan
    laid = frame.lay(partial)
    assert np.isnan(laid[:, :5]).all()
    np.testing.assert_allclose(laid[:, 5:], frame.lay(truth[:3])[:, 5:], atol=0.15)


def test_offsets_turn_with_their_face(truth: Matrix) -> None:
    frame = Frame.of(truth, IBUG68)
    offset = np.broadcast_to([3.0, 4.0], truth.shape)
    turned = frame.turn(offset, truth)
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=2), 5 / frame.units(truth)[:, None].repeat(68, 1), rtol=0.05
    )
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_allclose(frame.turn(offset @ quarter, truth @ quarter), turned, atol=1e-9)


def test_the_size_of_a_face_does_not_depend_on_the_order_of_its_points(truth: Matrix) -> None:
    frame = Frame.of(truth, IBUG68)
    eyes = np.linalg.norm(truth[:, 45] - truth[:, 36], axis=1)
    assert np.median(frame.units(truth) / eyes) == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(frame.units(truth[:, ::-1]), frame.units(truth))
    np.testing.assert_allclose(frame.units(truth[:, list(IBUG68.flip)]), frame.units(truth))
