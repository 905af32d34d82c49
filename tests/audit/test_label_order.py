import numpy as np
import pytest

from facedots.audit.label_order import (
    MIRRORED,
    TURNED,
    permutations,
    permutations_in_shape,
    permutations_seen,
    turned,
)
from facedots.audit.shapes import Frame
from facedots.geometry import Matrix
from facedots.schema import IBUG68, KeypointSchema

WIDE = 100.0
NAMED = {mistake.name: mistake for mistake in permutations(IBUG68)}
PLAIN = KeypointSchema("plain", ("a", "b", "c"), {"all": (0, 1, 2)}, (0, 1, 2), (), (0, 1))


def test_the_mistakes_of_faces() -> None:
    assert {
        MIRRORED,
        "right eye and left eye swapped",
        "right brow and left brow swapped",
        "mouth the wrong way round",
    } <= set(NAMED)
    assert all(
        sorted(mistake.order) == list(range(IBUG68.count)) for mistake in permutations(IBUG68)
    )
    assert len({mistake.order for mistake in permutations(IBUG68)}) == len(permutations(IBUG68))


def test_without_left_and_right_only_the_order_can_be_reversed() -> None:
    assert [mistake.name for mistake in permutations(PLAIN)] == ["the order of all points reversed"]


@pytest.mark.parametrize("name", NAMED)
def test_each_mistake_is_seen_by_a_network_and_undone(name: str, truth: Matrix) -> None:
    mistake = NAMED[name]
    wrong = np.empty_like(truth[:5])
    wrong[:, list(mistake.order)] = truth[:5]
    blurred = truth[:5] + np.random.default_rng(0).normal(0, 0.8, truth[:5].shape)
    units = Frame.of(truth, IBUG68).units(truth[:5])
    found = permutations_seen(wrong, blurred, units, permutations(IBUG68), np.full(5, WIDE))
    assert [one and one.name for one in found] == [name] * 5
    for i, one in enumerate(found):
        assert one is not None
        np.testing.assert_allclose(one.corrected(wrong[i], WIDE), truth[i])


def test_right_labels_have_no_mistake(truth: Matrix) -> None:
    blurred = truth + np.random.default_rng(0).normal(0, 2, truth.shape)
    units = Frame.of(truth, IBUG68).units(truth)
    assert permutations_seen(
        truth, blurred, units, permutations(IBUG68), np.full(len(truth), WIDE)
    ) == [None] * len(truth)
    blurred[:] = np.nan
    assert permutations_seen(
        truth, blurred, units, permutations(IBUG68), np.full(len(truth), WIDE)
    ) == [None] * len(truth)


def test_mirrored_points_in_a_image_that_is_not(truth: Matrix) -> None:
    aside = np.add(truth[:5], (12, 0))
    wrong = aside * (-1, 1) + (WIDE - 1, 0)
    units = Frame.of(truth, IBUG68).units(truth[:5])
    for label in (wrong, wrong[:, list(IBUG68.flip)]):
        found = permutations_seen(label, aside, units, turned(IBUG68), np.full(5, WIDE))
        for i, one in enumerate(found):
            assert one is not None
            assert one.name == TURNED
            np.testing.assert_allclose(one.corrected(label[i], WIDE), aside[i])


@pytest.mark.parametrize("name", [MIRRORED, "right eye and left eye swapped"])
def test_the_other_shapes_tell_what_a_network_would(name: str, truth: Matrix) -> None:
    mistake = NAMED[name]
    labels = truth.copy()
    labels[:4] = truth[:4, list(mistake.order)]  # Both undo themselves.
    found = permutations_in_shape(labels, Frame.of(labels, IBUG68), IBUG68)
    assert [one and one.name for one in found] == [name] * 4 + [None] * (len(truth) - 4)
