"""What Label Studio gets for its tasks, without the HTTP."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facedots.annotations.labeling_interface import label_studio_config
from facedots.detection.opencv import Haar
from facedots.errors import DataError
from facedots.geometry import Image
from facedots.inference.predictor import KeypointPredictor
from facedots.io.images import write_image
from facedots.labeling.ml_backend import MAX_SECONDS, LabelStudioBackend
from facedots.labeling.task_images import TaskImages
from facedots.pipeline import Pipeline
from facedots.schema import IBUG68

CONFIG = label_studio_config(IBUG68)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, hopper: Image) -> Path:
    root = tmp_path_factory.mktemp("images")
    write_image(root / "face.png", hopper[::2, ::2])
    write_image(root / "nobody.png", np.full((50, 60, 3), 128, np.uint8))
    (root / "broken.png").write_bytes(b"no image")
    return root


class Clock:
    """A clock that goes on by a step whenever it is read."""

    def __init__(self) -> None:
        self.now = self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(folder: Path, tiny_model: Path, clock: Clock) -> LabelStudioBackend:
    pipeline = Pipeline(Haar(), KeypointPredictor(tiny_model))
    return LabelStudioBackend(pipeline, TaskImages(folder), tiny_model, clock)


def tasks(*names: str) -> dict[str, Any]:
    """A request for tasks with these local files."""
    return {
        "label_config": CONFIG,
        "project": "1.1700000000",
        "tasks": [
            {"id": i, "data": {"image": f"/data/local-files/?d={name}"}}
            for i, name in enumerate(names, start=7)
        ],
    }


def test_each_task_has_its_prediction_and_the_worst_the_smallest_score(
    backend: LabelStudioBackend, folder: Path, tiny_model: Path
) -> None:
    face, nobody = backend.predictions(tasks("face.png", "nobody.png"))
    assert face["model_version"] == backend.version
    assert backend.version.startswith("facedots tiny ")
    assert nobody == {"model_version": backend.version, "result": [], "score": 0.0}
    assert face["score"] > 0
    image = TaskImages(folder).read("/data/local-files/?d=face.png")
    (expected,) = Pipeline(Haar(), KeypointPredictor(tiny_model))(image)
    points = [each["value"] for each in face["result"] if each["type"] == "keypointlabels"]
    assert [value["keypointlabels"] for value in points] == [[name] for name in IBUG68.names]
    places = np.array([(value["x"], value["y"]) for value in points])
    size = np.array([image.shape[1], image.shape[0]])
    np.testing.assert_allclose(places / 100 * size - 0.5, expected.points, atol=1e-3)


def test_a_task_that_fails_does_not_cost_the_others(backend: LabelStudioBackend) -> None:
    request = tasks("broken.png", "none.png", "../x.png", "face.png")
    request["tasks"] += [{"id": 20, "data": {"text": "hello"}}, {"id": 21}]
    results = list(backend.predictions(request))
    # Without "result", Label Studio saves no prediction and asks again next time.
    assert ["result" in each for each in results] == [False, False, False, True, False, False]
    assert "task 7: " in results[0]["error"]
    assert "not an image" in results[0]["error"]
    assert results[4]["error"] == "task 20: no address of an image in its field 'image'"


def test_an_address_writes_no_further_line_into_the_log(
    backend: LabelStudioBackend, caplog: pytest.LogCaptureFixture
) -> None:
    (result,) = backend.predictions(tasks("a.jpg\nforged \ud800"))
    assert "a.jpg\\nforged \\ud800" in result["error"]
    assert [record.getMessage() for record in caplog.records] == [result["error"]]


def test_what_is_done_in_time_is_kept(backend: LabelStudioBackend, clock: Clock) -> None:
    clock.step = 0.4 * MAX_SECONDS
    results = list(backend.predictions(tasks(*["nobody.png"] * 4)))
    assert ["result" in each for each in results] == [True, True, False, False]
    assert results[3] == {"error": "task 10: no time left after 80 s; ask again"}


def test_a_project_that_does_not_fit_is_refused_when_it_connects(
    backend: LabelStudioBackend,
) -> None:
    assert backend.setup({"schema": CONFIG, "project": "1.2"}) == {"model_version": backend.version}
    assert backend.validate({"config": CONFIG}) == {"status": "ok"}
    for request in ({}, {"schema": 3}, {"schema": "<View/>"}, {"schema": "<View"}):
        with pytest.raises(DataError, match="labeling interface"):
            backend.setup(request)
    with pytest.raises(DataError, match="list of tasks"):
        backend.predictions({"label_config": CONFIG, "tasks": [1]})
    with pytest.raises(DataError, match="labeling interface"):
        backend.predictions({"label_config": "<View/>", "tasks": []})
