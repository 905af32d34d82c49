"""Label Studio itself, with the backend: predictions of drawn faces, the worst first, a correction
and its export, and the points on the face in a browser.

`make test-service` installs Label Studio into an environment of its own.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from facedots.annotations.csv_table import CsvFile
from facedots.annotations.labeling_interface import label_studio_config
from facedots.cli.main import app
from facedots.data.synthetic import write_synthetic
from facedots.geometry import Floats
from facedots.io.images import read_image, write_image
from facedots.labeling.task_images import TaskImages
from facedots.pipeline import Pipeline
from facedots.schema import IBUG68

ROOT = Path(__file__).parents[2]
BIN = Path(os.environ.get("LABEL_STUDIO", ROOT / ".venv-label-studio")) / "bin"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
EMAIL, PASSWORD, TOKEN = "me@example.com", "secret-123", "0123456789abcdef" * 2 + "01234567"
SECRET = "of the backend"
COUNT = 3
pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(not (BIN / "label-studio").exists(), reason="Label Studio is not installed"),
]


@dataclass(frozen=True)
class Studio:
    """A project in a running Label Studio, with the backend connected.

    Attributes:
        url: Of Label Studio.
        api: A client with the user's token.
        backend: Address of the backend.
        project: Number of the project.
        folder: With the images, which were uploaded.
    """

    url: str
    api: httpx.Client
    backend: str
    project: int
    folder: Path

    def tasks(self) -> dict[str, Any]:
        """The tasks with their predictions, by the names of their images."""
        query: dict[str, str | int] = {"project": self.project, "fields": "all"}
        tasks = self.api.get("/api/tasks", params=query).raise_for_status().json()["tasks"]
        return {task["data"]["image"].partition("-")[2]: task for task in tasks}

    def connection(self, project: int) -> dict[str, Any]:
        """What is posted to connect the backend to a project."""
        access = {"auth_method": "BASIC_AUTH", "basic_auth_user": "x", "basic_auth_pass": SECRET}
        return {"url": self.backend, "project": project, "title": "facedots", **access}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(command: list[str], log: Path, ready: str, **variables: str) -> Iterator[str]:
    """A process, once a pattern is in its log; the first group of the pattern."""
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, **variables}
        )
    try:
        end = time.monotonic() + 600
        while not (found := re.search(ready, log.read_text())):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.5)
        yield found[1]
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home, port = tmp_path_factory.mktemp("studio"), free_port()
    url = f"http://127.0.0.1:{port}"
    write_synthetic(home / "faces", COUNT, seed=3)
    write_image(home / "faces" / "nobody.png", np.full((90, 120, 3), 128, np.uint8))
    label_studio = [str(BIN / "label-studio"), "start", "--no-browser", "--port", str(port)]
    label_studio += ["--username", EMAIL, "--password", PASSWORD, "--user-token", TOKEN]
    settings = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(home / "data"),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
    }
    backend = [sys.executable, "-m", "facedots", "label", "serve", "--port", "0"]
    backend += ["--label-studio-url", url, "--model", "small"]
    secrets = {"LABEL_STUDIO_API_KEY": TOKEN, "FACEDOTS_PASSWORD": SECRET}
    with (
        running(
            label_studio, home / "studio.log", r"(Quit the server|development server)", **settings
        ),
        running(backend, home / "backend.log", r"serving at (\S+)", **secrets) as address,
        httpx.Client(base_url=url, headers={"Authorization": f"Token {TOKEN}"}, timeout=300) as api,
    ):
        project = {"title": "faces", "label_config": label_studio_config(IBUG68)}
        number = api.post("/api/projects", json=project).raise_for_status().json()["id"]
        files = [
            (path.name, (path.name, path.read_bytes(), "image/jpeg"))
            for path in sorted((home / "faces").glob("*.[jp][pn]g"))
        ]
        api.post(f"/api/projects/{number}/import", files=files).raise_for_status()
        studio = Studio(url, api, address, number, home / "faces")
        api.post("/api/ml", json=studio.connection(number)).raise_for_status()
        api.post(
            "/api/dm/actions",
            params={"id": "retrieve_tasks_predictions", "project": number},
            json={"selectedItems": {"all": True, "excluded": []}},
        ).raise_for_status()
        yield studio


def keypoints(prediction: dict[str, Any]) -> list[dict[str, Any]]:
    """The regions of a prediction that are points; hidden ones have a further region."""
    return [each for each in prediction["result"] if each["type"] == "keypointlabels"]


def expected(path: Path) -> Floats:
    """The points of the only face that the network finds in an image."""
    (face,) = Pipeline()(read_image(path))
    return face.points


def test_every_task_gets_the_points_of_its_face(studio: Studio) -> None:
    tasks = studio.tasks()
    for i in range(COUNT):
        name = f"{i:06}.jpg"
        (prediction,) = tasks[name]["predictions"]
        points = keypoints(prediction)
        size = np.array([points[0]["original_width"], points[0]["original_height"]])
        places = np.array([(each["value"]["x"], each["value"]["y"]) for each in points])
        wanted = expected(studio.folder / name)
        np.testing.assert_allclose(places / 100 * size - 0.5, wanted, atol=0.01)


def test_a_personal_access_token_opens_uploads_too(studio: Studio) -> None:
    token = studio.api.post("/api/token/").raise_for_status().json()["token"]
    image = TaskImages(url=studio.url, token=token).read(
        studio.tasks()["000000.jpg"]["data"]["image"]
    )
    np.testing.assert_array_equal(image, read_image(studio.folder / "000000.jpg"))


def test_the_worst_task_comes_first(studio: Studio) -> None:
    tasks = studio.tasks()
    (version,) = {task["predictions"][0]["model_version"] for task in tasks.values()}
    wanted = {"model_version": version, "sampling": "Uncertainty sampling"}
    studio.api.patch(f"/api/projects/{studio.project}", json=wanted).raise_for_status()
    scores = {name: task["predictions"][0]["score"] for name, task in tasks.items()}
    assert scores["nobody.png"] == 0
    first = studio.api.get(f"/api/projects/{studio.project}/next").raise_for_status().json()
    assert first["id"] == tasks["nobody.png"]["id"]


def test_a_project_with_other_labels_is_refused(studio: Studio) -> None:
    config = (
        '<View><Image name="i" value="$image"/><Choices name="c" toName="i">'
        '<Choice value="a"/><Choice value="b"/></Choices></View>'
    )
    other = studio.api.post("/api/projects", json={"title": "cats", "label_config": config})
    answer = studio.api.post("/api/ml", json=studio.connection(other.json()["id"]))
    assert answer.status_code == 400
    assert "422" in answer.text


def test_a_correction_comes_back(studio: Studio, tmp_path: Path) -> None:
    task = studio.tasks()["000000.jpg"]
    (prediction,) = task["predictions"]
    moved = next(each for each in prediction["result"] if each["id"] == "face1p30")
    moved["value"]["x"] += 1
    annotation = {"result": prediction["result"]}
    studio.api.post(f"/api/tasks/{task['id']}/annotations", json=annotation).raise_for_status()
    exported = studio.api.get(
        f"/api/projects/{studio.project}/export", params={"exportType": "JSON"}
    )
    (tmp_path / "export.json").write_bytes(exported.raise_for_status().content)
    out = tmp_path / "fixed.csv"
    words = ["label", "import", str(tmp_path / "export.json"), "--images", str(studio.folder)]
    result = CliRunner().invoke(app, [*words, "--out", str(out)])
    assert result.exit_code == 0, result.output
    (face,) = CsvFile(out).faces(studio.folder)
    wanted = expected(studio.folder / "000000.jpg")
    wanted[30, 0] += moved["original_width"] / 100
    np.testing.assert_allclose(face.points, wanted, atol=0.01)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_points_lie_on_the_face_in_a_browser(studio: Studio, tmp_path: Path) -> None:
    task = studio.tasks()["000001.jpg"]
    path = f"/projects/{studio.project}/data?task={task['id']}"
    screenshot = tmp_path / "label-studio.png"
    script = [str(BIN / "python"), str(ROOT / "tools" / "label_studio_image.py")]
    words = [*script, studio.url, EMAIL, PASSWORD, path, str(screenshot), str(CHROMIUM)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    place, shown = json.loads(done.stdout), read_image(screenshot)
    labels = ET.fromstring(label_studio_config(IBUG68)).findall("KeyPointLabels/Label")
    colors = np.array([list(bytes.fromhex(label.get("background", "")[1:])) for label in labels])
    points = keypoints(task["predictions"][0])[: len(colors)]
    shares = np.array([(each["value"]["x"], each["value"]["y"]) for each in points]) / 100
    corner, size = (place["x"], place["y"]), (place["width"], place["height"])
    x, y = (shares * size + corner).round().astype(int).T
    gaps = np.abs(shown[y, x].astype(int) - colors).max(axis=1)
    assert (gaps < 50).mean() > 0.9, gaps  # points that lie close together hide each other
