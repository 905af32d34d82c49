"""What kernels detect: known kernels, rotations, gratings that are really filtered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facedots.geometry import Floats
from facedots.inspection.frequency import (
    GRID,
    describe_kernel,
    frequencies,
    frequency_response,
    split_color,
)
from facedots.inspection.layers import filter_image

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
LAPLACIAN = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
IDENTITY = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
DIAGONAL = np.array(
    [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]]
)  # dark below left, bright above right: the edge runs like a backslash
LINE = np.array([[-1, 2, -1]] * 3)
kernels = arrays(np.float32, (3, 3), elements=st.floats(-2, 2, width=16))


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (SOBEL, "edge 90°"),
        (-SOBEL.T, "edge 0°"),
        (DIAGONAL, "edge 135°"),
        (DIAGONAL[:, ::-1], "edge 45°"),
        ([[-1, 0, 1]], "edge 90°"),
        (LINE, "line 90°"),
        (LINE.T, "line 0°"),
        (LAPLACIAN, "spot"),
        (-LAPLACIAN, "spot"),
        (np.ones((3, 3)), "blur"),
        ([[1, 2, 1], [2, 4, 2], [1, 2, 1]], "blur"),
        (IDENTITY, "brightness"),
        (np.zeros((3, 3)), "nothing"),
    ],
)
def test_known_kernels(kernel: Floats, words: str) -> None:
    assert str(describe_kernel(kernel)) == words


def test_measures_of_known_kernels() -> None:
    edge, line, spot = describe_kernel(SOBEL), describe_kernel(LINE), describe_kernel(LAPLACIAN)
    assert (edge.odd, line.odd, spot.odd) == pytest.approx((1, 0, 0))
    assert (edge.dc, describe_kernel(np.ones((3, 3))).dc) == pytest.approx((0, 1))
    # |H| of Sobel is 2 sin(2 pi fx) (2 + 2 cos(2 pi fy)), at most 8: at a quarter of a cycle, along
    # x alone.
    assert edge.peak == 0.25
    assert frequency_response(SOBEL).max() == pytest.approx(8)
    assert spot.selectivity == pytest.approx(0, abs=1e-9)


@given(kernels)
def test_turning_a_kernel_turns_its_orientation_and_nothing_else(kernel: Floats) -> None:
    nature, turned = describe_kernel(kernel), describe_kernel(np.rot90(kernel))
    assert turned.kind == nature.kind
    assert turned.selectivity == pytest.approx(nature.selectivity, abs=1e-6)
    if nature.selectivity > 0.05:
        difference = (turned.orientation - nature.orientation) % 180
        assert difference == pytest.approx(90, abs=0.1)


@given(kernels, st.integers(-31, 31), st.integers(-31, 31))
def test_the_response_is_what_comes_out_of_a_grating(kernel: Floats, column: int, row: int) -> None:
    fx, fy = frequencies()[[GRID // 2 + column, GRID // 2 + row]]
    y, x = np.mgrid[:GRID, :GRID]
    phase = 2 * np.pi * (fx * x + fy * y)
    # A cosine and a sine come out as the two sides of a right-angled triangle, away from the
    # mirrored border.
    sides = [
        filter_image(wave(phase).astype(np.float32), kernel)[8:-8, 8:-8]
        for wave in (np.cos, np.sin)
    ]
    expected = frequency_response(kernel)[GRID // 2 + row, GRID // 2 + column]
    assert np.hypot(*sides) == pytest.approx(np.full(sides[0].shape, expected), abs=2e-4)


def test_color_and_pattern_of_a_kernel() -> None:
    color, pattern, share = split_color(np.array([0.6, 0, -0.8])[:, None, None] * SOBEL)
    assert color == pytest.approx([-0.6, 0, 0.8], abs=1e-6)
    assert pattern == pytest.approx(-SOBEL, abs=1e-6)
    assert share == pytest.approx(1)
    # Two patterns in two channels, of energies 12 and 3: four fifths are in the stronger.
    _, pattern, share = split_color(
        np.stack([2 * np.array([[1, 1, 1]]), np.array([[1, -2, 1]]) / np.sqrt(2)])
    )
    assert share == pytest.approx(0.8)
    assert pattern == pytest.approx(np.array([[2, 2, 2]]), abs=1e-6)
    assert split_color(np.zeros((3, 2, 2)))[2] == 0
