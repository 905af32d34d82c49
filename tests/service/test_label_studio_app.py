"""Label Studio's protocol over HTTP: the requests that its 1.23 sends."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from facedots.annotations.labeling_interface import label_studio_config
from facedots.geometry import Image
from facedots.io.images import write_image
from facedots.pipeline_options import PipelineOptions
from facedots.schema import IBUG68
from facedots.service.label_studio import LabelSettings, create_label_app
from facedots.service.settings import ServiceLimits

CONFIG = label_studio_config(IBUG68)
AUTH = ("label-studio", "gehe:im")


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, hopper: Image
) -> Iterator[TestClient]:
    """A backend with a password, and the images of a face and of nobody."""
    folder = tmp_path_factory.mktemp("images")
    write_image(folder / "face.png", hopper[::2, ::2])
    write_image(folder / "nobody.png", np.full((50, 60, 3), 128, np.uint8))
    settings = LabelSettings(
        networks=PipelineOptions(model=str(tiny_model), detector="haar"),
        images=folder,
        password=AUTH[1],
        limits=ServiceLimits(max_bytes=100_000),
    )
    with TestClient(create_label_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_a_project_connects_and_gets_its_predictions(client: TestClient) -> None:
    assert client.get("/health", auth=AUTH).json()["status"] == "UP"
    project = {"project": "1.1764200000", "hostname": "http://localhost:8080", "access_token": "x"}
    setup = client.post(
        "/setup", json={**project, "schema": CONFIG, "extra_params": None}, auth=AUTH
    )
    version = setup.json()["model_version"]
    assert version.startswith("facedots tiny ")
    assert client.get("/versions", auth=AUTH).json() == {"versions": [version]}
    assert client.post("/validate", json={"config": CONFIG}, auth=AUTH).json() == {"status": "ok"}
    tasks = [
        {"id": i, "data": {"image": f"/data/local-files/?d={name}"}, "project": 1}
        for i, name in enumerate(("face.png", "nobody.png", "gone.png"))
    ]
    params = {"login": None, "password": None, "context": None}
    request = {"tasks": tasks, "project": "1.1", "label_config": CONFIG, "params": params}
    answer = client.post("/predict", json=request, auth=AUTH)
    assert answer.status_code == 200
    face, nobody, gone = answer.json()["results"]
    assert (len(face["result"]), face["model_version"]) == (69, version)
    assert (nobody["result"], nobody["score"]) == ([], 0)
    assert "gone.png" in gone["error"]


def test_only_who_has_the_password_is_answered(client: TestClient) -> None:
    for route in ("/health", "/versions"):
        assert client.get(route).status_code == 401
    for auth in (("label-studio", "wrong"), ("gehe:im", ""), None):
        answer = client.post("/predict", json={}, auth=auth)
        assert (answer.status_code, answer.headers["www-authenticate"][:5]) == (401, "Basic")
    for header in ("Basic", "Basic ?", "Bearer Z2VoZTppbQ==", "Basic Z2VoZTppbQ=="):
        assert client.get("/health", headers={"Authorization": header}).status_code == 401
    # Label Studio's webhooks bring no password; they are answered, and nothing is done.
    assert client.post("/webhook", json={"action": "TASKS_CREATED"}).json() == {}


def test_what_does_not_fit_is_said_in_the_answer_and_in_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.post("/setup", json={"schema": "<View/>"}, auth=AUTH)
    assert answer.status_code == 422
    assert "no KeyPointLabels" in answer.json()["detail"]
    assert "no KeyPointLabels" in caplog.text
    for body, status in (("{", 400), ("[]", 400), ("[" * 50_000, 400), ("{}", 422)):
        assert client.post("/predict", content=body, auth=AUTH).status_code == status
    answer = client.post("/predict", json={"label_config": "x" * 100_000}, auth=AUTH)
    assert (answer.status_code, answer.json()["limit"]["name"]) == (413, "max-bytes")


def test_without_a_password_everybody_is_answered(tiny_model: Path) -> None:
    settings = LabelSettings(networks=PipelineOptions(model=str(tiny_model), detector="haar"))
    with TestClient(create_label_app(settings)) as client:
        assert client.get("/health").status_code == 200
