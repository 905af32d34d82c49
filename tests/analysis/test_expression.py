import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.analysis.expression import (
    CLOSED_EYE,
    OPEN_EYE,
    SIGNALS,
    BlinkCounter,
    expression_signals,
)
from facedots.analysis.pose import Camera, frontal, head_pose, project
from facedots.analysis.shapes import HEAD_MODEL
from facedots.data.synthetic import random_head, random_rotation
from facedots.errors import PointsError
from facedots.geometry import Floats, Matrix
from facedots.head import HeadPose

CAMERA = Camera.guess((480, 640))
UPPER_RIGHT, LOWER_RIGHT = [37, 38], [41, 40]
USUAL_OPENING = 0.09


def posed(yaw: float = 0, pitch: float = 0, roll: float = 0, zoom: float = 1) -> HeadPose:
    return HeadPose(yaw, pitch, roll, np.array([0.3, -0.2, 6 / zoom], np.float32), 0.0)


def signals(solid: Matrix, pose: HeadPose) -> dict[str, float]:
    """What is read off a head of this shape once its pose is found from its points."""
    return signals_of(project(solid, pose, CAMERA))


def signals_of(points: Floats | Matrix, pose: HeadPose | None = None) -> dict[str, float]:
    """What is read off points, by a given pose or their own."""
    return expression_signals(frontal(points, pose or head_pose(points, CAMERA), CAMERA))


def changed(points: list[int], by: tuple[float, float]) -> Matrix:
    solid = HEAD_MODEL.copy()
    solid[points, :2] += by
    return solid


poses = st.builds(
    posed, st.floats(-50, 50), st.floats(-30, 30), st.floats(-60, 60), st.floats(0.4, 1.5)
)


@given(poses)
def test_signals_do_not_depend_on_the_pose(pose: HeadPose) -> None:
    smiling = changed([48, 60], (-0.05, -0.06))
    smiling[[54, 64], :2] += (0.05, -0.06)
    smiling[[41, 40], 1] -= 0.04
    straight, turned = signals(smiling, posed()), signals(smiling, pose)
    assert list(turned) == list(SIGNALS)
    assert turned == pytest.approx(straight, abs=0.012)


def test_lengths_by_hand() -> None:
    given_pose = posed(10, 5, 20)
    still = signals_of(project(HEAD_MODEL, given_pose, CAMERA), given_pose)
    # Mean gap between the lids of the model; half its mouth's width less the corners' drop below
    # the nose, less 0.03 at rest.
    assert [still["right_eye_open"], still["left_eye_open"]] == pytest.approx(
        [(0.077 + 0.077) / 2] * 2, abs=1e-6
    )
    assert still["smile"] == pytest.approx(0.305 - (0.759 - 0.541) - 0.03, abs=1e-6)
    assert still["mouth_open"] == pytest.approx(
        (2 * (0.801 - 0.747) + (0.809 - 0.750)) / 3, abs=1e-6
    )
    brows = np.mean([0.162, 0.235, 0.256, 0.240, 0.201])
    assert still["brow_raise"] == pytest.approx(brows + 0.016 / 2 - 0.21, abs=1e-6)
    assert still["frown"] == pytest.approx(0.22 - (0.2205 + 0.016), abs=1e-6)


def test_each_signal_follows_its_own_points_and_left_is_the_subjects_left() -> None:
    straight = posed()

    def difference(points: list[int], by: tuple[float, float]) -> dict[str, float]:
        before, after = (
            signals_of(project(s, straight, CAMERA), straight)
            for s in (HEAD_MODEL, changed(points, by))
        )
        return {
            name: round(after[name] - before[name], 4)
            for name in SIGNALS
            if abs(after[name] - before[name]) > 1e-4
        }

    assert difference(UPPER_RIGHT, (0, 0.06)) == {
        "right_eye_open": -0.06,
        "right_eye_closed": pytest.approx(1, abs=0.4),
    }
    assert set(difference([46, 47], (0, -0.06))) == {"left_eye_open", "left_eye_closed"}
    assert difference([65, 66, 67], (0, 0.2)) == {"mouth_open": pytest.approx(0.2)}
    assert difference([48, 54], (0, -0.05)) == {"smile": pytest.approx(0.05)}
    assert difference([17, 18, 25, 26], (0, -0.05)) == {"brow_raise": pytest.approx(0.02)}
    assert difference([20, 21, 22, 23], (0, 0.05)) == {
        "brow_raise": pytest.approx(-0.02),
        "frown": pytest.approx(0.05),
    }


def test_the_share_of_closing_has_fixed_ends() -> None:
    gap = HEAD_MODEL[41, 1] - HEAD_MODEL[37, 1]
    straight = posed()
    for opening, share in [
        (OPEN_EYE, 0),
        (CLOSED_EYE, 1),
        ((OPEN_EYE + CLOSED_EYE) / 2, 0.5),
        (0.0, 1),
    ]:
        solid = changed(LOWER_RIGHT, (0, opening - gap))
        values = signals_of(project(solid, straight, CAMERA), straight)
        assert values["right_eye_closed"] == pytest.approx(share, abs=1e-6)


def test_missing_points_silence_only_their_signals() -> None:
    points = project(HEAD_MODEL, posed(), CAMERA)
    points[[37, 66]] = np.nan
    values = signals_of(points, posed())
    assert {name for name, value in values.items() if np.isnan(value)} == {
        "right_eye_open",
        "right_eye_closed",
        "mouth_open",
    }
    points[36] = np.nan
    with pytest.raises(PointsError, match="outer eye corners"):
        signals_of(points, posed())


def drawn_heads(count: int) -> list[tuple[Matrix, Floats]]:
    """Solid heads of drawn people, other than the model in every proportion, and how the painter
    shows them.
    """
    heads = []
    for number in range(count):
        rng = np.random.default_rng((7, number))
        turn, solid = random_rotation(rng), random_head(rng)
        heads.append((solid, np.asarray(solid @ turn[:2].T * 90 + (320, 240), np.float32)))
    return heads


def test_drawn_eyes_and_mouths_read_as_they_were_drawn() -> None:
    heads = drawn_heads(300)
    read = [signals_of(points) for _, points in heads]
    gaps = np.array([(solid[LOWER_RIGHT, 1] - solid[UPPER_RIGHT, 1]).mean() for solid, _ in heads])
    found = np.array([values["right_eye_open"] for values in read])
    assert np.abs(found - gaps).mean() < 0.01
    closed = gaps < 0.024
    assert 20 < closed.sum() < 80
    assert found[closed].max() < found[~closed].min() + 0.02
    lips = np.array(
        [(solid[[67, 66, 65], 1] - solid[[61, 62, 63], 1]).mean() for solid, _ in heads]
    )
    mouths = np.array([values["mouth_open"] for values in read])
    assert np.corrcoef(lips, mouths)[0, 1] > 0.98


def blinks(
    openings: list[float], rate: float = 25, counter: BlinkCounter | None = None
) -> list[int]:
    """The frames with which a blink ended."""
    used = counter or BlinkCounter()
    signals = [{"right_eye_open": value, "left_eye_open": value + 0.01} for value in openings]
    return [frame for frame, values in enumerate(signals) if used.update(values, frame / rate)]


def test_each_blink_counts_once_when_the_eyes_open() -> None:
    blink = [0.06, 0.01, 0.0, 0.03, USUAL_OPENING]
    assert blinks(
        [USUAL_OPENING] * 10 + blink + [USUAL_OPENING] * 20 + blink + [USUAL_OPENING] * 5
    ) == [14, 39]


def test_closing_without_opening_does_not_count_yet() -> None:
    assert blinks([USUAL_OPENING] * 10 + [0.0] * 5) == []


def test_shut_eyes_are_no_blink() -> None:
    # Half a second is 12.5 frames of 25 a second.
    assert blinks([USUAL_OPENING] * 30 + [0.0] * 12 + [USUAL_OPENING] * 5) == [42]
    assert blinks([USUAL_OPENING] * 30 + [0.0] * 13 + [USUAL_OPENING] * 5) == []
    assert blinks([USUAL_OPENING] * 30 + [0.0] * 13 + [USUAL_OPENING] * 5, rate=60) == [43]


def test_noise_between_the_limits_does_not_count() -> None:
    # The counter sees the mean of both eyes, 0.095 when open; 0.85 and 0.92 of that are 0.0808 and
    # 0.0874.
    assert blinks([USUAL_OPENING] * 30 + [0.078, 0.079, 0.076, 0.08] * 5) == []
    assert blinks(
        [USUAL_OPENING] * 30 + [0.07, 0.078, 0.07, 0.08, 0.082, USUAL_OPENING, USUAL_OPENING]
    ) == [35]


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.4])
def test_narrow_and_wide_eyes_blink_alike(scale: float) -> None:
    rng = np.random.default_rng(3)
    openings = np.full(200, USUAL_OPENING) + rng.normal(0, 0.002, 200)
    for start in (40, 90, 150):
        openings[start : start + 4] = [0.06, 0.05, 0.055, 0.065]
    counter = BlinkCounter()
    assert blinks((openings * scale).tolist(), counter=counter) == [44, 94, 154]
    assert counter.count == 3


def test_eyes_that_narrow_for_good_are_the_new_usual() -> None:
    counter = BlinkCounter(window=2)
    assert blinks(
        [USUAL_OPENING] * 60 + [0.065] * 100 + [0.04, 0.03, 0.065] + [0.065] * 5, counter=counter
    ) == [162]


def test_frames_without_eyes_are_passed_over() -> None:
    nothing = float("nan")
    assert blinks([USUAL_OPENING] * 10 + [0.01, nothing, 0.0, nothing, USUAL_OPENING]) == [14]
    assert blinks([nothing] * 5) == []


def test_limits_must_make_sense() -> None:
    with pytest.raises(ValueError, match="0 < closed < opened < 1"):
        BlinkCounter(closed=0.9, opened=0.8)
