import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facedots.analysis import emotion
from facedots.analysis.emotion import (
    EMOTION_FILE,
    EMOTION_POINTS,
    EMOTIONS,
    UNSURE,
    emotion_probabilities,
    emotion_weights,
    guess_emotion,
)
from facedots.analysis.pose import Camera, frontal, project
from facedots.analysis.shapes import HEAD_MODEL
from facedots.errors import ShapeError
from facedots.geometry import Floats, Matrix
from facedots.head import HeadPose
from facedots.schema import IBUG68

CAMERA = Camera.guess((480, 640))
LOWER_LIP = 57


def posed(yaw: float = 0) -> HeadPose:
    return HeadPose(yaw, 0, 0, np.array([0, 0, 6], np.float32), 0.0)


def mean_face() -> Matrix:
    """A solid head with the points of the fit's mean face."""
    solid = HEAD_MODEL.copy()
    solid[EMOTION_POINTS, :2] = emotion_weights()[0]
    return solid


def read(solid: Matrix, yaw: float = 0) -> dict[str, float]:
    return read_points(project(solid, posed(yaw), CAMERA), posed(yaw))


def read_points(points: Floats | Matrix, pose: HeadPose) -> dict[str, float]:
    return emotion_probabilities(frontal(points, pose, CAMERA), pose)


@pytest.fixture
def weights_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Happy rises by ln 3 for each tenth that the lower lip falls; the mean face is neutral by
    ln 4 to each other emotion.
    """
    weights = np.zeros((len(EMOTIONS), len(EMOTION_POINTS), 2))
    weights[EMOTIONS.index("happy"), LOWER_LIP - EMOTION_POINTS[0], 1] = 10 * math.log(3)
    bias = [math.log(4), 0, 0, 0, 0, 0]
    mean = HEAD_MODEL[EMOTION_POINTS, :2]
    file = tmp_path / "emotions.json"
    stored = {"mean": mean.tolist(), "weights": weights.tolist(), "bias": bias}
    file.write_text(json.dumps(stored))
    monkeypatch.setattr(emotion, "EMOTION_FILE", file)
    emotion_weights.cache_clear()
    yield
    emotion_weights.cache_clear()


@pytest.mark.usefixtures("weights_by_hand")
def test_probabilities_by_hand() -> None:
    rest = read(HEAD_MODEL)
    assert list(rest) == list(EMOTIONS)
    # Odds of 4 to five times 1; with the lip a tenth lower, happy has 3.
    assert list(rest.values()) == pytest.approx([4 / 9] + [1 / 9] * 5, abs=1e-6)
    speaking = HEAD_MODEL.copy()
    speaking[LOWER_LIP, 1] += 0.1
    for yaw in (0, 30):
        values = list(read(speaking, yaw).values())
        assert values == pytest.approx([4 / 11, 3 / 11] + [1 / 11] * 4, abs=1e-6)


@pytest.mark.usefixtures("weights_by_hand")
def test_missing_points_say_nothing() -> None:
    speaking = HEAD_MODEL.copy()
    speaking[LOWER_LIP, 1] += 0.1
    points = project(speaking, posed(), CAMERA)
    points[[0, LOWER_LIP]] = np.nan
    values = read_points(points, posed())
    assert values["neutral"] == pytest.approx(4 / 9, abs=1e-6)


def test_points_that_make_no_head_say_nothing() -> None:
    pose = replace(posed(), reprojection_error=0.16)
    values = read_points(project(mean_face(), pose, CAMERA), pose)
    assert values == dict.fromkeys(EMOTIONS, 1 / 6)
    assert guess_emotion(values) == UNSURE


@pytest.mark.parametrize(
    ("emotions", "name"),
    [
        ({"neutral": 0.5, "sad": 0.5}, "neutral"),
        ({"neutral": 0.2, "sad": 0.8}, "sad"),
        ({"neutral": 0.49, "happy": 0.26, "sad": 0.25}, UNSURE),
    ],
)
def test_a_name_needs_half_of_the_probability(emotions: dict[str, float], name: str) -> None:
    assert guess_emotion(emotions) == name


def test_no_emotion_has_no_name() -> None:
    with pytest.raises(ShapeError, match="probability by name"):
        guess_emotion({})


def test_the_shipped_weights_read_what_is_plain() -> None:
    mouth, lower_lip = slice(48, 68), [*range(55, 60), *range(65, 68)]
    smile, gape = mean_face(), mean_face()
    smile[mouth, 0] *= 1.25
    smile[mouth, 1] -= 0.5 * smile[mouth, 0] ** 2
    assert guess_emotion(read(smile)) == "happy"
    gape[mouth, 0] *= 0.8
    gape[lower_lip, 1] += 0.25
    gape[[48, 54, 60, 64], 1] += 0.1
    gape[17:27, 1] -= 0.08
    assert guess_emotion(read(gape)) == "surprised"


def test_the_shipped_weights_do_not_tell_left_from_right() -> None:
    rng = np.random.default_rng(0)
    solid = mean_face() + rng.normal(0, 0.03, HEAD_MODEL.shape) * (1, 1, 0)
    mirrored = solid[list(IBUG68.flip)] * (-1, 1, 1)
    assert list(read(mirrored).values()) == pytest.approx(list(read(solid).values()), abs=0.01)


def test_the_shipped_file_states_its_origin_and_terms() -> None:
    stored = json.loads(EMOTION_FILE.read_text("utf-8"))
    assert tuple(stored["emotions"]) == EMOTIONS
    assert "Research only" in stored["license"]
    assert "people" in stored["trained_on"]
    mean, weights, bias = emotion_weights()
    shapes: list[tuple[int, ...]] = [mean.shape, weights.shape, bias.shape]
    assert shapes == [(51, 2), (6, 51, 2), (6,)]
    assert EMOTION_FILE.stat().st_size < 20_000


def test_points_of_float32_give_the_same() -> None:
    points: Floats = project(mean_face(), posed(), CAMERA).astype(np.float32)
    values = read_points(points, posed())
    assert list(values.values()) == pytest.approx(list(read(mean_face()).values()), abs=1e-3)
    assert sum(values.values()) == pytest.approx(1)
