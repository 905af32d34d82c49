"""``/v1/stream``: frames in, tracked faces out."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from facedots.service.app import create_app
from facedots.service.settings import ServiceLimits, ServiceSettings


@pytest.fixture(scope="module")
def short() -> Iterator[TestClient]:
    """Of a service that takes one stream, and waits a second for a frame."""
    limits = ServiceLimits(max_streams=1, timeout=1.0)
    with TestClient(create_app(ServiceSettings(limits=limits))) as client:
        yield client


def test_a_face_keeps_its_track_and_a_bad_frame_stops_nothing(
    client: TestClient, portrait: bytes
) -> None:
    with client.websocket_connect("/v1/stream?model=tiny&pose=true") as stream:
        answers = []
        for frame in (portrait, b"no image", b"", portrait):
            stream.send_bytes(frame)
            answers.append(stream.receive_json())
    first, bad, empty, last = answers
    assert (first["frame"], first["width"], first["height"]) == (0, 512, 600)
    assert bad["frame"] == 1
    assert bad["status"] == empty["status"] == 422
    assert last["time"] > first["time"] >= 0
    (before,), (after,) = first["faces"], last["faces"]
    assert before["track_id"] == after["track_id"] == 0
    assert abs(after["pose"]["yaw"]) < 10
    assert "signals" not in after


def test_options_that_are_wrong_are_refused_before_it_opens(client: TestClient) -> None:
    for query in ("model=none", "boxes=[]", "search=all"):
        with pytest.raises(WebSocketDenialResponse) as refused:
            client.websocket_connect(f"/v1/stream?{query}").__enter__()
        assert refused.value.status_code == 422
        assert refused.value.headers["content-type"] == "application/problem+json"


def test_streams_are_counted_and_given_back(short: TestClient) -> None:
    with short.websocket_connect("/v1/stream"):
        with pytest.raises(WebSocketDenialResponse) as refused:
            short.websocket_connect("/v1/stream").__enter__()
        assert refused.value.status_code == 503
        assert refused.value.json()["limit"] == {"name": "max-streams", "value": 1}
        assert "facedots_streams 1.0" in short.get("/metrics").text
    with short.websocket_connect("/v1/stream"):
        pass


def test_a_silent_or_wrong_client_is_cut_off(short: TestClient) -> None:
    with short.websocket_connect("/v1/stream") as stream:
        stream.send_text("text")
        with pytest.raises(WebSocketDisconnect) as ended:
            stream.receive_text()
        assert ended.value.code == 1003
    with short.websocket_connect("/v1/stream") as stream:
        with pytest.raises(WebSocketDisconnect) as ended:
            stream.receive_text()
        assert ended.value.code == 1008
