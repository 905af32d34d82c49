"""``POST /v1/faces`` and ``/v1/faces:batch``: what comes back for which request."""

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from facedots.cli.main import app
from facedots.geometry import Image
from facedots.io.images import decode_image, sample_portrait
from facedots.io.results import JSON_SCHEMA


def face_of(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    (image,) = response.json()["images"]
    (face,) = image["faces"]
    return dict(face)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"model": "tiny", "refine": "1"}, ["--model", "tiny", "--refine", "1"]),
        ({"detector": "haar"}, ["--detector", "haar"]),
        (
            {"search": "fast", "any_angle": "true", "min_face": "100"},
            ["--search", "fast", "--any-angle", "--min-face", "100"],
        ),
    ],
)
def test_the_answer_is_what_predict_writes_byte_for_byte(
    client: TestClient, portrait: bytes, tmp_path: Path, options: dict[str, str], words: list[str]
) -> None:
    file, source = tmp_path / "faces.json", str(sample_portrait())
    run = CliRunner().invoke(app, ["predict", source, "--json", str(file), *words])
    assert run.exit_code == 0, run.output
    response = client.post("/v1/faces", content=portrait, params={**options, "source": source})
    assert response.content == file.read_bytes()


def test_a_form_is_answered_as_a_raw_body_is(client: TestClient, portrait: bytes) -> None:
    raw = client.post("/v1/faces?model=tiny&pose=true&source=a.jpg", content=portrait)
    fields = {"model": "tiny", "pose": "true"}
    form = client.post("/v1/faces", files={"image": ("a.jpg", portrait)}, data=fields)
    assert form.content == raw.content
    assert form.headers["cache-control"] == "no-store"


def test_given_boxes_run_no_detector_and_keep_their_order(
    client: TestClient, portrait: bytes
) -> None:
    boxes = [[10, 10, 60, 60], [194, 132, 340, 290]]
    response = client.post("/v1/faces", content=portrait, params={"boxes": json.dumps(boxes)})
    document = response.json()
    faces = document["images"][0]["faces"]
    assert [face["box"] for face in faces] == boxes
    assert faces[0]["score"] < 0.5 < faces[1]["score"]
    assert "detection_score" not in faces[0]
    assert document["options"]["detector"] == "boxes"


def test_what_is_asked_for_is_added(client: TestClient, portrait: bytes, hopper: Image) -> None:
    asked = {"pose": "1", "signals": "1", "aligned": "64", "drawn": "1"}
    response = client.post("/v1/faces", content=portrait, params=asked)
    face = face_of(response)
    jsonschema.validate(response.json(), json.loads(JSON_SCHEMA.read_text()))
    assert abs(face["pose"]["yaw"]) < 10
    assert face["signals"]["mouth_open"] < 0.2
    assert picture(face["aligned"]["image"]).shape == (64, 64, 3)
    assert np.asarray(face["aligned"]["matrix"]).shape == (2, 3)
    drawn = picture(response.json()["images"][0]["drawn"])
    assert drawn.shape == hopper.shape
    assert np.abs(drawn.astype(int) - hopper).max() > 100


def test_drawn_and_aligned_images_are_bounded(client: TestClient) -> None:
    wide = np.full((300, 3300, 3), 128, np.uint8)
    body = cv2.imencode(".png", wide)[1].tobytes()
    boxes = json.dumps([[10 * i, 10, 10 * i + 99, 99] for i in range(3)])
    answer = client.post("/v1/faces", content=body, params={"drawn": "1", "boxes": boxes})
    assert picture(answer.json()["images"][0]["drawn"]).shape == (186, 2048, 3)
    large = client.post("/v1/faces", content=body, params={"aligned": "1024", "boxes": boxes})
    assert large.status_code == 413
    assert large.json()["limit"] == {"name": "aligned-pixels", "value": 2_000_000}


def picture(uri: str) -> Image:
    return decode_image(base64.b64decode(uri.partition("base64,")[2]))


def test_pose_and_signals_come_only_if_asked_for(client: TestClient, portrait: bytes) -> None:
    face = face_of(client.post("/v1/faces?signals=1", content=portrait))
    assert "signals" in face
    assert "emotions" not in face
    assert "pose" not in face
    assert "aligned" not in face


def test_a_batch_answers_as_its_images_alone(client: TestClient, portrait: bytes) -> None:
    files = [("image", ("a.jpg", portrait)), ("image", ("b", b"none")), ("image", ("c", portrait))]
    answer = client.post("/v1/faces:batch", files=files).json()
    alone = client.post("/v1/faces?source=a.jpg", content=portrait).json()
    assert answer["images"] == [alone["images"][0], {**alone["images"][0], "source": "c"}]
    (problem,) = answer["problems"]
    assert (problem["index"], problem["source"], problem["status"]) == (1, "b", 422)


def test_a_batch_takes_boxes_for_each_image(client: TestClient, portrait: bytes) -> None:
    files = [("image", ("a", portrait)), ("image", ("b", portrait))]
    boxes = "[[[194, 132, 340, 290]], []]"
    answer = client.post("/v1/faces:batch", files=files, data={"boxes": boxes}).json()
    assert [len(image["faces"]) for image in answer["images"]] == [1, 0]
    refused = client.post("/v1/faces:batch", files=files, data={"boxes": "[[]]"})
    assert refused.status_code == 422
    assert "1 list for 2 images" in refused.json()["detail"]
