import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faces import isotropic_covariance

from facedots.analysis.analyzer import FaceAnalyzer
from facedots.analysis.gaze import (
    CORNERS,
    EYE_CENTER,
    PUPIL_RADIUS,
    draw_gaze,
    eye_gaze,
    gaze_vector,
)
from facedots.analysis.pose import Camera, project
from facedots.analysis.shapes import HEAD_MODEL
from facedots.geometry import Floats
from facedots.head import EyeGaze, HeadPose
from facedots.schema import IBUG68
from facedots.types import Face

IMAGE = np.zeros((480, 640, 3), np.uint8)
CAMERA = Camera.guess((480, 640))
CENTERS = HEAD_MODEL[CORNERS].mean(axis=1) + EYE_CENTER
STRAIGHT = EyeGaze(0, 0, 0)
FRONTAL = HeadPose(0, 0, 0, np.array([0, 0, 6], np.float32), 0)


def looking(pose: HeadPose, right: EyeGaze, left: EyeGaze, sigma: float = 0.0) -> Face:
    """The face of the head model in a pose, with its eyeballs turned."""
    axes = np.array([gaze_vector(right), gaze_vector(left)])
    pupils = project(CENTERS + PUPIL_RADIUS * axes, pose, CAMERA)
    points = project(HEAD_MODEL, pose, CAMERA).astype(np.float32)
    face = Face(
        points=points,
        covariance=isotropic_covariance(np.zeros(IBUG68.count)),
        confidence=np.ones(IBUG68.count, np.float32),
        box=np.array([0, 0, 1, 1], np.float32),
        score=1.0,
        schema=IBUG68,
        visibility=np.ones(IBUG68.count, np.float32),
        pupils=pupils.astype(np.float32),
        pupils_covariance=isotropic_covariance(np.full(2, sigma)),
    )
    return FaceAnalyzer(CAMERA)(IMAGE, [face])[0]


poses = st.builds(
    lambda yaw, pitch, roll, x, y, z: HeadPose(
        yaw, pitch, roll, np.array([x * z, y * z, z], np.float32), 0
    ),
    *(st.floats(-30, 30), st.floats(-20, 20), st.floats(-40, 40)),
    *(st.floats(-0.2, 0.2), st.floats(-0.15, 0.15), st.floats(3, 15)),
)
gazes = st.builds(EyeGaze, st.floats(-25, 25), st.floats(-20, 20), st.just(0.0))


@given(poses, gazes, gazes)
def test_each_eye_of_a_rendered_head_is_found_within_a_degree(
    pose: HeadPose, right: EyeGaze, left: EyeGaze
) -> None:
    gaze = looking(pose, right, left).gaze
    assert gaze is not None
    for found, true in ((gaze.right_eye, right), (gaze.left_eye, left)):
        assert found is not None
        assert (found.yaw, found.pitch) == pytest.approx((true.yaw, true.pitch), abs=1)
    together = gaze_vector(right) + gaze_vector(left)
    between = gaze_vector(gaze) @ together / np.linalg.norm(together)
    assert np.degrees(np.arccos(float(between.clip(-1, 1)))) < 1


def test_a_pupil_half_the_radius_to_the_left_is_thirty_degrees_of_yaw() -> None:
    face = looking(FRONTAL, STRAIGHT, STRAIGHT)
    far = HeadPose(0, 0, 0, np.array([0, 0, 1e4], np.float32), 0)  # all lines of sight are parallel
    points = project(HEAD_MODEL, far, CAMERA).astype(np.float32)
    pupils = project(CENTERS + np.array([PUPIL_RADIUS / 2, 0, 0]), far, CAMERA)
    turned = replace(face, pose=far, points=points, pupils=pupils.astype(np.float32))
    gaze = eye_gaze(turned, CAMERA)
    assert gaze is not None
    assert (gaze.yaw, gaze.pitch) == pytest.approx((30, 0), abs=0.1)


@pytest.mark.parametrize("true", [STRAIGHT, EyeGaze(20, -10, 0)])
def test_sigma_is_the_spread_of_the_gaze_under_noise(true: EyeGaze) -> None:
    face = looking(FRONTAL, true, true, sigma=0.4)
    assert face.gaze is not None
    assert face.gaze.right_eye is not None
    assert face.pupils is not None
    noise = np.random.default_rng(0).normal(0, 0.4, (2000, 2, 2))
    together, alone = list[float](), list[float]()
    for step in noise:
        gaze = eye_gaze(replace(face, pupils=(face.pupils + step).astype(np.float32)), CAMERA)
        assert gaze is not None
        assert gaze.right_eye is not None
        for off, one, center in (
            (together, gaze, face.gaze),
            (alone, gaze.right_eye, face.gaze.right_eye),
        ):
            difference = gaze_vector(one) - gaze_vector(center)
            off.append(float(difference @ difference))
    for off, sigma in ((together, face.gaze.sigma), (alone, face.gaze.right_eye.sigma)):
        assert np.degrees(np.sqrt(np.mean(off) / 2)) == pytest.approx(sigma, rel=0.05)


def test_one_eye_alone_gives_the_gaze_where_the_other_is_hidden_or_closed() -> None:
    face = looking(FRONTAL, EyeGaze(10, 0, 0), EyeGaze(-10, 0, 0))
    assert face.visibility is not None
    hidden = face.visibility.copy()
    hidden[list(IBUG68.regions["right_eye"])] = 0.2
    closed = {**(face.signals or {}), "right_eye_closed": 1.0}
    for other in (replace(face, visibility=hidden), replace(face, signals=closed)):
        gaze = eye_gaze(other, CAMERA)
        assert gaze is not None
        assert gaze.right_eye is None
        assert gaze.yaw == pytest.approx(-10, abs=1)


@pytest.mark.parametrize("field", ["pupils", "pupils_covariance"])
def test_an_eye_whose_pupil_or_its_covariance_is_unknown_has_no_gaze(field: str) -> None:
    face = looking(FRONTAL, EyeGaze(10, 0, 0), EyeGaze(-10, 0, 0), sigma=0.5)
    values = getattr(face, field).copy()
    values[0] = np.nan
    one_eyed, blind = FaceAnalyzer(CAMERA)(
        IMAGE, [replace(face, **{field: given}, gaze=None) for given in (values, np.nan * values)]
    )
    assert blind.gaze is None
    assert one_eyed.gaze is not None
    assert one_eyed.gaze.right_eye is None
    assert one_eyed.gaze.left_eye is not None
    for each in (one_eyed, blind):
        json.dumps(each.to_dict(), allow_nan=False)


def beside_the_eyes(face: Face) -> Floats:
    assert face.pupils is not None
    return face.pupils + np.float32(100)


def test_no_eye_gives_no_gaze() -> None:
    face = looking(FRONTAL, STRAIGHT, STRAIGHT)
    nothing = np.zeros(IBUG68.count, np.float32)
    for other in (
        replace(face, pupils=None, pupils_covariance=None),
        replace(face, visibility=nothing),
        replace(face, pose=None),
        replace(face, pupils=beside_the_eyes(face)),
    ):
        assert eye_gaze(other, CAMERA) is None
    assert "gaze" not in replace(face, gaze=None).to_dict()


def test_lines_are_drawn_from_the_pupils_along_the_gaze() -> None:
    face = looking(FRONTAL, EyeGaze(40, 0, 0), EyeGaze(40, 0, 0))
    drawn = draw_gaze(IMAGE, [face, replace(face, gaze=None)], CAMERA)
    rows, columns = np.nonzero(drawn.max(axis=2))
    assert face.pupils is not None
    (right, left), spread = face.pupils[:, 0], columns.max() - columns.min()
    assert columns.min() == pytest.approx(right, abs=3)
    assert columns.max() > left + 15
    assert spread > left - right
    assert np.ptp(rows) < 8
