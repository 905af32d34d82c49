"""The files of the browser page over HTTP; ``make test-web`` tests the built page itself."""

import gzip
import http.client
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from facedots import web_page
from facedots.cli.main import app
from facedots.errors import FacedotsError
from facedots.inference.weights import WEIGHTS
from facedots.web_page import PageServer

POLICY = "default-src 'none'; connect-src 'self'"
INDEX = f"""<meta http-equiv="Content-Security-Policy"
  content="{POLICY}" />"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built page: an index, a script that is there by brotli too, and a secret outside."""
    page = tmp_path / "web"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text(INDEX)
    (page / "assets" / "index-abc.js").write_text("plain")
    (page / "assets" / "index-abc.js.br").write_text("brotli")
    (tmp_path / "secret.js").write_text("secret")
    monkeypatch.setattr(web_page, "FOLDER", page)
    return page


@pytest.fixture
def client(folder: Path) -> Iterator[http.client.HTTPConnection]:
    with PageServer(0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        yield connection
        connection.close()
        server.shutdown()
        thread.join()


def ask(client: http.client.HTTPConnection, path: str, **headers: str) -> tuple[Any, bytes]:
    client.request("GET", path, headers=headers)
    answer = client.getresponse()
    return answer, answer.read()


def test_every_file_comes_with_its_type_and_with_the_policy_of_the_page(
    client: http.client.HTTPConnection,
) -> None:
    index, body = ask(client, "/")
    assert body == INDEX.encode()
    assert index.headers["Content-Type"] == "text/html; charset=utf-8"
    assert index.headers["Cache-Control"] == "no-cache"
    script, body = ask(client, "/assets/index-abc.js?x=1")
    assert body == b"plain"
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["Cache-Control"]
    for answer in (index, script):
        assert answer.headers["Content-Security-Policy"] == f"{POLICY}; frame-ancestors 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("accepted", "body"),
    [
        ("gzip, deflate, br, zstd", b"brotli"),
        ("br;q=0.5", b"brotli"),
        ("gzip", b"plain"),
        ("br;q=0, gzip", b"plain"),
        ("*", b"plain"),
    ],
)
def test_brotli_is_sent_where_the_client_takes_it(
    client: http.client.HTTPConnection, accepted: str, body: bytes
) -> None:
    answer, received = ask(client, "/assets/index-abc.js", **{"Accept-Encoding": accepted})
    assert received == body
    assert answer.headers["Content-Encoding"] == ("br" if body == b"brotli" else None)
    assert answer.headers["Vary"] == "Accept-Encoding"


def test_networks_are_those_of_the_package(client: http.client.HTTPConnection) -> None:
    _, body = ask(client, "/assets/tiny.onnx-D-1ZIgRn.gz")
    assert gzip.decompress(body) == WEIGHTS["tiny"].read()
    answer, body = ask(client, "/assets/retinaface.onnx-abc.gz")
    assert answer.headers["Content-Type"] == "application/gzip"
    assert len(gzip.decompress(body)) > 1_000_000


@pytest.mark.parametrize(
    "path",
    [
        "/none.js",
        "/assets",
        "/assets/other.onnx-abc.gz",
        "/assets/index-abc.js.br",
        "/../secret.js",
        "/assets/%2e%2e/%2e%2e/secret.js",
        "//secret.js",
    ],
)
def test_nothing_else_is_served(client: http.client.HTTPConnection, path: str) -> None:
    assert ask(client, path)[0].status == 404


def test_head_has_the_headers_only(client: http.client.HTTPConnection) -> None:
    client.request("HEAD", "/")
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(INDEX))
    assert ask(client, "/")[1] == INDEX.encode()


def test_without_the_page_the_command_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_page, "FOLDER", tmp_path)
    with pytest.raises(FacedotsError, match="no browser page; `make page` in a checkout builds it"):
        CliRunner().invoke(app, ["web"], catch_exceptions=False)


def test_a_port_in_use_is_named(folder: Path) -> None:
    with (
        PageServer(0) as server,
        pytest.raises(FacedotsError, match=rf"127.0.0.1:{server.server_port}: .*choose --port"),
    ):
        PageServer(server.server_port)


def test_the_browser_is_opened_only_when_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(PageServer, "serve_forever", lambda _: None)
    assert "http://127.0.0.1:" in CliRunner().invoke(app, ["web", "--port", "0"]).output
    assert not opened
    CliRunner().invoke(app, ["web", "--port", "0", "--open"])
    assert len(opened) == 1


@pytest.mark.web
def test_the_wheel_carries_the_page_and_serves_it(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        page = [file for file in archive.infolist() if "/assets/web/" in file.filename]
        archive.extractall(tmp_path / "installed")
    assert 3_000_000 < sum(file.compress_size for file in page) < 5_000_000
    command = [sys.executable, "-m", "facedots", "web", "--port", "0"]
    paths = os.environ | {"PYTHONPATH": str(tmp_path / "installed"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=tmp_path, env=paths, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().decode().split("/")[2].rpartition(":")[2]
            client = http.client.HTTPConnection("127.0.0.1", int(port))
            answer, body = ask(client, "/", **{"Accept-Encoding": "gzip"})
            assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
            assert b"facedots" in body
            for name in [file.filename.partition("/web/")[2] for file in page]:
                expected = 404 if name.endswith(".br") else 200
                assert ask(client, f"/{name}")[0].status == expected
        finally:
            server.terminate()
