"""Closed eyes: the lids meet in the labels, and the image shows skin over the eye."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedots.data.closed_eyes import CloseEyes, Lid, close_eye, lid_source
from facedots.data.dataset import Sample
from facedots.geometry import apply_affine, similarity
from facedots.schema import IBUG68

EYE = np.array([[60, 100], [75, 92], [90, 92], [105, 100], [90, 108], [75, 108]], np.float64)
SKIN, WHITE = (180, 140, 120), (255, 255, 255)


def drawn(angle: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A white eye on plain skin, 200 px, turned about its middle; and its six points."""
    image = np.full((200, 200, 3), SKIN, np.uint8)
    eye = apply_affine(similarity(angle, 1.0, (0, 0), (82.5, 100)), EYE)
    cv2.fillPoly(image, [np.rint(eye).astype(np.int32)], WHITE)
    return image, eye


@given(st.floats(-180, 180))
@settings(max_examples=25, deadline=None)
def test_a_shut_eye_shows_skin_whichever_way_up(angle: float) -> None:
    image, eye = drawn(angle)
    closed, points = close_eye(image, eye.astype(np.float32), range(6), 1.0)
    np.testing.assert_allclose(points[[1, 2]], eye[[5, 4]], atol=1e-4)
    np.testing.assert_allclose(points[[0, 3, 4, 5]], eye[[0, 3, 4, 5]], atol=1e-4)
    before, after = ((pixels == WHITE).all(axis=2).sum() for pixels in (image, closed))
    assert before > 400
    # A seam of about a pixel along the lower lid may stay.
    assert after < 0.15 * before


def test_half_closed_leaves_the_lower_half() -> None:
    image, eye = drawn()
    closed, points = close_eye(image, eye.astype(np.float32), range(6), 0.5)
    assert points[1].tolist() == [75, 100]
    assert (closed[96, 82] == SKIN).all()
    assert (closed[104, 82] == WHITE).all()
    assert (image[96, 82] == WHITE).all()


def test_nothing_moves_far_from_the_eye() -> None:
    places = np.stack(np.meshgrid(np.arange(200.0), np.arange(200.0)), axis=-1)
    moved = np.abs(lid_source(places, EYE, 1.0) - places).max(axis=-1) > 0
    rows, columns = moved.nonzero()
    assert columns.min() > 60
    assert columns.max() < 105
    assert rows.min() > 92 - 0.4 * 45 - 1
    assert rows.max() <= 108


def test_closing_zero_is_the_identity() -> None:
    places = np.random.default_rng(0).uniform(0, 200, (500, 2))
    np.testing.assert_array_equal(lid_source(places, EYE, 0.0), places)


def face() -> Sample:
    random = np.random.default_rng(0)
    points = random.uniform(40, 160, (68, 2)).astype(np.float32)
    for region, left in (("right_eye", 0.0), ("left_eye", 60.0)):
        points[list(IBUG68.regions[region])] = EYE - (40, 0) + (left, 0)
    image = random.integers(0, 256, (200, 200, 3), np.uint8)
    return {"image": image, "keypoints": points, "name": "f", "label_bias_x": 0.0}


def test_both_eyes_close_and_nothing_else_moves() -> None:
    sample = face()
    result = CloseEyes(IBUG68, p=1.0, generator=np.random.default_rng(1))(sample)
    moved = np.abs(result["keypoints"] - sample["keypoints"]).max(axis=1) > 0
    assert moved.nonzero()[0].tolist() == [37, 38, 43, 44]
    assert (result["image"] != sample["image"]).any()
    assert CloseEyes(IBUG68, p=0.0)(sample)["image"] is sample["image"]


def test_some_close_one_eye_only_and_its_pupil_is_unknown() -> None:
    sample = face() | {"pupils": np.array([[62, 100], [122, 100]], np.float32)}
    counts = {1: 0, 2: 0}
    for seed in range(60):
        result = CloseEyes(IBUG68, p=1.0, generator=np.random.default_rng(seed))(sample)
        moved = (result["keypoints"] != sample["keypoints"]).any(axis=1)
        eyes = moved[[37, 43]]
        counts[int(eyes.sum())] += 1
        gaps = result["keypoints"][[41, 47], 1] - result["keypoints"][[37, 43], 1]
        np.testing.assert_array_equal(np.isnan(result["pupils"]).all(axis=1), gaps < 8)
    assert counts[1] in range(1, 16)


def test_a_squeezed_eye_stays_in_sight() -> None:
    image, eye = drawn()
    whites = []
    for squeezed in (False, True):
        lid = Lid(squeezed=squeezed)
        closed, points = close_eye(image, eye.astype(np.float32), range(6), 0.5, lid)
        assert points[1].tolist() == [75, 100]
        assert (closed[96, 82] == SKIN).all()
        whites.append((closed == WHITE).all(axis=2).sum())
    assert whites[0] <= 1.1 * whites[1]


def test_the_lash_is_a_dark_line_on_the_lids_edge() -> None:
    image, eye = drawn()
    plain, lash = (
        close_eye(image, eye.astype(np.float32), range(6), 1.0, Lid(lash=opacity))[0].astype(int)
        for opacity in (0.0, 0.6)
    )
    darker = (lash.sum(axis=2) < plain.sum(axis=2) - 60).nonzero()
    assert len(darker[0]) > 20
    assert 96 < darker[0].min() <= darker[0].max() < 112


def test_eyes_with_missing_points_stay_as_they_are() -> None:
    sample = face()
    sample["keypoints"][[36, 45]] = np.nan
    result = CloseEyes(IBUG68, p=1.0)(sample)
    np.testing.assert_array_equal(result["keypoints"], sample["keypoints"])
    np.testing.assert_array_equal(result["image"], sample["image"])


@pytest.mark.parametrize("edge", [(0.0, 0.0), (150.0, 120.0), (-300.0, 0.0)])
def test_eyes_at_and_beyond_the_border_do_no_harm(edge: tuple[float, float]) -> None:
    image, eye = drawn()
    closed, points = close_eye(
        image, (eye - eye.min(axis=0) + edge).astype(np.float32), range(6), 1.0
    )
    assert closed.shape == image.shape
    assert np.isfinite(points).all()
