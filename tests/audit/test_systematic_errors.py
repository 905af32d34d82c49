"""Faults that all labels of a set share are errors, with a network and without."""

from collections.abc import Callable

import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.audit.audit import audit_dataset
from facedots.audit.findings import Finding, summarize
from facedots.audit.scan import ImageScan, scan_images
from facedots.audit.systematic_errors import LabelOffset, measure_label_offset
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


FAULTS: dict[str, tuple[Callable[[Matrix], Matrix], str]] = {
    "columns x… y… read as pairs": (
        lambda p: np.concatenate([p[..., 0], p[..., 1]], 1).reshape(p.shape),
        "no face of ibug68: columns mixed up",
    ),
    "x and y exchanged": (lambda p: p[..., ::-1], "x and y exchanged"),
    "y upwards": (lambda p: p * (1, -1) + (0, 89), "y counted upwards"),
    "rolled": (lambda p: np.roll(p, 1, axis=1), "points in another order"),
    "eyelids rolled": (
        lambda p: p[:, [*range(36), 37, 38, 39, 40, 41, 36, *range(42, 68)]],
        "6 points lie in another one's place, as right_eye_0 in that of right_eye_1",
    ),
    "a random order": (
        lambda p: p[:, np.random.default_rng(1).permutation(68)],
        "no face of ibug68",
    ),
    "0 to 1": (lambda p: p / (100, 90), "shares of the image's sides"),
    "smaller images": (lambda p: p / 2, "they belong to smaller images"),
    "larger images": (lambda p: p * 2, "labels are shifted, or belong to larger images"),
    "shifted": (lambda p: p + np.array((50, 40)), "labels are shifted"),
    "turned": (lambda p: p[..., ::-1] * (1, -1) + (0, 95), "tilted by -88 degrees"),
}


def findings_of(faces: list[FaceAnnotation], oracle: Predictor | None = None) -> list[Finding]:
    audit = audit_dataset({"set": faces}, IBUG68, oracle)
    return [one for one in summarize(audit) if one.check == "Labels can be right"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_all_labels_is_an_error_without_a_network(
    truth: Matrix, annotate: Callable[[Matrix], list[FaceAnnotation]], fault: str
) -> None:
    change, said = FAULTS[fault]
    findings = findings_of(annotate(change(truth)))
    assert {one.level for one in findings} == {"error"}
    assert said in findings[0].text


def test_a_set_that_the_network_contradicts_is_an_error(
    truth: Matrix, annotate: Callable[[Matrix], list[FaceAnnotation]], oracle: Predictor
) -> None:
    (finding,) = findings_of(annotate(np.roll(truth, 1, axis=0)), oracle)
    assert finding.level == "error"
    assert "on half of the faces the network finds the points" in finding.text


def test_sound_sets_are_ok(
    truth: Matrix, annotate: Callable[[Matrix], list[FaceAnnotation]], oracle: Predictor
) -> None:
    noise = np.random.default_rng(2).normal(0, 0.7, truth.shape)
    for labels in (truth, truth + noise, truth[:3], truth[:1]):
        for predictor in (None, oracle):
            (finding,) = findings_of(annotate(labels), predictor)
            assert finding.level == "ok", finding.text


def test_rounding_that_costs_a_face_is_no_fine_matter(
    truth: Matrix, annotate: Callable[[Matrix], list[FaceAnnotation]]
) -> None:
    audit = audit_dataset({"set": annotate(truth / (100, 90))}, IBUG68)
    found = {one.check: one for one in summarize(audit)}
    assert found["Exact coordinates"].level == "error"
    assert found["Points in their order"].level == "skipped"
