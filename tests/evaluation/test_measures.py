from collections.abc import Callable

import numpy as np
import pytest

from facedots.evaluation.measures import UncertaintyMetrics
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
