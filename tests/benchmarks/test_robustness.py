from pathlib import Path
from typing import Any

import numpy as np
import pytest
import robustness
from common import Faces
from corruptions import CORRUPTIONS, COVERS
from peer_runs import Answer, Contestant, PeerCrop, PeerError
from robustness import CLEAN, corrupted, measure, ratios, summary_table

from facedots.data.synthetic import draw_face
from facedots.geometry import tight_boxes


def drawn(count: int) -> Faces:
    pairs = [draw_face(np.random.default_rng(seed)) for seed in range(count)]
    points = np.stack([points for _, points in pairs])
    return Faces(
        [f"person_{i}" for i in range(count)],
        [image for image, _ in pairs],
        points,
        tight_boxes(points),
    )


def errors() -> dict[str, Any]:
    found = {corruption.name: np.array([4.0, 4.0, np.inf]) for corruption in CORRUPTIONS}
    return found | {CLEAN: np.array([1.0, 3.0, 2.0]), "roll ±90°": np.array([30.0, 42.0, np.inf])}


def test_ratios_by_hand() -> None:
    found = ratios(errors())
    assert found["blur"] == 2
    assert found["roll"] == (2 + 2 + 2 + 18) / 4
    assert found["all"] == (31 * 2 + 18) / 32
    assert list(found)[-1] == "all"


def test_the_summary_by_hand() -> None:
    row = summary_table({"someone": errors()}, ["a", "b", "c"]).splitlines()[-1]
    assert row == "| someone | 2.00 | 5.00 | **2.50** | 3.00 | 32 |"


def test_a_fault_meets_each_face_by_its_name() -> None:
    noise = next(corruption for corruption in CORRUPTIONS if corruption.kind == "noise")
    faces = drawn(3)
    turned = Faces(faces.names[::-1], faces.images[::-1], faces.points[::-1], faces.boxes[::-1])
    for one, other in zip(
        corrupted(faces, noise).images, corrupted(turned, noise).images[::-1], strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_every_fault_is_measured_against_its_own_truth_and_who_fails_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faces, shown = drawn(2), []

    def remembered(given: Faces, folder: Path) -> Path:
        shown.append(given)
        return folder

    def run(contestant: Contestant, _stored: Path, _crops: list[PeerCrop]) -> Answer:
        if contestant.name == "ill":
            raise PeerError("ill: not today")
        points = shown[-1].points.copy()
        points[..., 0] += 1
        return Answer(points[None], np.zeros((1, 1, len(points), 2), np.float32), "", 0, 0)

    monkeypatch.setattr(robustness, "store", remembered)
    monkeypatch.setattr(robustness, "run", run)
    measured, failed = measure(
        faces, [Contestant("well", "fake", ""), Contestant("ill", "fake", "")]
    )
    assert failed == ["ill: not today"]
    assert list(measured) == ["well"]
    eyes = np.linalg.norm(faces.points[:, 36] - faces.points[:, 45], axis=1)
    assert set(measured["well"].errors) == {
        CLEAN,
        *(corruption.name for corruption in (*CORRUPTIONS, *COVERS)),
    }
    for found in measured["well"].errors.values():
        np.testing.assert_allclose(found, 100 / eyes, rtol=1e-3)
    np.testing.assert_allclose(measured["well"].points[..., 0], faces.points[..., 0] + 1)
