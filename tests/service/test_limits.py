"""Bodies are read in memory, within limits that all requests share."""

import asyncio
import tempfile
from collections.abc import AsyncIterator

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.types import Message

from facedots.service.limits import BodyReader
from facedots.service.problems import Problem
from facedots.service.settings import ServiceLimits


def request(chunks: AsyncIterator[bytes], content_type: str = "image/png") -> Request:
    async def receive() -> Message:
        try:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}
        except StopAsyncIteration:
            return {"type": "http.request", "body": b"", "more_body": False}

    headers = [(b"content-type", content_type.encode())]
    return Request({"type": "http", "headers": headers, "query_string": b"a=1"}, receive)


async def bytes_of(size: int, count: int, pause: float = 0) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(pause)
        yield b"x" * size


def test_bodies_of_several_requests_share_the_memory() -> None:
    reader = BodyReader(ServiceLimits(max_bytes=1000, queue=2))

    async def main() -> None:
        async with reader.read(request(bytes_of(900, 1))) as form:
            assert form.uploads[0].data == b"x" * 900
            assert form.options == [("a", "1")]
            async with reader.read(request(bytes_of(900, 1))):
                with pytest.raises(Problem) as refused:
                    await reader.read(request(bytes_of(900, 1))).__aenter__()
                assert refused.value.status == 503
        for _ in range(5):
            async with reader.read(request(bytes_of(900, 1))):
                pass

    asyncio.run(main())


def test_a_slow_body_is_given_up() -> None:
    reader = BodyReader(ServiceLimits(timeout=0.2))

    async def main() -> None:
        with pytest.raises(Problem) as refused:
            await reader.read(request(bytes_of(1, 1000, pause=0.01))).__aenter__()
        assert refused.value.status == 408
        assert refused.value.headers["Connection"] == "close"

    asyncio.run(main())


def test_large_files_of_forms_stay_in_memory(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def to_disk(*_: object, **__: object) -> None:
        raise AssertionError("a body went to a file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", to_disk)
    monkeypatch.setattr(tempfile, "TemporaryFile", to_disk)
    reader = BodyReader(ServiceLimits())
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield head
        async for chunk in bytes_of(100_000, 50):
            yield chunk
        yield b"\r\n--b--\r\n"

    async def main() -> None:
        async with reader.read(request(body(), "multipart/form-data; boundary=b")) as form:
            (upload,) = form.uploads
            assert (len(upload.data), upload.name) == (5_000_000, "a")

    asyncio.run(main())
