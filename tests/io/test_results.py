import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from facedots.adapters import to_pandas
from facedots.errors import ShapeError
from facedots.head import EyeGaze, Gaze, HeadPose
from facedots.io.results import JSON_SCHEMA, FaceColumns, to_csv, to_json
from facedots.schema import IBUG68, KeypointSchema
from facedots.types import Face, ImageResult

PAIR = KeypointSchema("pair", ("a", "b"), {"all": (0, 1)}, (1, 0), ((0, 1),), (0, 1))


def face(sigma: float = 0.5, score: float = 0.98765) -> Face:
    points = np.array([[1.004, 2], [30.126, -4.5]], np.float32)
    covariance = np.full(
        (2, 2, 2), sigma * np.array([[0.5, 0.123456], [0.123456, 0.5]]), np.float32
    )
    confidence = np.full(2, 0.876543 + 0 * sigma, np.float32)
    return Face(
        points, covariance, confidence, np.array([1, -4.5, 30.126, 2], np.float32), score, PAIR
    )


RESULTS = [
    ImageResult("a.jpg", 640, 480, [face(), face(sigma=float("nan"), score=0.5)]),
    ImageResult('no, "face".png', 10, 20, []),
    ImageResult("b.jpg", 64, 48, [face()]),
]


def test_the_header_is_openfaces() -> None:
    header = FaceColumns(IBUG68).names
    assert header[:6] == ["frame", "face_id", "confidence", "success", "x_0", "x_1"]
    assert header[4:72] == [f"x_{i}" for i in range(68)]
    assert header[72:140] == [f"y_{i}" for i in range(68)]
    assert header[140:] == [
        *(f"sigma_{i}" for i in range(68)),
        *(f"confidence_{i}" for i in range(68)),
        "source",
    ]


def test_csv_to_the_letter() -> None:
    assert to_csv(RESULTS, PAIR).splitlines() == [
        "frame,face_id,confidence,success,x_0,x_1,y_0,y_1,sigma_0,sigma_1,confidence_0,confidence_1,source",
        "1,0,0.9877,1,1.00,30.13,2.00,-4.50,0.50,0.50,0.88,0.88,a.jpg",
        "1,1,0.5000,1,1.00,30.13,2.00,-4.50,,,,,a.jpg",
        '2,0,0.0000,0,,,,,,,,,"no, ""face"".png"',
        "3,0,0.9877,1,1.00,30.13,2.00,-4.50,0.50,0.50,0.88,0.88,b.jpg",
    ]


def test_csv_is_read_back_by_name() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(RESULTS, PAIR))))
    assert [row["source"] for row in rows] == ["a.jpg", "a.jpg", 'no, "face".png', "b.jpg"]
    assert [float(row["x_1"]) for row in rows if row["success"] == "1"] == [30.13] * 3


def test_no_images_give_a_header_only() -> None:
    assert to_csv([], PAIR) == ",".join(FaceColumns(PAIR).names) + "\n"


@pytest.mark.parametrize(
    "write", [to_csv, lambda results, schema: to_json(results, schema, "small"), to_pandas]
)
@pytest.mark.parametrize("schema", [IBUG68, replace(PAIR, names=("a", "c"))])
def test_faces_of_other_points_are_refused(
    write: Callable[[list[ImageResult], KeypointSchema], object], schema: KeypointSchema
) -> None:
    with pytest.raises(ShapeError, match=f"schema pair .2 points., not {schema.name} "):
        write(RESULTS, schema)


def test_json_is_one_document_with_every_image() -> None:
    document = json.loads(to_json(RESULTS, PAIR, "small"))
    assert document["schema"] == "pair"
    assert document["point_names"] == ["a", "b"]
    assert document["model"] == "small"
    assert [(image["source"], image["width"], image["height"]) for image in document["images"]] == [
        ("a.jpg", 640, 480),
        ('no, "face".png', 10, 20),
        ("b.jpg", 64, 48),
    ]
    first, second = document["images"][0]["faces"]
    assert first["points"] == [[1.0, 2.0], [30.13, -4.5]]
    assert first["sigma"] == [0.5, 0.5]
    assert first["covariance"] == [[0.25, 0.0617, 0.25]] * 2
    assert first["confidence"] == [0.8765] * 2
    assert second["sigma"] is second["covariance"] is second["confidence"] is None
    assert "detection_score" not in first
    assert replace(face(), detection_score=0.54321).to_dict()["detection_score"] == 0.5432
    assert document["images"][1]["faces"] == []


def test_visibility_and_pupils_are_optional_fields() -> None:
    fields = face().to_dict()
    further = replace(
        face(),
        visibility=np.array([0.25, np.nan], np.float32),
        pupils=np.array([[1.004, 2], [3, 4]], np.float32),
        pupils_covariance=np.array([[[1, 0.5], [0.5, 2]]] * 2, np.float32),
    ).to_dict()
    assert further == fields | {
        "visibility": [0.25, None],
        "pupils": [[1.0, 2.0], [3.0, 4.0]],
        "pupils_covariance": [[1.0, 0.5, 2.0]] * 2,
    }


def test_json_never_holds_what_is_not_json() -> None:
    endless = replace(face(), points=np.full((2, 2), np.inf, np.float32))
    result = ImageResult("a.jpg", 4, 3, [endless])
    assert (
        json.loads(to_json([result], PAIR, "net"))["images"][0]["faces"][0]["points"] == [None] * 2
    )
    broken = replace(face(), score=float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        to_json([ImageResult("a.jpg", 4, 3, [broken])], PAIR, "net")


VALIDATOR = jsonschema.Draft202012Validator(json.loads(JSON_SCHEMA.read_text()))


def test_the_document_follows_the_contract() -> None:
    jsonschema.Draft202012Validator.check_schema(VALIDATOR.schema)
    measured = replace(
        face(),
        detection_score=0.9,
        track_id=0,
        pose=HeadPose(1, 2, 3, np.zeros(3, np.float32), 0.1),
        signals={"smile": 0.5, "blink": float("nan")},
        visibility=np.array([0.25, 1], np.float32),
        pupils=np.array([[1.004, 2], [np.nan, np.nan]], np.float32),
        pupils_covariance=np.array([[[1, 0.5], [0.5, 2]], [[1, 0], [0, 1]]], np.float32),
    )
    missing = replace(face(), points=np.array([[1, 2], [np.nan, np.nan]], np.float32))
    results = [*RESULTS, ImageResult("c.png", 9, 9, [measured, missing])]
    document = json.loads(to_json(results, PAIR, "small", {"emotion_guess": lambda _: None}))
    VALIDATOR.validate(document)
    assert document["schema_version"] == 1
    assert document["images"][3]["faces"][1]["points"] == [[1, 2], None]
    assert document["images"][3]["faces"][0]["signals"] == {"smile": 0.5, "blink": None}


def test_the_contract_reserves_fields_and_can_fail() -> None:
    document = json.loads(to_json(RESULTS, PAIR, "small"))
    first = document["images"][0]["faces"][0]
    first |= {"visibility": [1, None], "pupils": [[1, 2], None], "emotions": {"joy": 0.9}}
    first["crop"] = {"center": [1, 2], "side": 9, "roll": -30}
    VALIDATOR.validate(document)
    first["crop"] = {"center": [1, 2], "side": 0, "roll": 0}
    assert [error.json_path for error in VALIDATOR.iter_errors(document)]
    del first["crop"], document["schema_version"]
    assert not VALIDATOR.is_valid(document)


def test_visibility_and_pupils_are_columns_where_asked_for() -> None:
    columns = FaceColumns(PAIR, points=False, visibility=True, pupils=True)
    names = ["visibility_0", "visibility_1", "pupil_x_0", "pupil_x_1", "pupil_y_0", "pupil_y_1"]
    assert columns.names[4:] == [*names, "pupil_sigma_0", "pupil_sigma_1", "source"]
    known = replace(
        face(),
        visibility=np.array([0.25, np.nan], np.float32),
        pupils=np.array([[1.004, 2], [3, 4]], np.float32),
        pupils_covariance=np.array([np.eye(2) * 4, np.eye(2)], np.float32),
    )
    assert columns.row(1, 0, known, "a")[4:-1] == [0.25, None, 1.0, 3.0, 2.0, 4.0, 2.0, 1.0]
    assert columns.row(1, 0, face(), "a")[4:-1] == [None] * 8


def test_tables_have_the_columns_that_any_face_fills() -> None:
    seen = replace(face(), visibility=np.array([0.25, 1], np.float32))
    looking = replace(face(), pupils=np.array([[1.004, 2], [3, 4]], np.float32))
    results = [RESULTS[1], ImageResult("a.jpg", 9, 9, [face(), seen])]
    header, *rows = csv.reader(io.StringIO(to_csv(iter(results), PAIR)))
    assert header == FaceColumns(PAIR, visibility=True).names
    first = header.index("visibility_0")
    assert [row[first : first + 2] for row in rows] == [["", ""], ["", ""], ["0.2500", "1.0000"]]
    header, _row = csv.reader(io.StringIO(to_csv([replace(results[1], faces=[looking])], PAIR)))
    assert header == FaceColumns(PAIR, pupils=True).names


def test_the_gaze_is_listed_with_pose_and_pupils() -> None:
    columns = FaceColumns(PAIR, points=False, pose=True, pupils=True)
    eyes = ["gaze_yaw_0", "gaze_yaw_1", "gaze_pitch_0", "gaze_pitch_1"]
    names = ["gaze_yaw", "gaze_pitch", "gaze_sigma", *eyes, "gaze_sigma_0", "gaze_sigma_1"]
    assert columns.names[-10:-1] == names
    gaze = Gaze(3.004, -2, 1.5, right_eye=None, left_eye=EyeGaze(3, -2, 1.5))
    known = replace(face(), gaze=gaze)
    expected = [3.0, -2.0, 1.5, None, 3.0, None, -2.0, None, 1.5]
    assert columns.row(1, 0, known, "a")[-10:-1] == expected
    assert columns.row(1, 0, face(), "a")[-10:-1] == [None] * 9
    document = json.loads(to_json([ImageResult("a", 9, 9, [known])], PAIR, "small"))
    VALIDATOR.validate(document)
    written = document["images"][0]["faces"][0]["gaze"]
    left = {"yaw": 3, "pitch": -2, "sigma": 1.5}
    assert written == {**left, "right_eye": None, "left_eye": left}
    del written["left_eye"]
    assert not VALIDATOR.is_valid(document)


def test_columns_of_faces_that_were_measured() -> None:
    columns = FaceColumns(PAIR, points=False, pose=True, signals=["smile"], extra={"mood": str})
    assert columns.names == [
        *("frame", "face_id", "confidence", "success", "box_x0", "box_y0", "box_x1", "box_y1"),
        *("yaw", "pitch", "roll", "translation_x", "translation_y", "translation_z"),
        *("reprojection_error", "smile", "mood", "source"),
    ]
    row = FaceColumns(PAIR, points=False, timestamp=True).row(3, None, None, "a.mp4", 1 / 3)
    assert row == [3, None, 0.333333, 0.0, 0, "a.mp4"]
