"""Bodies that no honest client sends: each is answered by 200 or by a problem document, and right
answers go on. Some hundred here, ten thousand under ``make test-service``.
"""

import json
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of
from PIL import Image as PilImage
from requests import Request
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from facedots.data.synthetic import draw_face
from facedots.io.images import sample_portrait
from facedots.service.app import create_app
from facedots.service.settings import ServiceLimits, ServiceSettings

LIMITS = ServiceLimits(max_bytes=1_000_000, max_pixels=400_000, max_images=3, max_faces=5)
ALLOWED = {200, 400, 413, 415, 422}
FULL_SIZE = 10_000
GROWTH = 150e6
"""Bytes by which the process may grow once it is warm."""

Fuzz = Callable[[np.random.Generator, list[bytes]], bytes]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(
        create_app(ServiceSettings(limits=LIMITS)), raise_server_exceptions=False
    ) as client:
        yield client


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """Drawn faces in all kinds of image files."""
    image, _ = draw_face(np.random.default_rng(5))
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    wide = pixels.astype(np.uint16) * 257
    found = [
        cv2.imencode(suffix, array)[1].tobytes()
        for suffix, array in {
            ".jpg": pixels,
            ".png": pixels,
            ".webp": pixels,
            ".bmp": pixels[::2, ::2],
            ".tiff": pixels,
            ".jp2": pixels,
        }.items()
    ]
    found += [cv2.imencode(".png", wide)[1].tobytes(), cv2.imencode(".tiff", wide)[1].tobytes()]
    found.append(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA))[1].tobytes())
    shown = PilImage.fromarray(image)
    exif = PilImage.Exif()
    exif[0x0112] = 6  # orientation
    double = shown.resize((2 * shown.width, 2 * shown.height))
    found += [
        saved(shown.convert("CMYK"), "JPEG"),
        saved(shown.convert("L"), "JPEG", progressive=True),
        saved(shown, "JPEG", exif=exif),
        saved(shown.convert("P"), "GIF"),
        saved(shown, "GIF", save_all=True, append_images=[shown.rotate(9)] * 3),
        saved(shown, "WEBP", save_all=True, append_images=[shown.rotate(9)] * 3),
        saved(shown, "PNG", save_all=True, append_images=[shown.rotate(9)] * 3),
        saved(double.convert("1"), "TIFF"),
    ]
    return found


def saved(image: PilImage.Image, kind: str, **options: object) -> bytes:
    with BytesIO() as file:
        image.save(file, kind, **options)
        return file.getvalue()


def whole(rng: np.random.Generator, files: list[bytes]) -> bytes:
    return files[rng.integers(len(files))]


def truncated(rng: np.random.Generator, files: list[bytes]) -> bytes:
    data = whole(rng, files)
    return data[: rng.integers(len(data))]


def flipped(rng: np.random.Generator, files: list[bytes]) -> bytes:
    """Some bytes are others; more often near the head, where formats keep sizes."""
    data = bytearray(whole(rng, files))
    end = len(data) if rng.random() < 0.5 else min(len(data), 200)
    for place in rng.integers(end, size=rng.integers(1, 20)):
        data[place] = rng.integers(256)
    return bytes(data)


def spliced(rng: np.random.Generator, files: list[bytes]) -> bytes:
    """The head of one file and the tail of another."""
    first, second = whole(rng, files), whole(rng, files)
    return first[: rng.integers(len(first))] + second[rng.integers(len(second)) :]


def repeated(rng: np.random.Generator, files: list[bytes]) -> bytes:
    """A part of the file comes many times."""
    data = whole(rng, files)
    start = int(rng.integers(len(data)))
    return data[:start] + data[start : start + 50] * int(rng.integers(1, 200)) + data[start:]


def noise(rng: np.random.Generator, files: list[bytes]) -> bytes:
    """Noise behind the first bytes of a file."""
    return whole(rng, files)[: rng.integers(30)] + rng.bytes(int(rng.integers(1, 3000)))


def bomb(rng: np.random.Generator, _: list[bytes]) -> bytes:
    """A PNG of any size, that holds a small stream of zeros."""
    width, height = (int(2 ** rng.uniform(0, 31)) for _ in range(2))
    head = struct.pack(">IIBBBBB", width, height, int(rng.choice([8, 16])), 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * int(rng.integers(1, 10**6)))
    chunks = [(b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


FUZZERS: tuple[Fuzz, ...] = (whole, truncated, flipped, spliced, repeated, noise, bomb)


def send(client: TestClient, rng: np.random.Generator, data: bytes) -> int:
    """Post a body in one of the ways there are; its status, once the answer is checked."""
    way = rng.integers(4)
    if way == 0:
        answer = client.post("/v1/faces", files={"image": ("a.jpg", data)}, params={"pose": "1"})
    elif way == 1:
        form = b"--x\r\nContent-Disposition: form-data; name=i; filename=i\r\n\r\n" + data
        ending = b"\r\n--x--" if rng.random() < 0.5 else b""
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = client.post("/v1/faces:batch", content=form + ending, headers=headers)
    elif way == 2:
        parts = [data[i : i + 997] for i in range(0, len(data), 997)]
        answer = client.post("/v1/faces", content=iter(parts), params={"search": "fast"})
    else:
        boxes = {"boxes": "[[60, 60, 190, 190]]", "signals": "true", "aligned": "64"}
        answer = client.post("/v1/faces", content=data, params=boxes)
    assert answer.status_code in ALLOWED, (answer.status_code, answer.text, way, data[:100])

    if answer.status_code == 200:
        json.loads(answer.text, parse_constant=pytest.fail)
    else:
        assert answer.json()["status"] == answer.status_code
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code


def fuzz(client: TestClient, files: list[bytes], count: int) -> None:
    portrait = sample_portrait().read_bytes()
    right = client.post("/v1/faces", content=portrait).text
    rng, statuses, process = np.random.default_rng(1), Counter[int](), psutil.Process()
    warm = 0
    for i in range(count):
        statuses[send(client, rng, FUZZERS[i % len(FUZZERS)](rng, files))] += 1
        if i == count // 5:
            warm = process.memory_info().rss
    assert statuses.keys() >= {200, 422}, statuses
    assert process.memory_info().rss - warm < GROWTH
    assert client.post("/v1/faces", content=portrait).text == right
    assert client.get("/readyz").status_code == 200


def test_all_kinds_of_images_are_read(client: TestClient, files: list[bytes]) -> None:
    counts = [
        len(client.post("/v1/faces", content=data).json()["images"][0]["faces"]) for data in files
    ]
    assert counts == [1] * len(files)


def test_some_hundred_broken_bodies(client: TestClient, files: list[bytes]) -> None:
    fuzz(client, files, 210)


@pytest.mark.service
def test_ten_thousand_broken_bodies(client: TestClient, files: list[bytes]) -> None:
    fuzz(client, files, FULL_SIZE)


@pytest.mark.service
def test_nothing_is_written_by_all_that(
    client: TestClient, files: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    rng = np.random.default_rng(2)
    for i in range(70):
        send(client, rng, FUZZERS[i % len(FUZZERS)](rng, files))
    assert not list(tmp_path.iterdir())


def conform(client: TestClient, examples: int) -> None:
    """Requests that schemathesis makes of the OpenAPI document, valid ones and others, get one of
    the statuses that it documents.
    """
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    statuses = Counter[int]()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        cases = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

        @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
        @given(case=one_of(cases))
        def check(case: schemathesis.Case[Any]) -> None:
            request = Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
            answer = client.request(
                str(request.method), str(request.url), headers=request.headers, content=request.body
            )
            statuses[answer.status_code] += 1
            assert answer.status_code in {*ALLOWED, 404, 405}, answer.text

        check()
    assert statuses[200]
    assert statuses[422]


def test_some_requests_of_the_openapi_document(client: TestClient) -> None:
    conform(client, 10)


@pytest.mark.service
def test_many_requests_of_the_openapi_document(client: TestClient) -> None:
    conform(client, 1000)
