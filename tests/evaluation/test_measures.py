from collections.abc import Callable

import numpy as np
import pytest
from tests.faces import isotropic_covariance

from facedots.evaluation.measures import UncertaintyMetrics, pupil_values, visibility_values
from facedots.evaluation.result import Evaluation
from facedots.evaluation.uncertainty_metrics import ause
from facedots.uncertainty import confidence

Maker = Callable[..., Evaluation]


def test_numbers_by_hand(make_evaluation: Maker) -> None:
    # Eye distance 10 px. Every point of face i is i px to the right; sigma 1 px, so i standard
    # deviations.
    metrics = UncertaintyMetrics(make_evaluation(shifts=[0, 1, 2, 3], sigma=1.0))
    values = metrics.of_points()
    # Regions of 50 % and 90 % reach 1.18 and 2.15 standard deviations.
    assert (values["coverage_50"], values["coverage_90"]) == (50, 75)
    # In percent of the eye distance sigma is 10: ln(2 pi 100), and half of the mean of 0, 1, 4, 9.
    assert values["nll"] == pytest.approx(np.log(200 * np.pi) + 3.5 / 2)
    assert values["ause"] == pytest.approx(100)
    assert metrics.available


def test_order_is_by_parts_of_the_face_and_missed_faces_do_not_count(
    make_evaluation: Maker,
) -> None:
    metrics = UncertaintyMetrics(
        make_evaluation(shifts=[0.1, 0.9, 0.5, np.nan], sigma=[1, 9, 5, np.nan])
    )
    assert metrics.face_sigma[:3] == pytest.approx([10, 90, 50])
    assert ause(metrics.sparsification()) == pytest.approx(0, abs=1e-4)
    assert metrics.sparsification()[:, 0] == pytest.approx([5, 5])
    assert metrics.of_points()["ause"] == pytest.approx(0, abs=1e-4)
    assert np.isnan(metrics.values()["failure_recall"])


def test_regions_are_looked_at_on_their_own(make_evaluation: Maker) -> None:
    evaluation = make_evaluation(shifts=[1, 1], sigma=1.0)
    evaluation.covariance[:, 2] *= 100
    found = UncertaintyMetrics(evaluation).by_region()
    assert (found["eyes"]["coverage_50"], found["chin"]["coverage_50"]) == (100, 100)
    evaluation.covariance[:, :2] /= 100
    found = UncertaintyMetrics(evaluation).by_region()
    assert (found["eyes"]["coverage_50"], found["chin"]["coverage_50"]) == (0, 100)


def test_confidence_is_held_against_five_percent(make_evaluation: Maker) -> None:
    evaluation = make_evaluation(shifts=[0.4, 0.6, np.nan], sigma=0.5)
    bins = UncertaintyMetrics(evaluation).confidence()
    expected = confidence(
        evaluation.predicted[0], evaluation.covariance[0], evaluation.schema, None
    )[0]
    assert bins == pytest.approx(np.array([[100 * expected], [50], [100]]))


def test_without_sigma_there_is_nothing_to_measure(make_evaluation: Maker) -> None:
    metrics = UncertaintyMetrics(make_evaluation(shifts=[0, 1], sigma=np.nan))
    assert not metrics.available
    assert metrics.to_dict() is None


def test_json_has_numbers_or_none(make_evaluation: Maker) -> None:
    content = UncertaintyMetrics(make_evaluation(shifts=[0, 1, 2, 3], sigma=1.0)).to_dict()
    assert content is not None
    assert content["coverage_90"] == 75
    assert content["failure_recall"] is None
    assert content["by_region"]["chin"]["coverage_50"] == 50
    assert set(content["by_region"]) == {"eyes", "chin"}


def test_hidden_points_by_hand(make_evaluation: Maker) -> None:
    visible = np.array([[1, 1, 0], [0, np.nan, 1], [1, 1, 1]], np.float32)
    visibility = np.array([[0.95, 0.45, 0.15], [0.65, 0.1, 0.75], [np.nan] * 3], np.float32)
    evaluation = make_evaluation([0, 0, np.nan], visible=visible, visibility=visibility)
    assert visibility_values(evaluation) == {
        "hidden_share": pytest.approx(40),
        # Of six pairs, 0.45 for a visible point and 0.65 for a hidden one are the wrong way around.
        "hidden_auroc": pytest.approx(100 * 5 / 6),
        # A point in each bin: off by 5, 55, 15, 65 and 25.
        "visibility_ece": pytest.approx(33),
        "hidden_recall": pytest.approx(50),
        "hidden_false": pytest.approx(100 / 3),
    }


def test_hidden_points_need_labels_and_predictions(make_evaluation: Maker) -> None:
    known = np.ones((1, 3), np.float32)
    assert visibility_values(make_evaluation([0], visible=known)) == {}
    assert visibility_values(make_evaluation([0], visibility=known)) == {}
    values = visibility_values(make_evaluation([0], visible=known, visibility=known))
    assert np.isnan([values["hidden_auroc"], values["hidden_recall"]]).all()
    assert (values["hidden_share"], values["hidden_false"], values["visibility_ece"]) == (0, 0, 0)


def test_pupils_by_hand(make_evaluation: Maker) -> None:
    # The eyes are 10 px apart: errors of 5 % (the other pupil has no label), 20 % and 0; the third
    # face is missed.
    true = np.array([[[10, 12], [np.nan, np.nan]], *[[[10, 12], [20, 12]]] * 2], np.float32)
    pupils = np.nan_to_num(true, nan=20)
    pupils[0, 0] += (0.3, 0.4)
    pupils[1, 0] += (2, 0)
    pupils[2] = np.nan
    covariance = isotropic_covariance(np.full((3, 2), 0.5, np.float32))
    found = {"pupils": pupils, "pupils_covariance": covariance}
    evaluation = make_evaluation([0, 0, np.nan], true_pupils=true, **found)
    assert pupil_values(evaluation) == {
        "pupil_nme": pytest.approx(25 / 3),
        "pupil_fr10": pytest.approx(60),
        # 1, 16 and 0 standard deviations squared, over two axes.
        "pupil_nees": pytest.approx(17 / 6),
    }
    assert pupil_values(make_evaluation([0, 0, 0], true_pupils=true)) == {}
    assert pupil_values(make_evaluation([0, 0, 0], **found)) == {}
