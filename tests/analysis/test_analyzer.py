from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.faces import isotropic_covariance

from facedots.analysis import analyzer
from facedots.analysis.analyzer import FaceAnalyzer, face_columns
from facedots.analysis.emotion import EMOTIONS
from facedots.analysis.expression import SIGNALS
from facedots.analysis.pose import Camera, frontal, project
from facedots.analysis.shapes import HEAD_MODEL
from facedots.geometry import Floats, Matrix
from facedots.head import HeadPose
from facedots.schema import IBUG68
from facedots.types import Face

CAMERA = Camera.guess((480, 640))


def posed(yaw: float = 0, pitch: float = 0, roll: float = 0) -> HeadPose:
    return HeadPose(yaw, pitch, roll, np.array([0.3, -0.2, 6], np.float32), 0.0)


def as_face(points: Floats | Matrix) -> Face:
    given = np.asarray(points, np.float32)
    sure = np.ones(len(given), np.float32)
    return Face(
        given, isotropic_covariance(sure), sure, np.array([0, 0, 9, 9], np.float32), 1.0, IBUG68
    )


def test_the_reader_fills_what_it_can() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    whole = as_face(project(HEAD_MODEL, posed(25, -5, 10), CAMERA))
    blind = as_face(np.full((68, 2), np.nan))
    read, still_blind = FaceAnalyzer()(image, [whole, blind])
    assert whole.pose is None
    assert read.pose is not None
    assert read.signals is not None
    assert (read.pose.yaw, read.pose.pitch, read.pose.roll) == pytest.approx((25, -5, 10), abs=0.02)
    assert list(read.signals) == list(FaceAnalyzer.signals)
    assert read.emotions is not None
    assert tuple(read.emotions) == EMOTIONS
    assert still_blind is blind
    assert FaceAnalyzer()(image, []) == []


def test_signals_that_are_not_known_go_into_json() -> None:
    points = project(HEAD_MODEL, posed(), CAMERA)
    points[37] = np.nan
    (face,) = FaceAnalyzer()(np.zeros((480, 640, 3), np.uint8), [as_face(points)])
    fields = face.to_dict()["signals"]
    assert fields["right_eye_open"] is None
    assert fields["left_eye_open"] == pytest.approx(0.077, abs=1e-3)


def test_what_is_hidden_is_not_read_from_guessed_points() -> None:
    image, visibility = np.zeros((480, 640, 3), np.uint8), np.ones(68, np.float32)
    points = project(HEAD_MODEL, posed(), CAMERA)
    visibility[48:68] = 0.1  # a mask
    open_mouth = points.copy()
    open_mouth[56:60] += (0, 9)
    open_mouth[65:68] += (0, 9)
    seen, masked, at_rest = FaceAnalyzer(CAMERA)(
        image,
        [
            as_face(open_mouth),
            replace(as_face(open_mouth), visibility=visibility),
            replace(as_face(points), visibility=visibility),
        ],
    )
    assert seen.signals
    assert masked.signals
    assert masked.emotions
    assert at_rest.emotions
    assert {name for name, value in masked.signals.items() if np.isnan(value)} == {
        *("mouth_open", "smile")
    }
    assert seen.signals["mouth_open"] > 0.05
    assert masked.emotions == pytest.approx(at_rest.emotions, abs=0.02)
    assert masked.emotions != pytest.approx(seen.emotions, abs=0.02)


def test_the_reader_takes_a_given_camera() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    near, far = (
        FaceAnalyzer(Camera.guess((480, 640), focal))(
            image, [as_face(project(HEAD_MODEL, posed(), CAMERA))]
        )[0].pose
        for focal in (768, 1536)
    )
    assert near is not None
    assert far is not None
    assert far.translation[2] == pytest.approx(2 * near.translation[2], rel=0.02)
    assert near.reprojection_error < far.reprojection_error


def test_points_are_made_frontal_once_for_all_that_is_read_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def counted(*arguments: Any) -> Matrix:
        calls.append(arguments)
        return frontal(*arguments)

    monkeypatch.setattr(analyzer, "frontal", counted)
    FaceAnalyzer()(
        np.zeros((480, 640, 3), np.uint8), [as_face(project(HEAD_MODEL, posed(), CAMERA))]
    )
    assert len(calls) == 1


def columns_of(analyzed: bool = False, **predicts: bool) -> list[str]:
    predictor: Any = SimpleNamespace(spec=SimpleNamespace(schema=IBUG68), **predicts)
    return face_columns(predictor, analyzed=analyzed).names


def test_columns_are_those_of_what_is_predicted_and_measured() -> None:
    plain = columns_of(predicts_visibility=False, predicts_pupils=False)
    measured = columns_of(analyzed=True, predicts_visibility=False, predicts_pupils=False)
    assert plain[-2:] == ["confidence_67", "source"]
    emotions = [f"emotion_{name}" for name in (*EMOTIONS, "guess")]
    assert measured[-16:] == ["reprojection_error", *SIGNALS, *emotions, "source"][-16:]
    assert {*plain} < {*measured}
    rich = {"predicts_visibility": True, "predicts_pupils": True}
    added = {*columns_of(analyzed=True, **rich)} - {*measured}
    assert {"visibility_0", "pupil_x_0", "gaze_yaw", "gaze_sigma_1"} < added
    assert "gaze_yaw" not in columns_of(**rich)
