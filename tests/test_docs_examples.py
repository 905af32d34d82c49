"""The programs that the how-to pages show."""

import importlib.util
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from facedots.geometry import Image
from facedots.io.images import write_image

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the service of the page answers, on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), example("service").Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def post(address: str, body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, body, method="POST"), timeout=30
        ) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture
def portrait(hopper: Image, tmp_path: Path) -> Path:
    write_image(tmp_path / "portrait.png", hopper)
    return tmp_path / "portrait.png"


def test_the_service_finds_the_face_of_a_portrait(address: str, portrait: Path) -> None:
    status, answer = post(address, portrait.read_bytes())
    assert status == 200
    (face,) = answer["faces"]
    x, y = face["points"][36]
    assert 205 < x < 235
    assert 180 < y < 200


def test_the_service_refuses_what_is_no_image(address: str) -> None:
    status, answer = post(address, b"no image")
    assert status == 400
    assert "error" in answer
    assert post(address, b"")[0] == 413


def test_rows_of_many_images_have_the_same_columns(portrait: Path, tmp_path: Path) -> None:
    find = example("many_images").FindFaces()
    (tmp_path / "broken.png").write_bytes(b"no image")
    (face,) = find({"path": str(portrait)})
    (broken,) = find({"path": str(tmp_path / "broken.png")})
    assert face.keys() == broken.keys()
    assert face["found"]
    assert len(face["points"]) == 136
    assert not broken["found"]
    assert "broken.png" in broken["error"]
