from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.analysis.pose import (
    AXIS_COLORS,
    POSE_POINTS,
    Camera,
    angles,
    draw_axes,
    frontal,
    head_pose,
    project,
    rotation,
)
from facedots.analysis.shapes import HEAD_MODEL
from facedots.errors import PointsError, ShapeError
from facedots.geometry import Image, Matrix
from facedots.head import HeadPose
from facedots.schema import IBUG68

CAMERA = Camera.guess((480, 640))
FLIP = list(IBUG68.flip)
NOSE_TIP, RIGHT_CORNER, LEFT_CORNER = 30, 36, 45

turns = st.tuples(st.floats(-40, 40), st.floats(-25, 25), st.floats(-40, 40))
places = st.tuples(st.floats(-1.0, 1.0), st.floats(-0.7, 0.7), st.floats(4, 20)).map(
    lambda p: (p[0] * p[2] / 4, p[1] * p[2] / 4, p[2])
)


def posed(
    yaw: float = 0, pitch: float = 0, roll: float = 0, place: tuple[float, float, float] = (0, 0, 6)
) -> HeadPose:
    return HeadPose(yaw, pitch, roll, np.array(place, np.float32), 0.0)


def seen(pose: HeadPose) -> Matrix:
    return project(HEAD_MODEL, pose, CAMERA)


def three(pose: HeadPose) -> tuple[float, float, float]:
    return pose.yaw, pose.pitch, pose.roll


def test_the_model_is_symmetric_and_of_unit_size() -> None:
    np.testing.assert_array_equal(HEAD_MODEL[FLIP] * (-1, 1, 1), HEAD_MODEL)
    np.testing.assert_array_equal(
        HEAD_MODEL[[RIGHT_CORNER, LEFT_CORNER]], [(-0.5, 0, 0), (0.5, 0, 0)]
    )
    assert HEAD_MODEL[:, 2].argmin() == NOSE_TIP
    assert not HEAD_MODEL.flags.writeable
    assert sorted(FLIP[i] for i in POSE_POINTS) == sorted(POSE_POINTS)


@given(turns, places)
def test_frontal_points_are_those_of_the_model_in_any_pose(
    turn: tuple[float, float, float], place: tuple[float, float, float]
) -> None:
    pose = posed(*turn, place)
    np.testing.assert_allclose(frontal(seen(pose), pose, CAMERA), HEAD_MODEL[:, :2], atol=1e-5)


def test_which_way_angles_count() -> None:
    straight, left, up, tilted = (
        seen(posed(*turn)) for turn in [(0, 0, 0), (20, 0, 0), (0, 20, 0), (0, 0, 20)]
    )
    # The subject's left is the right of the image, up has the smaller y, and clockwise lowers the
    # image's right side.
    assert left[NOSE_TIP, 0] > straight[NOSE_TIP, 0] + 10
    assert up[NOSE_TIP, 1] < straight[NOSE_TIP, 1] - 10
    line = tilted[LEFT_CORNER] - tilted[RIGHT_CORNER]
    assert np.rad2deg(np.arctan2(line[1], line[0])) == pytest.approx(20)
    assert straight[RIGHT_CORNER, 0] < straight[LEFT_CORNER, 0]


@given(st.floats(-89, 89), st.floats(-179, 179), st.floats(-179, 179))
def test_angles_undo_rotation(yaw: float, pitch: float, roll: float) -> None:
    matrix = rotation(yaw, pitch, roll)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert angles(matrix) == pytest.approx((yaw, pitch, roll), abs=1e-6)


@given(st.floats(-80, 80), st.floats(-80, 80), st.floats(-90, 90))
def test_yaw_and_pitch_say_where_the_face_points_and_roll_how_the_eyes_lie(
    yaw: float, pitch: float, roll: float
) -> None:
    upright = rotation(0, 0, -roll) @ rotation(yaw, pitch, roll)
    x, y, z = upright @ (0, 0, -1)
    assert np.rad2deg(np.arctan2(x, -z)) == pytest.approx(yaw, abs=1e-6)
    assert np.rad2deg(np.arcsin(-y)) == pytest.approx(pitch, abs=1e-6)
    eyes = rotation(yaw, pitch, roll) @ (1, 0, 0)
    assert np.rad2deg(np.arctan2(eyes[1], eyes[0])) == pytest.approx(roll, abs=1e-6)


@given(turns, places)
def test_a_known_pose_comes_back(
    turn: tuple[float, float, float], place: tuple[float, float, float]
) -> None:
    found = head_pose(seen(posed(*turn, place)), CAMERA)
    assert three(found) == pytest.approx(turn, abs=0.02)
    np.testing.assert_allclose(found.translation, place, rtol=2e-3, atol=2e-3)
    assert found.reprojection_error < 1e-4


def test_a_noisy_pose_comes_back_within_four_degrees() -> None:
    # benchmarks/reading.py does the same for 10,000 heads and prints the distribution.
    rng = np.random.default_rng(0)
    errors, missed = [], []
    for _ in range(200):
        turn = rng.uniform((-40, -25, -40), (40, 25, 40))
        truth = replace(
            posed(*turn),
            translation=rng.uniform((-0.8, -0.8, 4), (0.8, 0.8, 12)).astype(np.float32),
        )
        pixels = CAMERA.focal / float(truth.translation[2])
        found = head_pose(seen(truth) + rng.normal(0, 0.015 * pixels, (68, 2)), CAMERA)
        errors.append(np.abs(np.array(three(found)) - turn))
        missed.append(found.reprojection_error)
    assert np.max(errors) < 4
    assert np.mean(errors) < 0.5
    # Two coordinates of 1.5 % each, less the six numbers fitted to 120.
    assert np.mean(missed) == pytest.approx(0.015 * np.sqrt(2 * 114 / 120), rel=0.03)


@pytest.mark.parametrize("eye_distance", [4, 15, 60, 1500])
def test_faces_of_any_size_anywhere_in_a_large_image(eye_distance: float) -> None:
    camera = Camera.guess((3000, 4000))
    far = camera.focal / eye_distance
    for aside in [(0, 0), (-0.4, 0.3), (0.4, -0.3)]:
        truth = posed(-30, 20, 35, (aside[0] * far, aside[1] * far, far))
        points = np.asarray(project(HEAD_MODEL, truth, camera), np.float32)
        assert three(head_pose(points, camera)) == pytest.approx((-30, 20, 35), abs=0.2)


@given(turns)
def test_a_mirrored_face_has_the_mirrored_pose(turn: tuple[float, float, float]) -> None:
    points = seen(posed(*turn)) + np.random.default_rng(1).normal(0, 1, (68, 2))
    mirrored = (points * (-1, 1) + (639, 0))[FLIP]
    there, back = head_pose(points, CAMERA), head_pose(mirrored, CAMERA)
    assert three(back) == pytest.approx((-there.yaw, there.pitch, -there.roll), abs=0.05)


def test_an_open_mouth_is_no_nod() -> None:
    points = seen(posed(10, 5, 0))
    points[[*range(55, 60), *range(65, 68)]] += (0, 40)
    assert three(head_pose(points, CAMERA)) == pytest.approx((10, 5, 0), abs=0.02)


def test_missing_points_do_not_count_while_enough_are_left() -> None:
    points = seen(posed(15, -10, 5))
    points[17:27] = np.nan
    points[:17, 0] = np.nan
    assert three(head_pose(points, CAMERA)) == pytest.approx((15, -10, 5), abs=0.02)
    points[30:] = np.nan
    with pytest.raises(PointsError, match="needs 8 of the points above the lower lip, not 3"):
        head_pose(points, CAMERA)


def test_what_is_no_face_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(68, 2\)"):
        head_pose(np.zeros((5, 2)), CAMERA)
    with pytest.raises(PointsError, match="on each other"):
        head_pose(np.full((68, 2), 7.0), CAMERA)


@pytest.mark.parametrize("focal", [-5, 0, np.nan, np.inf])
def test_a_focal_length_that_no_camera_has_is_refused(focal: float) -> None:
    with pytest.raises(ValueError, match="the focal length is positive"):
        Camera.guess((100, 201), focal)


def test_a_known_focal_length_keeps_the_middle() -> None:
    assert Camera.guess((100, 201), focal=500) == Camera(500, (100, 49.5))
    assert (Camera(500, (100, 49.5)).matrix == [[500, 0, 100], [0, 500, 49.5], [0, 0, 1]]).all()


def test_axes_point_where_they_should(
    assert_matches_reference: Callable[[Image, str], None],
) -> None:
    image = np.full((480, 640, 3), 128, np.uint8)
    image.flags.writeable = False
    heads = [
        posed(35, 0, 0, (-1.5, 0, 8)),
        posed(0, 20, -30, (1.2, 0, 6)),
        posed(0, 0, 0, (3.2, 2, 8)),
    ]
    drawn = draw_axes(image, heads, CAMERA)
    assert (image == 128).all()
    for pose in heads[:2]:
        ends = project(
            HEAD_MODEL[27] + 0.5 * np.array([(1, 0, 0), (0, 1, 0), (0, 0, -1)]), pose, CAMERA
        )
        for (x, y), color in zip(ends.round().astype(int), AXIS_COLORS, strict=True):
            assert np.abs(drawn[y, x].astype(int) - color).max() < 60
    assert_matches_reference(drawn, "axes")


def test_no_heads_no_axes() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    assert (draw_axes(image, [], CAMERA) == image).all()
