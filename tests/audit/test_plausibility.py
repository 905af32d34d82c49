"""Faults that all labels of a set share are errors, with a network and without."""

from collections.abc import Callable

import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.audit.audit import audit_dataset
from facedots.audit.findings import Finding, summarize
from facedots.geometry import Matrix
from facedots.schema import IBUG68
from facedots.spec import Predictor

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
