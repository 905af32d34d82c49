"""Heads turned in depth: labels go where the pixels go, and what the head hides is known."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedots.analysis.pose import rotation
from facedots.analysis.shapes import HEAD_MODEL
from facedots.data.dataset import Sample
from facedots.data.turned_heads import TurnHead, turn_head, view_of
from facedots.geometry import Floats
from facedots.schema import IBUG68, KeypointSchema

EYE_DISTANCE = 60.0


def head(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Floats:
    """The points of the head model in an image of 260 px."""
    turned = HEAD_MODEL @ rotation(yaw, pitch, roll).T
    return (turned[:, :2] * EYE_DISTANCE + (130, 110)).astype(np.float32)


def sample_of(points: Floats, image: np.ndarray | None = None) -> Sample:
    plain = np.full((260, 260, 3), 90, np.uint8) if image is None else image
    return {"image": plain, "keypoints": points, "visible": np.ones(68, np.float32)}


def turned(sample: Sample, angle: float, tilt: float = 0.0) -> Sample:
    view = view_of(sample["keypoints"])
    assert view is not None
    return turn_head(sample, view, angle, tilt)


@pytest.mark.parametrize("yaw", [-45, -20, 0, 20, 45])
@pytest.mark.parametrize("roll", [-30, 0, 120])
def test_the_view_knows_how_a_head_lies(yaw: float, roll: float) -> None:
    view = view_of(head(yaw, 0, roll))
    assert view is not None
    assert view.yaw == pytest.approx(yaw, abs=1)


@given(st.floats(-40, 40), st.floats(-20, 20), st.floats(-180, 180), st.sampled_from(range(17, 68)))
@settings(max_examples=40, deadline=None)
def test_a_dot_lands_where_its_label_says(
    angle: float, tilt: float, roll: float, index: int
) -> None:
    points = head(0, 0, roll)
    rows, columns = np.mgrid[:260, :260]
    x, y = points[index]
    dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    image = np.repeat(dot.round().astype(np.uint8)[..., None], 3, axis=2)
    result = turned(sample_of(points, image), angle, tilt)
    if result["visible"][index] == 0:
        return
    weights = result["image"][..., 0].astype(np.float64)
    end = result["keypoints"][index]
    near = np.hypot(columns - end[0], rows - end[1]) < 1
    assert weights[near].max() > 0.6 * weights.max()
    assert weights.max() > 60


@given(st.floats(15, 40), st.floats(-180, 180))
@settings(max_examples=20, deadline=None)
def test_the_points_are_those_of_the_turned_head(angle: float, roll: float) -> None:
    result = turned(sample_of(head(0, 0, roll)), angle)
    inner = result["visible"].astype(bool) & ~np.isin(np.arange(68), range(17))
    expected = (HEAD_MODEL - (0, 0, HEAD_MODEL[8, 2])) @ rotation(angle, 0, 0).T
    turn = rotation(0, 0, roll)
    goal = (expected @ turn.T)[:, :2] * EYE_DISTANCE + (130, 110)
    errors = np.linalg.norm(result["keypoints"] - goal, axis=1)
    assert errors[inner].mean() < 0.03 * EYE_DISTANCE
    view = view_of(result["keypoints"])
    assert view is not None
    assert view.yaw == pytest.approx(angle, abs=8)


def test_the_far_jaw_lies_on_the_outline_and_is_seen() -> None:
    result = turned(sample_of(head()), 40)
    points = result["keypoints"]
    # Nothing of the face lies farther out than the outline, in the rows of the jaw.
    jaw = points[9:17]
    for x, y in points[17:]:
        if jaw[:, 1].min() < y < jaw[:, 1].max():
            assert x <= np.interp(-y, -jaw[:, 1], jaw[:, 0]) + 1.5
    assert result["visible"][:17].all()


def test_what_the_nose_hides_is_hidden() -> None:
    profile = turned(sample_of(head(20)), 40)["visible"]
    assert profile[[39, 36, 30, 48, 8, 17]].all()
    assert not profile[[42, 35, 54]].any()
    mirrored = turned(sample_of(head(-20)), -40)["visible"]
    np.testing.assert_array_equal(mirrored, profile[list(IBUG68.flip)])
    unknown = sample_of(head(20)) | {"visible": np.full(68, np.nan, np.float32)}
    assert np.isnan(turned(unknown, 40)["visible"][[39, 30]]).all()


def test_no_turn_changes_nothing() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (260, 260, 3), np.uint8)
    image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3))
    sample = sample_of(head(10, 5, 15), image)
    result = turned(sample, 0.0)
    np.testing.assert_allclose(result["keypoints"], sample["keypoints"], atol=0.1)
    assert np.abs(result["image"].astype(int) - image).max() <= 2
    assert result["visible"].all()


def test_the_seed_decides_and_the_sample_stays() -> None:
    image = np.random.default_rng(0).integers(0, 256, (260, 260, 3), np.uint8)
    sample = sample_of(head(5), image.copy()) | {"pupils": head(5)[[37, 44]]}
    results = [TurnHead(IBUG68, 1.0, generator=np.random.default_rng(3))(sample) for _ in "ab"]
    for name in ("image", "keypoints", "visible", "pupils"):
        np.testing.assert_array_equal(results[0][name], results[1][name])
        assert not np.array_equal(results[0][name], sample[name]) or name == "visible"
    np.testing.assert_array_equal(sample["image"], image)
    shift = results[0]["pupils"] - results[0]["keypoints"][[37, 44]]
    assert np.abs(shift).max() < 0.5


def test_a_face_is_turned_farther_never_beyond_the_largest() -> None:
    for seed in range(40):
        turn = TurnHead(IBUG68, 1.0, largest=50, generator=np.random.default_rng(seed))
        view = view_of(turn(sample_of(head(25)))["keypoints"])
        assert view is not None
        assert 28 < view.yaw < 60


@pytest.mark.parametrize("fault", ["missing", "far", "unlike", "schema"])
def test_what_cannot_be_turned_stays(fault: str) -> None:
    points, schema = head(55 if fault == "far" else 0), IBUG68
    if fault == "missing":
        points[3] = np.nan
    if fault == "unlike":
        points = np.random.default_rng(0).uniform(60, 200, (68, 2)).astype(np.float32)
    if fault == "schema":
        schema = KeypointSchema("two", ("a", "b"), {"all": (0, 1)}, (1, 0), (), (0, 1))
        points = points[:2]
    sample = {"image": np.zeros((260, 260, 3), np.uint8), "keypoints": points}
    result = TurnHead(schema, 1.0, generator=np.random.default_rng(0))(sample)
    assert result["image"] is sample["image"]
    assert result["keypoints"] is points


@pytest.mark.parametrize("zoom", [0.02, 1.0, 3.0])
@pytest.mark.parametrize("shift", [(0, 0), (-120, 90), (900, 0)])
def test_tiny_faces_and_faces_beyond_the_border(zoom: float, shift: tuple[int, int]) -> None:
    points = (head(10) * zoom + shift).astype(np.float32)
    result = TurnHead(IBUG68, 1.0, generator=np.random.default_rng(1))(sample_of(points))
    assert result["image"].shape == (260, 260, 3)
    assert result["image"].dtype == np.uint8
    assert np.isfinite(result["keypoints"]).all()
    assert result["keypoints"].dtype == np.float32
