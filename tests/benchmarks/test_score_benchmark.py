"""Crops and measures of ``benchmarks/score.py``."""

import numpy as np
import pytest
import score
from hypothesis import given
from hypothesis import strategies as st
from tests.faces import isotropic_covariance

from facedots.geometry import Floats, box_iou
from facedots.schema import KeypointSchema
from facedots.types import Keypoints

boxes = st.builds(
    lambda x, y, width, height: np.array([x, y, x + width, y + height], np.float32),
    *(st.floats(0, 200), st.floats(0, 200), st.floats(20, 200), st.floats(20, 200)),
)
seeds = st.integers(0, 2**32 - 1)


def center(box: Floats) -> Floats:
    return np.asarray((box[:2] + box[2:]) / 2, np.float32)


@given(boxes, seeds)
def test_good_boxes_are_off_by_little(box: Floats, seed: int) -> None:
    good, side = score.good_box(box, np.random.default_rng(seed)), float(max(box[2:] - box[:2]))
    assert np.abs(center(good) - center(box)).max() <= 0.05 * side + 1e-3
    zoom = (good[2:] - good[:2]) / (box[2:] - box[:2])
    assert (zoom >= 0.9 - 1e-4).all()
    assert (zoom <= 1.1 + 1e-4).all()


@given(boxes, seeds)
def test_drifted_boxes_are_off_by_much(box: Floats, seed: int) -> None:
    shifted, half, double = score.drifted_boxes(box, np.random.default_rng(seed)).values()
    side = float(max(box[2:] - box[:2]))
    assert 0.3 * side - 1e-3 <= np.linalg.norm(center(shifted) - center(box)) <= 0.6 * side + 1e-3
    assert shifted[2:] - shifted[:2] == pytest.approx(box[2:] - box[:2], abs=1e-3)
    for other, zoom in ((half, 0.5), (double, 2)):
        assert center(other) == pytest.approx(center(box), abs=1e-3)
        assert other[2:] - other[:2] == pytest.approx(zoom * (box[2:] - box[:2]), abs=1e-3)


@given(boxes, boxes, seeds)
def test_faceless_boxes_meet_no_head_and_lie_in_the_image(
    one: Floats, other: Floats, seed: int
) -> None:
    heads = np.stack([one, other])
    found = score.faceless_box((500, 600), heads, 60, np.random.default_rng(seed))
    if found is not None:
        assert found.min() >= -0.5
        assert (found[2:] <= (599.5, 499.5)).all()
        assert 30 - 1e-3 <= found[2] - found[0] == pytest.approx(found[3] - found[1], abs=1e-3)
        grown = heads + 0.3 * (heads[:, 2:] - heads[:, :2]).max(axis=1, keepdims=True) * (
            -1,
            -1,
            1,
            1,
        )
        assert box_iou(found[None], grown).max() == 0


def test_where_a_head_fills_the_image_nothing_is_faceless() -> None:
    rng, heads = np.random.default_rng(0), np.array([[10, 10, 90, 90]], np.float32)
    assert score.faceless_box((100, 100), heads, 80, rng) is None
    assert score.faceless_box((100, 900), heads, 80, rng) is not None


def test_a_row_says_what_the_network_says_and_leaves_out_the_rest() -> None:
    sigma = np.array([-3.0, -2.0])
    kinds = {
        score.GOOD: score.CropScores(np.array([0.9, 0.8]), sigma),
        "bad": score.CropScores(np.array([0.05, 0.85]), 1.5 * sigma),
    }
    measures = ("crops", "median", "below_lost", "auc_score", "auc_sigma")
    assert [score.row("bad", kinds)[name] for name in measures] == pytest.approx(
        [2, 0.45, 0.5, 0.75, 0.875]
    )
    unknown = {
        name: score.CropScores(np.full(2, np.nan), beliefs.sigma) for name, beliefs in kinds.items()
    }
    silent = score.row("bad", unknown)
    assert [silent[name] for name in measures] == [2, None, None, None, 0.875]
    assert "| bad | 2 | - | - | - | - | 0.8750 |" in score.table("some", [silent])


def test_beliefs_are_of_the_size_of_the_face() -> None:
    pair = KeypointSchema("pair", ("a", "b"), {"all": (0, 1)}, (1, 0), (), (0, 1))
    points = np.array([[[0, 0], [4, 9]], [[0, 0], [8, 18]]], np.float32)
    found = Keypoints(
        points,
        isotropic_covariance([[3, 3], [3, 3]]),
        np.ones((2, 2), np.float32),
        np.array([0.5, 1], np.float32),
        pair,
    )
    scores = score.scores_of(found)
    assert scores.score.tolist() == [0.5, 1]
    assert scores.sigma == pytest.approx([-0.5, -0.25])
