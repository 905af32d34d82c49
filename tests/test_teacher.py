"""tools/teacher.py: labels move half of the way to a network's, where these are near."""

import json
from dataclasses import replace
from pathlib import Path

import gpu_pack
import gpu_run
import numpy as np
import pytest
from numpy.typing import ArrayLike
from teacher import STYLES, Teacher

from facedots import IBUG68, Keypoints
from facedots.annotations import FaceAnnotation
from facedots.data.augment import mirror_points
from facedots.data.synthetic import cached_synthetic
from facedots.geometry import Floats, Image
from facedots.models.registry import build_model


class Shape:
    """A predictor that answers the same symmetric shape in every box."""

    spec = build_model("tiny").spec

    def __init__(self, points: Floats) -> None:
        both = points + mirror_points(points, 100, IBUG68)
        self.unit = (both - both.min(axis=0)) / np.ptp(both, axis=0)

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        """Points in each of the boxes (N, 4)."""
        boxes = np.asarray(boxes, np.float32)
        points = boxes[:, None, :2] + self.unit * (boxes[:, None, 2:] - boxes[:, None, :2])
        nothing = np.full((len(boxes), 68), np.nan, np.float32)
        covariance = np.full((len(boxes), 68, 2, 2), np.nan, np.float32)
        return Keypoints(points.astype(np.float32), covariance, nothing, nothing[:, 0], IBUG68)


@pytest.fixture(scope="module")
def shape() -> Shape:
    """That of a drawn face."""
    return Shape(cached_synthetic(1)[0].points)


@pytest.fixture(scope="module")
def face(shape: Shape) -> FaceAnnotation:
    """A face of that shape, but for the tip of the nose, 3 px too far right."""
    drawn = cached_synthetic(1)[0]
    points = shape.predict(np.zeros((1, 1, 3), np.uint8), drawn.tight_box[None]).points[0]
    points[30, 0] += 3
    return replace(drawn, points=points, label_style=STYLES[0])


def test_labels_move_half_of_the_way(shape: Shape, face: FaceAnnotation) -> None:
    moved = Teacher(dict.fromkeys(STYLES, shape)).labels(face)
    expected = face.points.copy()
    expected[30, 0] -= 1.5
    np.testing.assert_allclose(moved.points, expected, atol=0.02)


def test_labels_stay_where_the_teacher_is_lost_or_has_another_style(
    shape: Shape, face: FaceAnnotation
) -> None:
    lost = Shape(np.random.default_rng(0).random((68, 2)).astype(np.float32))
    assert Teacher(dict.fromkeys(STYLES, lost)).labels(face) is face
    teacher = Teacher(dict.fromkeys(STYLES, shape))
    other = replace(face, label_style="fgnet")
    assert teacher.labels(other) is other
    missing = replace(face, points=np.where(np.arange(136).reshape(68, 2) < 4, np.nan, face.points))
    assert teacher.labels(missing) is missing


@pytest.mark.parametrize("taught", [True, False])
def test_a_card_names_the_teacher_of_the_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taught: bool
) -> None:
    work, run = tmp_path / "work", tmp_path / "teacher"
    run.mkdir()
    (run / "recipe.yaml").write_text("{model: large, epochs: 36}")
    (run / "provenance.json").write_text(json.dumps({"data": "", "started": "2026-11-27T20:00"}))
    (work / "faces").mkdir(parents=True)

    def of_run(_run: Path) -> Teacher:
        assert (work / "faces").exists()  # the teacher's own data
        return Teacher({})

    monkeypatch.setattr(Teacher, "of_run", of_run)
    faces = {subset: [cached_synthetic(3)[i]] for i, subset in enumerate(("train", "val", "test"))}
    monkeypatch.setattr(gpu_pack, "labeled_faces", lambda _data: dict(faces))
    gpu_pack.write_faces(tmp_path, run if taught else None, work / "faces")
    job = {"recipe": "recipes/tiny.yaml", "data": "faces", "trained_on": "Photos"}
    arguments = gpu_run.arguments(work / "runs" / "tiny", job, 1)
    says = "; labels of 68 points moved halfway to those of large of 2026-11-27" if taught else ""
    assert f"--trained-on=Photos{says}" in arguments
