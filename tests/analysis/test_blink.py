import numpy as np
import pytest

from facedots.analysis.expression import BlinkCounter

OPEN = 0.09


def blinks(
    openings: list[float], rate: float = 25, counter: BlinkCounter | None = None
) -> list[int]:
    """The frames with which a blink ended."""
    used = counter or BlinkCounter()
    signals = [{"right_eye_open": value, "left_eye_open": value + 0.01} for value in openings]
    return [frame for frame, values in enumerate(signals) if used.update(values, frame / rate)]


def test_each_blink_counts_once_when_the_eyes_open() -> None:
    blink = [0.06, 0.01, 0.0, 0.03, OPEN]
    assert blinks([OPEN] * 10 + blink + [OPEN] * 20 + blink + [OPEN] * 5) == [14, 39]


def test_closing_without_opening_does_not_count_yet() -> None:
    assert blinks([OPEN] * 10 + [0.0] * 5) == []


def test_shut_eyes_are_no_blink() -> None:
    # Half a second is 12.5 frames of 25 a second.
    assert blinks([OPEN] * 30 + [0.0] * 12 + [OPEN] * 5) == [42]
    assert blinks([OPEN] * 30 + [0.0] * 13 + [OPEN] * 5) == []
    assert blinks([OPEN] * 30 + [0.0] * 13 + [OPEN] * 5, rate=60) == [43]


def test_noise_between_the_limits_does_not_count() -> None:
    # The counter sees the mean of both eyes, 0.095 when open; 0.85 and 0.92 of that are 0.0808 and
    # 0.0874.
    assert blinks([OPEN] * 30 + [0.078, 0.079, 0.076, 0.08] * 5) == []
    assert blinks([OPEN] * 30 + [0.07, 0.078, 0.07, 0.08, 0.082, OPEN, OPEN]) == [35]


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.4])
def test_narrow_and_wide_eyes_blink_alike(scale: float) -> None:
    rng = np.random.default_rng(3)
    openings = np.full(200, OPEN) + rng.normal(0, 0.002, 200)
    for start in (40, 90, 150):
        openings[start : start + 4] = [0.06, 0.05, 0.055, 0.065]
    counter = BlinkCounter()
    assert blinks((openings * scale).tolist(), counter=counter) == [44, 94, 154]
    assert counter.count == 3


def test_eyes_that_narrow_for_good_are_the_new_usual() -> None:
    counter = BlinkCounter(window=2)
    assert blinks(
        [OPEN] * 60 + [0.065] * 100 + [0.04, 0.03, 0.065] + [0.065] * 5, counter=counter
    ) == [162]


def test_frames_without_eyes_are_passed_over() -> None:
    nothing = float("nan")
    assert blinks([OPEN] * 10 + [0.01, nothing, 0.0, nothing, OPEN]) == [14]
    assert blinks([nothing] * 5) == []


def test_limits_must_make_sense() -> None:
    with pytest.raises(ValueError, match="0 < closed < opened < 1"):
        BlinkCounter(closed=0.9, opened=0.8)
