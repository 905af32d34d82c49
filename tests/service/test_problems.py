"""Every error is a problem document that names the option or the limit."""

import asyncio
import struct
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from facedots.errors import WeightsError
from facedots.pipeline_options import PipelineOptions
from facedots.schema import AFLW21
from facedots.service.app import create_app
from facedots.service.compute import ComputeThread
from facedots.service.handler import RequestHandler
from facedots.service.problems import Problem
from facedots.service.requests import FindOptions, ImageOptions
from facedots.service.settings import ServiceSettings


def problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = dict(response.json())
    assert document["status"] == status
    assert document["title"]
    assert "Traceback" not in response.text
    return document


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("model=large9", "large9"),
        ("model=/etc/passwd", "this server has small, tiny"),
        ("detector=yunet", "no file of yunet"),
        ("detector=dlib", "detector"),
        ("max_faces=0", "max_faces"),
        ("boxes=nonsense", "boxes: JSON is expected"),
        ("boxes=[[1,2,3]]", "boxes.0.3"),
        ("boxes=[[1,2,1,2]]", "area"),
        ("boxes=[[1,2,NaN,2]]", "boxes.0.2"),
        ("boxes=[[1,2,3,4e9]]", "boxes.0.3"),
        ("boxes=" + "[" * 100_000, "JSON is expected"),
        ("url=http://example.org/a.jpg", "url: there is no such option"),
        ("pose=1&pose=1", "given twice"),
        ("aligned=99999", "aligned"),
    ],
)
def test_options_that_are_wrong(
    client: TestClient, portrait: bytes, query: str, words: str
) -> None:
    files = {"image": ("a.jpg", portrait)}
    fields = dict(pair.split("=", 1) for pair in query.split("&")) if len(query) > 1000 else {}
    path = "/v1/faces" if fields else f"/v1/faces?{query}"
    assert words in problem(client.post(path, files=files, data=fields), 422)["detail"]


@pytest.mark.parametrize("detector", ["retinaface", "finder", "yunet"])
def test_a_weight_file_is_of_one_detector(
    monkeypatch: pytest.MonkeyPatch, detector: Literal["retinaface", "finder", "yunet"]
) -> None:
    used = list[Path | None]()

    def load_detector(options: PipelineOptions, *_: object) -> None:
        used.append(options.detector_file)

    monkeypatch.setattr(PipelineOptions, "load_detector", load_detector)
    networks = PipelineOptions(detector=detector, detector_file=Path("weights.onnx"))
    handler = RequestHandler(ServiceSettings(networks=networks))
    own = "finder" if detector == "finder" else "yunet"
    always = ["retinaface", "finder", "haar", "single-object"]
    assert handler.description["detectors"] == always + ["yunet"] * (own == "yunet")
    others = ["haar"] if own == "finder" else ["haar", "finder"]
    for asked in (own, *others):
        handler.pipeline(FindOptions.model_validate({"detector": asked}))
    assert used[-1 - len(others) :] == [Path("weights.onnx"), *(None for _ in others)]
    if own == "finder":
        with pytest.raises(Problem, match="no file of yunet"):
            handler.pipeline(FindOptions.model_validate({"detector": "yunet"}))


def test_bodies_that_are_no_image(client: TestClient, portrait: bytes) -> None:
    assert "no image" in problem(client.post("/v1/faces"), 422)["detail"]
    assert "not an image" in problem(client.post("/v1/faces", content=b"GIF"), 422)["detail"]
    assert "JPEG" in problem(client.post("/v1/faces", content=b"\xff\xd8\xff"), 422)["detail"]
    damaged = {"content-type": "multipart/form-data; boundary=x"}
    problem(client.post("/v1/faces", content=b"--y", headers=damaged), 400)
    problem(
        client.post("/v1/faces", content=b"", headers={"content-type": "multipart/form-data"}), 400
    )


def test_limits_are_named(client: TestClient, portrait: bytes) -> None:
    large = problem(client.post("/v1/faces", content=b"x" * 200_001), 413)
    assert large["limit"] == {"name": "max-bytes", "value": 200_000}
    endless = problem(client.post("/v1/faces", content=(b"x" * 1000 for _ in range(10**6))), 413)
    assert endless["limit"] == large["limit"]
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60_000, 60_000)
    bomb += bytes(9) + b"\0\0\0\0IEND" + bytes(4)
    many = problem(client.post("/v1/faces", content=bomb), 413)
    assert many["limit"] == {"name": "max-pixels", "value": 1_000_000}
    boxes = {"boxes": str([[0, 0, 9, 9]] * 6)}
    faces = problem(client.post("/v1/faces", content=portrait, params=boxes), 413)
    assert faces["limit"] == {"name": "max-faces", "value": 5}
    files = [("image", (str(i), b"x")) for i in range(4)]
    assert (
        "Maximum number of files is 3"
        in problem(client.post("/v1/faces:batch", files=files), 400)["detail"]
    )


def test_paths_and_methods_that_there_are_not(client: TestClient) -> None:
    problem(client.get("/v1/nothing"), 404)
    assert problem(client.get("/v1/faces"), 405)["title"] == "Method Not Allowed"


def test_what_nobody_foresaw_tells_nothing(
    portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise WeightsError("/srv/secret/model.onnx: cannot be run")

    monkeypatch.setattr(RequestHandler, "answer", fail)
    with TestClient(create_app(ServiceSettings()), raise_server_exceptions=False) as client:
        response = client.post("/v1/faces", content=portrait)
    assert "secret" not in response.text
    assert "log" in problem(response, 500)["detail"]


def test_a_job_is_dropped_when_its_client_is_gone(
    portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = ComputeThread(places=3, seconds=30)
    monkeypatch.setattr("facedots.service.app.ComputeThread", lambda *_: compute)
    answered, sent = list[object](), list[Message]()
    monkeypatch.setattr(RequestHandler, "answer", lambda *_: answered.append(None))
    app = create_app(ServiceSettings())

    async def main() -> None:
        go_on, gone = threading.Event(), asyncio.Event()
        first = asyncio.create_task(compute.run(go_on.wait))
        messages = [{"type": "http.request", "body": portrait, "more_body": False}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/faces", "headers": []}
        request = asyncio.create_task(app({**scope, "query_string": b""}, receive, send))
        await asyncio.sleep(0.1)
        gone.set()
        await request
        go_on.set()
        await first
        await compute.run(lambda: None)

    asyncio.run(main())
    assert sent[0]["status"] == 400
    assert not answered


@pytest.mark.parametrize("asked", [{"pose": True}, {"emotions": True}, {"aligned": 64}])
def test_what_needs_the_points_of_ibug_is_refused_of_a_network_of_others(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    handler = RequestHandler(ServiceSettings())
    predictor = SimpleNamespace(spec=SimpleNamespace(schema=AFLW21))
    opened = SimpleNamespace(detector=None, predictor=predictor)
    monkeypatch.setattr(handler, "_open", lambda _: opened)
    assert handler.pipeline(FindOptions()).predictor is predictor  # type: ignore[comparison-overlap]
    with pytest.raises(Problem) as refused:
        handler.pipeline(ImageOptions.model_validate(asked))
    assert refused.value.document["detail"] == (
        f"small finds the 21 points of aflw21; {next(iter(asked))} needs the 68 of iBUG"
    )
    assert refused.value.status == 422
