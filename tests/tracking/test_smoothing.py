"""Quiet at rest, prompt in motion: in numbers."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedots.data.synthetic import draw_face
from facedots.geometry import Floats, apply_affine, similarity
from facedots.tracking.smoothing import FaceSmoother, OneEuroFilter, OneEuroParams

RATE = 30
FACE = draw_face(np.random.default_rng(3))[1]
EYES = float(np.linalg.norm(FACE[36] - FACE[45]))
UNKNOWN = np.full(len(FACE), np.nan, np.float32)


def smoothed(
    frames: Floats, sigma: Floats = UNKNOWN, smoother: FaceSmoother | None = None
) -> Floats:
    smoother = smoother or FaceSmoother()
    return np.stack([smoother(points, sigma, i / RATE) for i, points in enumerate(frames)])


def noise(count: int, seed: int = 0) -> Floats:
    return (
        np.random.default_rng(seed).normal(0, 0.01 * EYES, (count, *FACE.shape)).astype(np.float32)
    )


def flicker(frames: Floats) -> float:
    return float(np.linalg.norm(np.diff(frames, axis=0), axis=2).mean())


MOTIONS: dict[str, Callable[[int], np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = {
    "along": lambda i: similarity(0, 1, (0.01 * EYES * i, -0.02 * EYES * i), (0, 0)),
    "turning": lambda i: similarity(2.0 * i, 1, (0, 0), (50, 50)),
    "growing": lambda i: similarity(0, 1.01**i, (0, 0), tuple(FACE.mean(axis=0))),
}


@pytest.mark.parametrize("name", MOTIONS)
def test_a_steady_motion_has_no_lag(name: str) -> None:
    frames = np.stack([apply_affine(MOTIONS[name](i), FACE) for i in range(200)])
    assert np.linalg.norm(smoothed(frames)[60:] - frames[60:], axis=2).max() < 0.01 * EYES


def test_a_whole_turn_does_not_jump() -> None:
    frames = np.stack([apply_affine(MOTIONS["turning"](i), FACE) for i in range(400)])
    assert flicker(smoothed(frames)[60:]) == pytest.approx(flicker(frames[60:]), rel=0.01)


def test_noise_at_rest_goes() -> None:
    frames = FACE + noise(300)
    quiet = smoothed(frames)
    assert flicker(quiet) < 0.2 * flicker(frames)
    assert (
        np.linalg.norm(quiet[60:] - FACE, axis=2).mean()
        < 0.5 * np.linalg.norm(frames[60:] - FACE, axis=2).mean()
    )


def test_noise_in_motion_goes_too() -> None:
    way = np.stack([apply_affine(MOTIONS["along"](i), FACE) for i in range(200)])
    frames = way + noise(200)
    assert flicker(smoothed(frames)[60:] - way[60:]) < 0.25 * flicker(frames[60:] - way[60:])


def test_a_blink_keeps_its_depth_and_comes_within_a_frame() -> None:
    lids = [37, 38, 43, 44]
    blink = (
        0.12 * EYES * np.interp(np.arange(60), [20, 23, 25, 30], [0, 1, 1, 0]).astype(np.float32)
    )
    frames = np.repeat(FACE[None], 60, axis=0)
    frames[:, lids, 1] += blink[:, None]
    seen = (smoothed(frames) - FACE)[:, lids, 1].mean(axis=1)
    assert seen.max() > 0.85 * blink.max()
    lag = -((seen - blink)[1:] * np.diff(blink)).sum() / (np.diff(blink) ** 2).sum()
    assert 0 < lag < 1.1


def test_a_head_that_stops_at_once_swings_by_less_than_a_frame() -> None:
    step = 0.03 * EYES
    way = np.clip(np.arange(90) - 20, 0, 30) * step
    frames = FACE + np.stack([way, np.zeros(90)], axis=1)[:, None].astype(np.float32)
    error = (smoothed(frames) - frames)[..., 0].mean(axis=1)
    assert 0 < error.max() < 0.8 * step
    assert np.abs(error[60:]).max() < 0.1 * step


def test_points_of_which_the_network_is_less_sure_are_quieter() -> None:
    frames = FACE + noise(200)
    sure, unsure = (
        flicker(smoothed(frames, np.full(68, share * EYES, np.float32))) for share in (0.02, 0.1)
    )
    assert unsure < 0.8 * sure


@settings(max_examples=20, deadline=None)
@given(st.floats(-180, 180), st.floats(0.3, 3), st.floats(-200, 200), st.floats(-200, 200))
def test_where_and_how_large_the_face_is_makes_no_difference(
    angle: float, zoom: float, x: float, y: float
) -> None:
    matrix = similarity(angle, zoom, (x, y), (0, 0))
    way = np.stack([apply_affine(MOTIONS["turning"](i), FACE) for i in range(12)]) + noise(12)
    sigma = np.full(68, 0.04 * EYES, np.float32)
    moved = smoothed(apply_affine(matrix, way), zoom * sigma)
    assert np.abs(moved - apply_affine(matrix, smoothed(way, sigma))).max() < 0.01 * zoom


def test_a_missing_point_stays_missing_and_starts_anew() -> None:
    frames = FACE + noise(12)
    frames[3:6, 40] = np.nan
    quiet = smoothed(frames)
    assert np.isnan(quiet[3:6, 40]).all()
    assert np.isfinite(np.delete(quiet, 40, axis=1)).all()
    assert np.linalg.norm(quiet[6, 40] - frames[6, 40]) < 0.01 * EYES


def test_without_two_points_nothing_is_changed() -> None:
    frames = np.full((3, 68, 2), np.nan, np.float32)
    frames[:, 5] = 7
    assert np.array_equal(smoothed(frames), frames, equal_nan=True)
    collapsed = np.full((3, 68, 2), 7, np.float32)
    assert np.array_equal(smoothed(collapsed), collapsed)


def test_a_pause_starts_anew() -> None:
    smoother, shifted = FaceSmoother(), FACE + 40
    smoother(FACE, UNKNOWN, 0.0)
    assert np.abs(smoother(shifted, UNKNOWN, 0.6) - shifted).max() < 1e-3
    assert (
        np.abs(smoother(FACE, UNKNOWN, 0.1) - FACE).max() < 1e-3
    )  # The clock went back: another film.
    assert np.abs(smoother(shifted, UNKNOWN, 0.15) - shifted).max() > 1


def test_the_low_pass_is_the_textbooks() -> None:
    """One step of 1 from rest at 10 Hz: gain = a / (a + 1) with a = 2 pi cutoff / rate; the speed's
    cut-off works alike.
    """
    low_pass = OneEuroFilter(OneEuroParams(min_cutoff=1.0, beta=0.5, speed_cutoff=1.0))
    low_pass(np.zeros(1, np.complex128), 0.1)
    speed_gain = 0.2 * np.pi / (0.2 * np.pi + 1)
    turn = 2 * np.pi * (1.0 + 0.5 * speed_gain * 10) * 0.1
    assert low_pass(np.ones(1, np.complex128), 0.1)[0] == pytest.approx(turn / (turn + 1))
