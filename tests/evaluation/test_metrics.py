import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facedots.errors import ShapeError
from facedots.evaluation import metrics
from facedots.geometry import apply_affine, similarity
from facedots.plots.curves import ced_curve
from facedots.schema import IBUG68, KeypointSchema
from facedots.uncertainty import Doubles

# Four points: two eyes that scale the error, a nose, a chin.
CROSS = KeypointSchema(
    name="cross",
    names=("right_eye", "left_eye", "nose", "chin"),
    regions={"eyes": (0, 1), "rest": (2, 3)},
    flip=(1, 0, 2, 3),
    edges=(),
    norm_pair=(0, 1),
)
TRUE = np.array([[[0, 0], [10, 0], [5, 5], [5, 10]]], float)
MISSED = np.full((1, 4, 2), np.nan)

percentages = st.lists(st.floats(0, 40), min_size=1, max_size=30)
faces = arrays(np.float64, (3, 68, 2), elements=st.floats(-200, 200, width=32))


def moved(*offsets: tuple[float, float]) -> Doubles:
    return np.asarray(TRUE + np.array(offsets)[None], np.float64)


def test_point_errors_are_distances_in_pixels() -> None:
    predicted = moved((3, 4), (0, 0), (0, -2), (6, 8))
    assert metrics.point_errors(predicted, TRUE).tolist() == [[5, 0, 2, 10]]


def test_nme_is_the_mean_error_over_the_eye_distance() -> None:
    predicted = moved((3, 4), (0, 0), (0, -2), (6, 8))
    # (5 + 0 + 2 + 10) / 4 = 4.25 px over 10 px.
    assert metrics.nme(predicted, TRUE, CROSS) == pytest.approx([42.5])


def test_eye_distance_is_that_of_the_true_points() -> None:
    wide = moved((-10, 0), (10, 0), (0, 0), (0, 0))
    # 20 px of error over 4 points and the true 10 px, not the predicted 30.
    assert metrics.nme(wide, TRUE, CROSS) == pytest.approx([50])


def test_unlabeled_points_count_nowhere() -> None:
    true = TRUE.copy()
    true[0, 3, 1] = np.nan
    predicted = moved((0, 0), (0, 0), (0, 3), (50, 50))
    assert metrics.nme(predicted, true, CROSS) == pytest.approx([10])
    assert metrics.nme_by_region(predicted, true, CROSS)["rest"] == pytest.approx([30])


def test_face_without_its_scale_is_not_measured() -> None:
    no_eye, no_width = TRUE.copy(), TRUE.copy()
    no_eye[0, 1] = np.nan
    no_width[0, 1] = no_width[0, 0]
    assert np.isnan(metrics.nme(TRUE, no_eye, CROSS)).all()
    assert np.isnan(metrics.nme(TRUE, no_width, CROSS)).all()


def test_missing_prediction_of_a_labeled_point_is_infinitely_wrong() -> None:
    predicted = TRUE.copy()
    predicted[0, 2, 0] = np.nan
    assert metrics.nme(predicted, TRUE, CROSS).tolist() == [np.inf]


def test_regions_by_hand() -> None:
    predicted = moved((3, 4), (0, 0), (0, -2), (6, 8))
    by_region = metrics.nme_by_region(predicted, TRUE, CROSS)
    assert by_region["eyes"] == pytest.approx([25])
    assert by_region["rest"] == pytest.approx([60])


def test_shift_free_nme_takes_off_one_shift_for_all_faces() -> None:
    true = np.concatenate([TRUE, 3 * TRUE])
    predicted = true + np.array([1.5, -0.5])
    predicted[0, 2] += (0, 2)
    assert metrics.constant_shift(predicted, true) == pytest.approx([1.5, -0.5])
    # What stays is 2 px at one of four points of the first face: 0.5 px over 10 px.
    assert metrics.shift_free_nme(predicted, true, CROSS) == pytest.approx([5, 0])


def test_failure_rate_counts_only_what_is_above_the_threshold() -> None:
    assert metrics.failure_rate([1, 10, 10.01, np.inf]) == 50
    assert metrics.failure_rate([1, 10, 10.01, np.inf], threshold=8) == 75


def test_auc_by_hand() -> None:
    # The staircase is 0 up to 2 %, one half up to 6 %, 1 from there: (4 * 0.5 + 4 * 1) / 10.
    assert metrics.auc([2, 6]) == pytest.approx(60)
    assert metrics.auc([0, 0]) == 100
    assert metrics.auc([10, np.inf]) == 0


@pytest.mark.parametrize("errors", [[], [1, np.nan]])
def test_rates_refuse_what_cannot_be_measured(errors: list[float]) -> None:
    for function in (metrics.failure_rate, metrics.auc, ced_curve):
        with pytest.raises(ValueError, match="not measurable"):
            function(errors)


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError, match="true points"):
        metrics.nme(TRUE, TRUE, IBUG68)
    with pytest.raises(ShapeError, match="predicted points"):
        metrics.point_errors(TRUE[:, :3], TRUE)


def test_scores_over_found_and_missed_faces() -> None:
    true = np.concatenate([TRUE] * 4)
    # Errors of 5 %, 2.5 %, 20 % and a face that was not found; half the points move, so the median
    # shift stays 0.
    predicted = np.concatenate(
        [
            moved((1, 0), (-1, 0), (0, 0), (0, 0)),
            moved((0.5, 0), (-0.5, 0), (0, 0), (0, 0)),
            TRUE,
            MISSED,
        ]
    )
    predicted[2, 2:] += [(0, 4), (0, -4)]
    scores = metrics.measure_accuracy(predicted, true, CROSS)
    assert (scores.n, scores.missed) == (4, 1)
    assert scores.nme == pytest.approx((5 + 2.5 + 20) / 3)
    assert scores.nme_median == pytest.approx((5 + 20) / 2)
    assert scores.fr10 == 50
    assert scores.auc10 == pytest.approx(100 * (0.5 + 0.75) / 4)
    assert scores.nme_by_region == {
        "eyes": pytest.approx((10 + 5) / 3),
        "rest": pytest.approx(40 / 3),
    }
    assert scores.shift_px == (0, 0)
    assert scores.nme_shift_free == pytest.approx(scores.nme)


def test_scores_are_valid_json_even_if_everything_was_missed() -> None:
    scores = metrics.measure_accuracy(MISSED, TRUE, CROSS).to_dict()
    assert json.loads(json.dumps(scores, allow_nan=False)) == {
        "n": 1,
        "missed": 1,
        "nme": None,
        "nme_median": None,
        "fr10": 100.0,
        "auc10": 0.0,
        "nme_by_region": {"eyes": None, "rest": None},
        "nme_shift_free": None,
        "shift_px": [None, None],
    }


@given(faces, faces, st.floats(-180, 180), st.floats(0.2, 5), st.floats(-50, 50))
def test_nme_does_not_change_when_the_image_is_turned_or_scaled(
    predicted: np.ndarray, true: np.ndarray, angle: float, zoom: float, shift: float
) -> None:
    true[:, 45] = true[:, 36] + (30, 10)
    matrix = similarity(angle, zoom, (shift, -shift), (10, 20))
    before = metrics.nme(predicted, true, IBUG68)
    after = metrics.nme(apply_affine(matrix, predicted), apply_affine(matrix, true), IBUG68)
    assert after == pytest.approx(before, rel=1e-3, abs=1e-2)


@given(faces)
def test_perfect_points_score_perfectly(true: np.ndarray) -> None:
    true[:, 45] = true[:, 36] + (0, 25)
    scores = metrics.measure_accuracy(true, true, IBUG68)
    assert (scores.nme, scores.fr10, scores.auc10, scores.nme_shift_free) == (0, 0, 100, 0)


@given(faces, faces)
def test_regions_make_up_the_whole(predicted: np.ndarray, true: np.ndarray) -> None:
    true[:, 45] = true[:, 36] + (30, 0)
    by_region = metrics.nme_by_region(predicted, true, IBUG68)
    total = sum(len(points) * by_region[region] for region, points in IBUG68.regions.items())
    assert np.asarray(total) / 68 == pytest.approx(metrics.nme(predicted, true, IBUG68))


@given(faces, faces, st.floats(-5, 5), st.floats(-5, 5))
def test_shift_free_nme_does_not_see_a_common_shift(
    predicted: np.ndarray, true: np.ndarray, dx: float, dy: float
) -> None:
    true[:, 45] = true[:, 36] + (30, 0)
    before = metrics.shift_free_nme(predicted, true, IBUG68)
    assert metrics.shift_free_nme(predicted + np.array([dx, dy]), true, IBUG68) == pytest.approx(
        before, rel=1e-6, abs=1e-6
    )


@given(percentages, st.floats(1, 20))
def test_auc_is_the_area_under_the_ced_staircase(errors: list[float], limit: float) -> None:
    corners, share = ced_curve(errors, limit)
    assert metrics.auc(errors, limit) == pytest.approx(
        np.sum(np.diff(corners) * share[:-1]) / limit
    )


@given(percentages, st.floats(1, 20))
def test_ced_curve_counts_faces(errors: list[float], limit: float) -> None:
    corners, share = ced_curve(errors, limit)
    assert corners[0] == 0
    assert corners[-1] == limit
    assert share.tolist() == [
        pytest.approx(100 * sum(e <= corner for e in errors) / len(errors)) for corner in corners
    ]
    assert share[-1] == pytest.approx(100 - metrics.failure_rate(errors, limit))


def test_worst_tenth() -> None:
    assert metrics.worst_tenth(range(20)) == 18.5
    assert metrics.worst_tenth(range(21)) == 19
    assert metrics.worst_tenth([1, np.inf, np.nan]) == 1
    assert np.isnan(metrics.worst_tenth([]))
