import numpy as np
import pytest

from facedots.audit.label_order import (
    LEFT_RIGHT_SWAPPED,
    MIRRORED_POINTS,
    match_prediction,
    match_shape,
    mirror_permutations,
    possible_permutations,
)
from facedots.audit.shapes import ReferenceShape
from facedots.geometry import Matrix
from facedots.schema import IBUG68, KeypointSchema

WIDE = 100.0
NAMED = {permutation.name: permutation for permutation in possible_permutations(IBUG68)}
PLAIN = KeypointSchema("plain", ("a", "b", "c"), {"all": (0, 1, 2)}, (0, 1, 2), (), (0, 1))


def test_permutations_of_faces() -> None:
    assert {
        LEFT_RIGHT_SWAPPED,
        "right eye and left eye swapped",
        "right brow and left brow swapped",
        "mouth the wrong way round",
    } <= set(NAMED)
    assert all(
        sorted(permutation.order) == list(range(IBUG68.count))
        for permutation in possible_permutations(IBUG68)
    )
    assert len({permutation.order for permutation in possible_permutations(IBUG68)}) == len(
        possible_permutations(IBUG68)
    )


def test_without_left_and_right_only_the_order_can_be_reversed() -> None:
    assert [permutation.name for permutation in possible_permutations(PLAIN)] == [
        "the order of all points reversed"
    ]


@pytest.mark.parametrize("name", NAMED)
def test_each_permutation_is_matched_by_a_prediction_and_corrected(
    name: str, truth: Matrix
) -> None:
    permutation = NAMED[name]
    wrong = np.empty_like(truth[:5])
    wrong[:, list(permutation.order)] = truth[:5]
    blurred = truth[:5] + np.random.default_rng(0).normal(0, 0.8, truth[:5].shape)
    units = ReferenceShape.fit(truth, IBUG68).eye_distances(truth[:5])
    result = match_prediction(
        wrong, blurred, units, possible_permutations(IBUG68), np.full(5, WIDE)
    )
    assert [one and one.name for one in result] == [name] * 5
    for i, one in enumerate(result):
        assert one is not None
        np.testing.assert_allclose(one.corrected(wrong[i], WIDE), truth[i])


def test_right_labels_match_no_permutation(truth: Matrix) -> None:
    blurred = truth + np.random.default_rng(0).normal(0, 2, truth.shape)
    units = ReferenceShape.fit(truth, IBUG68).eye_distances(truth)
    assert match_prediction(
        truth, blurred, units, possible_permutations(IBUG68), np.full(len(truth), WIDE)
    ) == [None] * len(truth)
    blurred[:] = np.nan
    assert match_prediction(
        truth, blurred, units, possible_permutations(IBUG68), np.full(len(truth), WIDE)
    ) == [None] * len(truth)


def test_mirrored_points_in_an_image_that_is_not(truth: Matrix) -> None:
    aside = np.add(truth[:5], (12, 0))
    wrong = aside * (-1, 1) + (WIDE - 1, 0)
    units = ReferenceShape.fit(truth, IBUG68).eye_distances(truth[:5])
    for label in (wrong, wrong[:, list(IBUG68.flip)]):
        result = match_prediction(
            label, aside, units, mirror_permutations(IBUG68), np.full(5, WIDE)
        )
        for i, one in enumerate(result):
            assert one is not None
            assert one.name == MIRRORED_POINTS
            np.testing.assert_allclose(one.corrected(label[i], WIDE), aside[i])


@pytest.mark.parametrize("name", [LEFT_RIGHT_SWAPPED, "right eye and left eye swapped"])
def test_shapes_match_without_a_prediction(name: str, truth: Matrix) -> None:
    permutation = NAMED[name]
    labels = truth.copy()
    labels[:4] = truth[:4, list(permutation.order)]  # Both undo themselves.
    result = match_shape(labels, ReferenceShape.fit(labels, IBUG68), IBUG68)
    assert [one and one.name for one in result] == [name] * 4 + [None] * (len(truth) - 4)
