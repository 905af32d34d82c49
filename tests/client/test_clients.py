"""Both clients against the real application behind a real socket."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any, get_type_hints

import numpy as np
import pytest
import uvicorn
import websockets.sync.server
from tests.servers import QuietHandler, serving

from facedots.client.answers import Answer, read_image
from facedots.client.clients import AsyncClient, Client
from facedots.client.requests import FindOptions, ImageOptions
from facedots.errors import ImageError, ServiceError
from facedots.geometry import Image
from facedots.head import EyeGaze, Gaze
from facedots.inference.predictor import KeypointPredictor
from facedots.io.images import sample_portrait
from facedots.io.results import image_fields
from facedots.pipeline import Pipeline
from facedots.service import requests
from facedots.service.app import create_app
from facedots.service.settings import ServiceLimits, ServiceSettings
from facedots.types import Face, ImageResult

TOKEN = "sesame"


def serve(app: Any) -> Iterator[str]:
    """An application in a thread, at a free port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        sleep(0.05)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    limits = ServiceLimits(max_bytes=2_000_000, max_pixels=1_000_000, max_images=3, max_streams=1)
    yield from serve(create_app(ServiceSettings(models=("tiny",), token=TOKEN, limits=limits)))


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url, TOKEN) as client:
        yield client


@pytest.fixture(scope="module")
def expected(hopper: Image) -> Face:
    (face,) = Pipeline(predictor=KeypointPredictor("tiny"))(hopper)
    return face


def assert_same(face: Face, expected: Face) -> None:
    """Up to the decimals of the results document."""
    for name, step in {"points": 0.01, "box": 0.01, "covariance": 1e-4, "confidence": 1e-4}.items():
        np.testing.assert_allclose(getattr(face, name), getattr(expected, name), atol=step)
    assert face.score == pytest.approx(expected.score, abs=1e-4)
    assert face.schema == expected.schema


def test_all_that_a_document_holds_of_a_face_is_read(expected: Face) -> None:
    spread = np.array([[[1, 0.5], [0.5, 2]], [[3, 0], [0, 1]]], np.float32)
    pupils = np.array([[1, 2], [np.nan, np.nan]], np.float32)
    visibility = np.linspace(0, 1, len(expected.points)).round(4).astype(np.float32)
    gaze = Gaze(1, 2, 3, right_eye=EyeGaze(1, 2, 3), left_eye=None)
    bare = replace(expected, visibility=None, pupils=None, pupils_covariance=None)
    further = replace(
        expected, visibility=visibility, pupils=pupils, pupils_covariance=spread, gaze=gaze
    )
    for face in (bare, further):
        fields = image_fields(ImageResult("a.jpg", 5, 4, [face]))
        (read,) = read_image(fields, face.schema).faces
        assert_same(read, face)
        for name in ("visibility", "pupils", "pupils_covariance", "gaze"):
            np.testing.assert_equal(getattr(read, name), getattr(face, name))


def test_an_array_a_path_and_bytes_give_the_faces_of_the_pipeline(
    client: Client, hopper: Image, expected: Face
) -> None:
    path = sample_portrait()
    for image in (hopper, path, str(path), path.read_bytes()):
        answer = client.faces(image, model="tiny")
        assert (answer.width, answer.height) == (512, 600)
        (face,) = answer.faces
        assert_same(face, expected)
    assert client.faces(path).source == str(path)
    assert client.faces(path.read_bytes()).source == "image"


def test_options_boxes_and_what_they_add(client: Client, hopper: Image) -> None:
    answer = client.faces(
        hopper,
        boxes=[[210, 80, 330, 260]],
        pose=True,
        signals=True,
        emotions=True,
        aligned=64,
        drawn=True,
    )
    (face,) = answer.faces
    assert face.detection_score is None
    assert face.box.tolist() == [210, 80, 330, 260]
    assert face.pose is not None
    assert abs(face.pose.yaw) < 30
    assert face.signals
    assert face.emotions
    assert sum(face.emotions.values()) == pytest.approx(1, abs=1e-3)
    (crop,) = answer.aligned
    assert crop is not None
    assert crop.shape == (64, 64, 3)
    assert answer.drawn is not None
    assert answer.drawn.shape == hopper.shape
    assert np.abs(answer.drawn.astype(int) - hopper).max() > 100
    assert np.median(np.abs(answer.drawn.astype(int) - hopper)) < 10


def test_a_batch_has_an_answer_or_an_error_for_each_image(client: Client) -> None:
    first, second, third = client.batch([sample_portrait(), b"no image", sample_portrait()])
    assert isinstance(first, Answer)
    assert isinstance(second, ServiceError)
    assert isinstance(third, Answer)
    assert second.status == 422
    assert "not an image" in str(second)
    np.testing.assert_array_equal(first.faces[0].points, third.faces[0].points)


def test_errors_have_the_detail_and_the_limit(client: Client, url: str, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="422: model: this server has small, tiny"):
        client.faces(sample_portrait(), model="large")
    with pytest.raises(ServiceError, match="413: the image has 1200 x 1000 pixels") as caught:
        client.faces(np.zeros((1000, 1200, 3), np.uint8))
    assert caught.value.status == 413
    assert caught.value.problem["limit"] == {"name": "max-pixels", "value": 1_000_000}
    with Client(url) as stranger, pytest.raises(ServiceError, match="401: send the token"):
        stranger.models()
    with pytest.raises(ImageError, match="lost"):
        client.faces(tmp_path / "lost.jpg")
    with pytest.raises(ServiceError, match="is `facedots serve` running there"):
        Client("http://127.0.0.1:1").models()


def test_models_and_limits_are_listed(client: Client) -> None:
    listed = client.models()
    assert [model["name"] for model in listed["models"]] == ["small", "tiny"]
    assert listed["limits"]["max_images"] == 3


def test_frames_are_tracked(client: Client, url: str, expected: Face) -> None:
    path = sample_portrait()
    frames = list(client.track([path, b"no image", path], model="tiny"))
    assert isinstance(frames[0], Answer)
    assert isinstance(frames[1], ServiceError)
    assert isinstance(frames[2], Answer)
    assert frames[0].faces[0].track_id == frames[2].faces[0].track_id
    assert 0 <= (frames[0].time or 0) <= (frames[2].time or 0)
    np.testing.assert_allclose(frames[0].faces[0].points, expected.points, atol=3)
    with pytest.raises(ServiceError, match="422: model"):
        next(client.track([path], model="large"))
    with pytest.raises(ServiceError, match="401"):
        next(Client(url).track([path]))


def test_the_asynchronous_client_answers_alike(url: str, client: Client, hopper: Image) -> None:
    alone = client.faces(hopper, pose=True).faces[0]

    async def ask() -> None:
        async with AsyncClient(url, TOKEN) as other:
            answers = await asyncio.gather(*(other.faces(hopper, pose=True) for _ in range(4)))
            for answer in answers:
                np.testing.assert_array_equal(answer.faces[0].points, alone.points)
            assert await other.models() == client.models()
            batch = await other.batch([hopper, b"no image"])
            assert [type(each) for each in batch] == [Answer, ServiceError]
            tracked = [frame async for frame in other.track([hopper, hopper])]
            assert all(isinstance(frame, Answer) for frame in tracked)
            with pytest.raises(ServiceError, match="422"):
                await other.faces(b"no image")

    asyncio.run(ask())


def test_the_options_are_those_of_the_service() -> None:
    service = set(requests.FaceOptions.model_fields) - {"boxes", "source"}
    assert set(get_type_hints(ImageOptions)) == service
    assert set(get_type_hints(FindOptions)) == set(requests.FindOptions.model_fields)


class FullAtFirst(QuietHandler):
    """Answers 503 for a while, then an empty list of models."""

    refusals, wait = 2, "0.2"

    def do_GET(self) -> None:
        cls = type(self)
        cls.refusals -= 1
        body = b'{"models": []}' if cls.refusals < 0 else b"<html>full</html>"
        self.send_response(200 if cls.refusals < 0 else 503)
        self.send_header("Retry-After", cls.wait)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class NotFacedots(FullAtFirst):
    body = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))  # else closing resets the connection
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)


def test_a_full_service_is_asked_again_when_it_says_within_the_patience() -> None:
    with serving(FullAtFirst) as url:
        start = monotonic()
        assert Client(url).models() == {"models": []}
        assert monotonic() - start >= 0.4
        FullAtFirst.refusals, FullAtFirst.wait = 9, "3600"
        with pytest.raises(ServiceError, match="503: an error without a reason"):
            Client(url).models()
        assert FullAtFirst.refusals == 8
        FullAtFirst.refusals, FullAtFirst.wait = 9, "0.2"
        with pytest.raises(ServiceError, match="503"):
            Client(url, patience=0.5).models()
        assert FullAtFirst.refusals == 6


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"[" * 100_000,
        b"[]",
        b'{"images": []}',
        b'{"schema": "x", "point_names": [], "images": [{"faces": []}]}',
        b'{"schema": "x", "point_names": ["a"], "images": [{"source": "", "width": 1, "height": 1, '
        b'"faces": [{"points": [[1%s, 0]], "covariance": null, "confidence": null, "box": [], '
        b'"score": 1}]}]}' % (b"0" * 400),
    ],
)
def test_an_answer_of_another_server_is_an_error(body: bytes) -> None:
    NotFacedots.body = body
    with (
        serving(NotFacedots) as url,
        pytest.raises(ServiceError, match="not an answer of facedots serve"),
    ):
        Client(url).faces(b"image")


class Streams:
    """A server of WebSockets that answers each message with ``text``; with none, not at all."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __enter__(self) -> str:
        self._server = websockets.sync.server.serve(self._answer, "127.0.0.1", 0)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    def _answer(self, connection: websockets.sync.server.ServerConnection) -> None:
        for _ in connection:
            if self._text:
                connection.send(self._text)


@pytest.mark.parametrize(
    ("text", "words"),
    [("<html>", "not an answer"), ('{"status": "x", "frame": 0}', "not an answer"), ("", "time")],
)
def test_a_stream_that_lies_or_is_silent_is_an_error(text: str, words: str) -> None:
    async def ask(url: str) -> None:
        async with AsyncClient(url, timeout=0.5) as client:
            await anext(client.track([b"frame"]))

    with Streams(text) as url:
        with pytest.raises(ServiceError, match=f"(?i){words}"):
            next(Client(url, timeout=0.5).track([b"frame"]))
        with pytest.raises(ServiceError, match=f"(?i){words}"):
            asyncio.run(ask(url))


def test_a_frame_that_cannot_be_had_is_not_blamed_on_the_service(client: Client) -> None:
    def frames() -> Iterator[Path]:
        raise FileNotFoundError("frame 1")
        yield Path()

    with pytest.raises(FileNotFoundError, match="frame 1"):
        next(client.track(frames()))


def test_addresses_and_tokens_that_cannot_be() -> None:
    for url in ("127.0.0.1:8000", "http://[::1", "nonsense"):
        for call in (Client(url).models, lambda url=url: next(Client(url).track([b"frame"]))):
            with pytest.raises(ServiceError):
                call()
    for token in ("ü", "two words", "line\n"):
        with pytest.raises(ServiceError, match="one word of ASCII"):
            Client(token=token)


def test_a_wait_of_no_seconds_does_not_last_forever() -> None:
    FullAtFirst.refusals, FullAtFirst.wait = 99, "0"
    with serving(FullAtFirst) as url, pytest.raises(ServiceError, match="503"):
        Client(url, patience=0.3).models()
