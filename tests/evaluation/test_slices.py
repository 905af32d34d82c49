import math

import cv2
import numpy as np
import pytest

from facedots.analysis.pose import Camera, project
from facedots.analysis.shapes import HEAD_MODEL
from facedots.evaluation.slices import ATTRIBUTES, cut, face_attributes, group_means, slice_edges
from facedots.head import HeadPose
from facedots.schema import IBUG68, KeypointSchema

TRIO = KeypointSchema(
    "trio", ("right_eye", "left_eye", "chin"), {"eyes": (0, 1), "chin": (2,)}, (1, 0, 2), (), (0, 1)
)
POINTS = np.array([[20, 20], [50, 60], [20, 60]], np.float32)
SIZE, YAW, BRIGHTNESS, SHARPNESS = ATTRIBUTES


def head(yaw: float) -> np.ndarray:
    pose = HeadPose(yaw, 0, 0, np.array([0, 0, 12], np.float32), 0)
    return np.asarray(project(HEAD_MODEL, pose, Camera.guess((300, 300))), np.float32)


def test_size_and_light_of_a_face() -> None:
    image = np.full((100, 100, 3), 40, np.uint8)
    image[20:61, 15:56] = 200
    found = face_attributes(image, POINTS, TRIO)
    assert found["eye_distance"] == 50
    # The square around the box is 40 px large, from 15 to 55 and from 20 to 60.
    assert found["brightness"] == pytest.approx(200, abs=1)
    assert math.isnan(found["yaw"])


@pytest.mark.parametrize("yaw", [-35, 0, 20])
def test_turn_of_a_head(yaw: float) -> None:
    found = face_attributes(np.zeros((300, 300, 3), np.uint8), head(yaw), IBUG68)
    assert found["yaw"] == pytest.approx(yaw, abs=0.5)


def test_blur_lowers_sharpness_and_light_does_not_matter_for_a_flat_face() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3)).astype(np.uint8)
    sharp, blurred = (
        face_attributes(image, POINTS, TRIO)["sharpness"]
        for image in (noise, np.asarray(cv2.blur(noise, (9, 9)), np.uint8))
    )
    assert sharp > 10 * blurred > 0
    assert face_attributes(np.full_like(noise, 77), POINTS, TRIO)["sharpness"] == 0


def test_slices_by_their_own_edges_take_either_side() -> None:
    edges = slice_edges(YAW, [-50, 3])
    parts = cut(YAW, [-50, -10, 9.9, np.nan, 29], edges)
    assert {label: members.tolist() for label, members in parts.items()} == {
        "under 10°": [False, False, True, False, False],
        "10 to 20°": [False, True, False, False, False],
        "20 to 30°": [False, False, False, False, True],
        "30° and more": [True, False, False, False, False],
    }


def test_slices_of_equally_many() -> None:
    values = np.arange(40.0)
    parts = cut(BRIGHTNESS, values, slice_edges(BRIGHTNESS, values))
    assert [int(members.sum()) for members in parts.values()] == [10, 10, 10, 10]


def test_unknown_attributes_have_no_slices() -> None:
    assert cut(YAW, [np.nan] * 3, slice_edges(YAW, [np.nan] * 3)) == {}
    assert slice_edges(SHARPNESS, []) == ()


def test_people_largest_error_first() -> None:
    means = group_means(
        np.array([1, 3, 8, np.inf, np.inf, 9]), ["ann", "ann", "bob", "bob", "cid", ""]
    )
    assert list(means.items()) == [("bob", 8), ("ann", 2)]
