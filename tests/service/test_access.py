"""Who may use the service: tokens and origins."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from facedots.service.app import create_app
from facedots.service.settings import ServiceSettings

TOKEN = {"Authorization": "Bearer s3cret"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[TestClient]:
    settings = ServiceSettings(token="s3cret", origins=("https://example.org",))
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/faces", "/v1/faces:batch", "/v1/models", "/metrics"])
@pytest.mark.parametrize(
    "value", [None, "Bearer", "Bearer s3cre", "Bearer s3cret2", "Basic s3cret", "Bearer ä"]
)
def test_without_the_token_nothing_is_answered(
    guarded: TestClient, path: str, value: str | None
) -> None:
    headers = {} if value is None else {"Authorization": value.encode()}
    method = "POST" if "faces" in path else "GET"
    response = guarded.request(method, path, headers=headers, content=b"x" * 100)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"


def test_with_the_token_all_is_answered(guarded: TestClient, portrait: bytes) -> None:
    assert guarded.post("/v1/faces", content=portrait, headers=TOKEN).status_code == 200
    assert guarded.get("/v1/models", headers=TOKEN).json()["default"]["model"] == "small"
    assert "facedots_requests_total" in guarded.get("/metrics", headers=TOKEN).text
    assert guarded.get("/healthz").json() == {"status": "ok"}
    assert guarded.get("/readyz").json() == {"status": "ready"}
    document = guarded.get("/openapi.json").json()
    assert document["paths"]["/v1/faces"]["post"]["security"] == [{"bearer": []}]


def opens(client: TestClient, **arguments: object) -> int:
    """The status by which a stream is opened or refused."""
    try:
        with client.websocket_connect("/v1/stream", **arguments):  # type: ignore[arg-type]
            return 101
    except WebSocketDenialResponse as refused:
        return refused.status_code


def test_streams_need_the_token_too(guarded: TestClient) -> None:
    assert opens(guarded) == 401
    assert opens(guarded, headers=TOKEN) == 101
    assert opens(guarded, subprotocols=["bearer", "s3cret"]) == 101
    assert opens(guarded, subprotocols=["bearer", "other"]) == 401


def test_streams_of_pages_of_other_origins_are_refused(guarded: TestClient) -> None:
    statuses = {
        origin: opens(guarded, headers={**TOKEN, "Origin": origin})
        for origin in ("https://example.org", "http://testserver", "https://evil.org", "null")
    }
    assert statuses == {
        "https://example.org": 101,
        "http://testserver": 101,
        "https://evil.org": 403,
        "null": 403,
    }


def test_pages_of_other_origins_may_read_answers_only_if_named(guarded: TestClient) -> None:
    def allowed(origin: str) -> str | None:
        headers = {**TOKEN, "Origin": origin}
        return guarded.get("/v1/models", headers=headers).headers.get("access-control-allow-origin")

    assert allowed("https://example.org") == "https://example.org"
    assert allowed("https://evil.org") is None
