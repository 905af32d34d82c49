import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
from tests.faces import isotropic_covariance
from typer.testing import CliRunner, Result

from facedots.analysis.analyzer import FaceAnalyzer, face_columns
from facedots.analysis.emotion import EMOTIONS
from facedots.analysis.expression import SIGNALS
from facedots.analysis.gaze import PUPIL_RADIUS, draw_gaze, eye_centers
from facedots.analysis.pose import Camera, draw_axes, project
from facedots.analysis.shapes import HEAD_MODEL
from facedots.cli.main import app
from facedots.detection.base import PrecomputedBoxes
from facedots.geometry import Image, tight_boxes
from facedots.head import HeadPose
from facedots.io.images import read_image, write_image
from facedots.io.results import JSON_SCHEMA
from facedots.pipeline_options import PipelineOptions
from facedots.schema import IBUG68
from facedots.types import Face

IMAGE = np.full((120, 160, 3), 200, np.uint8)
CAMERA = Camera.guess((120, 160))
POSE = HeadPose(20, -10, 5, np.array([0, 0, 5], np.float32), 0.0)
POINTS = project(HEAD_MODEL, POSE, CAMERA).astype(np.float32)
ONES = np.ones(IBUG68.count, np.float32)
PUPILS = project(eye_centers(POINTS, POSE, CAMERA) - np.array([0, 0, PUPIL_RADIUS]), POSE, CAMERA)
FACE = Face(
    *(POINTS, isotropic_covariance(ONES), ONES, tight_boxes(POINTS[None])[0], 0.75, IBUG68),
    pupils=PUPILS.astype(np.float32),
    pupils_covariance=isotropic_covariance(ONES[:2]),
)
PREDICTOR: Any = SimpleNamespace(
    spec=SimpleNamespace(schema=IBUG68), predicts_visibility=True, predicts_pupils=True
)
BLIND = replace(FACE, points=np.full_like(POINTS, 7))


@pytest.fixture(autouse=True)
def networks_that_know_the_face(monkeypatch: pytest.MonkeyPatch) -> None:
    class Oracle:
        detector = PrecomputedBoxes([])
        predictor = PREDICTOR

        def __call__(self, image: Image) -> list[Face]:
            return [FACE, BLIND] if image.shape == IMAGE.shape else []

    monkeypatch.setattr(PipelineOptions, "load", lambda *_: Oracle())


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = ONES * (np.arange(IBUG68.count) < 48)
    monkeypatch.setattr(sys.modules[__name__], "FACE", replace(FACE, visibility=mask))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_image(tmp_path / "in" / "face.png", IMAGE)
    write_image(tmp_path / "in" / "gray.png", np.full((50, 60, 3), 128, np.uint8))
    return tmp_path / "in"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["pose", *map(str, arguments)])


@pytest.mark.usefixtures("masked")
def test_a_hidden_mouth_is_said(folder: Path) -> None:
    assert "mouth hidden, looks " in run(folder).stdout


def test_what_a_person_reads(folder: Path) -> None:
    result = run(folder)
    assert result.exit_code == 0
    angles = "yaw +20° pitch -10° roll +5°, gaze +0° +0°"
    assert result.stdout.splitlines() == [
        f"{folder}/face.png, face 0: {angles}, smile +0.06, looks happy",
        f"{folder}/face.png, face 1: a face whose points make no head",
        f"{folder}/gray.png: no face found; looked for faces, at any angle",
    ]


def test_the_table_has_the_columns_of_a_video(folder: Path) -> None:
    result = run(folder, "--csv", "-")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert set(rows[0]) < set(face_columns(PREDICTOR, analyzed=True).names)
    assert [(row["frame"], row["face_id"], row["success"]) for row in rows] == [
        ("1", "0", "1"),
        ("1", "1", "1"),
        ("2", "0", "0"),
    ]
    assert [
        float(rows[0][name]) for name in ("yaw", "pitch", "roll", "translation_z")
    ] == pytest.approx([20, -10, 5, 5], abs=0.01)
    assert float(rows[0]["gaze_yaw"]) == pytest.approx(0, abs=0.1)
    assert float(rows[0]["right_eye_open"]) == pytest.approx(0.077, abs=1e-3)
    assert rows[0]["emotion_guess"] == "happy"
    likely = {name: float(rows[0][f"emotion_{name}"]) for name in EMOTIONS}
    assert sum(likely.values()) == pytest.approx(1, abs=1e-3)
    assert max(likely, key=likely.__getitem__) == "happy"
    assert {rows[1][name] for name in ("yaw", "smile", "emotion_sad", "emotion_guess")} == {""}
    assert {
        value for name, value in rows[2].items() if name in (*SIGNALS, "box_x0", "emotion_guess")
    } == {""}


def test_json_and_images(folder: Path, tmp_path: Path) -> None:
    result = run(folder, "--json", tmp_path / "r.json", "--out", tmp_path / "out")
    assert result.exit_code == 0
    document = json.loads((tmp_path / "r.json").read_text())
    jsonschema.validate(document, json.loads(JSON_SCHEMA.read_text()))
    face, blind = document["images"][0]["faces"]
    assert face["pose"]["yaw"] == pytest.approx(20, abs=0.01)
    assert list(face["signals"]) == list(SIGNALS)
    assert face["emotion_guess"] == "happy"
    assert list(face["emotions"]) == list(EMOTIONS)
    assert "emotions" not in blind
    assert blind["emotion_guess"] is None
    assert (face["gaze"]["yaw"], face["gaze"]["pitch"]) == pytest.approx((0, 0), abs=0.1)
    (measured,) = FaceAnalyzer()(IMAGE, [FACE])
    assert measured.pose is not None
    drawn = draw_gaze(draw_axes(IMAGE, [measured.pose], CAMERA), [measured], CAMERA)
    assert (read_image(tmp_path / "out" / "face_pose.png") == drawn).all()
    assert (read_image(tmp_path / "out" / "gray_pose.png") == 128).all()


def test_the_focal_length_can_be_given(folder: Path) -> None:
    rows = list(
        csv.DictReader(run(folder, "--csv", "-", "--focal", 2 * CAMERA.focal).stdout.splitlines())
    )
    assert float(rows[0]["translation_z"]) == pytest.approx(10, rel=0.05)


def test_both_cannot_be_printed(folder: Path) -> None:
    result = run(folder, "--csv", "-", "--json", "-")
    assert result.exit_code == 1
    assert "only one result can be printed" in str(result.exception)
