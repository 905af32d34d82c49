import pytest

from facedots.analysis.expression import EMOTIONS, guess_emotion

REST = {"smile": 0.0, "mouth_open": 0.02, "brow_raise": 0.0, "frown": 0.0}


@pytest.mark.parametrize(
    ("signals", "name"),
    [
        ({}, "neutral"),
        ({"smile": 0.15}, "happy"),
        ({"smile": 0.15, "mouth_open": 0.25, "brow_raise": 0.08}, "happy"),
        ({"mouth_open": 0.2, "brow_raise": 0.06}, "surprised"),
        ({"mouth_open": 0.2}, "neutral"),
        ({"brow_raise": 0.06}, "neutral"),
        ({"frown": 0.08}, "frowning"),
        ({"frown": 0.08, "smile": 0.15}, "happy"),
        ({"smile": -0.1}, "neutral"),
        (dict.fromkeys(REST, float("nan")), "neutral"),
    ],
)
def test_rules(signals: dict[str, float], name: str) -> None:
    assert guess_emotion({**REST, **signals}).name == name


def test_scores_rise_with_their_signs() -> None:
    scores = [guess_emotion({**REST, "smile": smile}).scores for smile in (0.07, 0.1, 0.13)]
    assert [each["happy"] for each in scores] == pytest.approx([0, 0.5, 1])
    assert [each["neutral"] for each in scores] == pytest.approx([1, 0.5, 0])
    assert tuple(scores[0]) == EMOTIONS
