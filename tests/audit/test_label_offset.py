from collections.abc import Callable

import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.audit.label_offset import LabelOffset, measure_label_offset
from facedots.audit.scan import ImageScan, scan_images
from facedots.geometry import Matrix
from facedots.schema import IBUG68
from facedots.spec import Predictor

Annotate = Callable[[Matrix], list[FaceAnnotation]]


def offset_of(labels: Matrix, scan: ImageScan) -> LabelOffset | None:
    return measure_label_offset(labels, scan.plain, scan.mirrored, IBUG68)


@pytest.mark.parametrize("network", ["oracle", "biased"])
def test_the_offset_is_that_of_the_labels_whatever_the_networks_bias(
    network: str, request: pytest.FixtureRequest, annotate: Annotate, truth: Matrix
) -> None:
    predictor: Predictor = request.getfixturevalue(network)
    labels = np.add(truth, (1.25, -0.5))
    labels[:9] += 30  # Faults do not count.
    result = offset_of(labels, scan_images(annotate(labels), IBUG68, predictor, threads=1))
    assert result is not None
    assert result.faces == len(truth)
    assert result.pixels == pytest.approx((1.25, -0.5), abs=1e-4)
    assert result.bias == pytest.approx(2.0 if network == "biased" else 0.0, abs=1e-4)
    assert result.significant
    eyes = np.linalg.norm(labels[:, 45] - labels[:, 36], axis=1)
    assert result.nme == pytest.approx(np.mean(100 * np.hypot(1.25, 0.5) / eyes), rel=1e-3)
    assert result.percent[0] == pytest.approx(np.median(125 / eyes), rel=0.05)


def test_size_classes_separate_pixels_from_percent(
    annotate: Annotate, truth: Matrix, oracle: Predictor
) -> None:
    eyes = np.linalg.norm(truth[:, 45] - truth[:, 36], axis=1)
    scaled = truth + np.stack([0.04 * eyes, np.zeros(len(eyes))], axis=1)[:, None]
    result = offset_of(scaled, scan_images(annotate(scaled), IBUG68, oracle, threads=1))
    assert result is not None
    assert [group.percent[0] for group in result.sizes] == pytest.approx([4] * 5, abs=0.01)
    assert result.sizes[-1].pixels[0] > 1.2 * result.sizes[0].pixels[0]


def test_labels_on_the_features_have_no_significant_offset(
    annotate: Annotate, truth: Matrix, biased: Predictor
) -> None:
    labels = truth + np.random.default_rng(0).normal(0, 0.4, truth.shape)
    result = offset_of(labels, scan_images(annotate(labels), IBUG68, biased, threads=1))
    assert result is not None
    assert not result.significant
    assert abs(result.pixels[0]) < 4 * result.error[0] + 0.05


def test_no_offset_without_a_network(annotate: Annotate, truth: Matrix) -> None:
    assert offset_of(truth, scan_images(annotate(truth), IBUG68, threads=1)) is None
