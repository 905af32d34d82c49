"""Assignment against trying all pairs; what appearance tells apart."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facedots.errors import ShapeError
from facedots.tracking.track import appearance, assign

TABLES = st.tuples(st.integers(0, 4), st.integers(0, 4)).flatmap(
    lambda shape: arrays(
        np.float64, shape, elements=st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, np.inf])
    )
)


def best_by_trial(
    costs: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", limit: float
) -> tuple[int, float]:
    """The most pairs within the limit, and the least they cost."""
    rows, columns = costs.shape
    for count in range(min(rows, columns), 0, -1):
        choices = itertools.product(
            itertools.combinations(range(rows), count),
            itertools.permutations(range(columns), count),
        )
        prices = [[costs[pair] for pair in zip(*choice, strict=True)] for choice in choices]
        allowed = [sum(price) for price in prices if max(price) <= limit]
        if allowed:
            return count, min(allowed)
    return 0, 0.0


@settings(max_examples=200, deadline=None)
@given(TABLES, st.sampled_from([0.0, 1.0, 2.5]))
def test_no_other_choice_is_better(
    costs: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", limit: float
) -> None:
    pairs = assign(costs, limit)
    assert (len(pairs), sum(costs[pair] for pair in pairs)) == best_by_trial(costs, limit)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)


def test_the_greedy_choice_is_not_taken() -> None:
    assert assign([[0.1, 0.2], [0.1, 5.0]], limit=9) == [(0, 1), (1, 0)]


def test_costs_are_a_table() -> None:
    with pytest.raises(ShapeError):
        assign([1.0, 2.0], limit=1)


def test_appearance_tells_faces_apart_whatever_the_brightness() -> None:
    points = np.array([[20, 20], [80, 20], [80, 80], [20, 80]], np.float32)
    images = [
        np.random.default_rng(seed)
        .integers(0, 255, (6, 6, 3), np.uint8)
        .repeat(20, 0)
        .repeat(20, 1)
        for seed in (1, 2)
    ]
    one, other = (appearance(image, points) for image in images)
    darker = appearance((images[0] * 0.7).astype(np.uint8), points)
    assert one @ darker > 0.95
    assert one @ other < 0.6
    assert np.isfinite(appearance(images[0], points - 500)).all()
