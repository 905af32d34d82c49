"""Images of tasks come from one folder and one Label Studio, and from nowhere else."""

import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.servers import QuietHandler, running

from facedots.errors import DownloadError, ImageError
from facedots.io.images import write_image
from facedots.labeling.task_images import TaskImages

PIXELS = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
PERSONAL = "aaa.bbb.ccc"


class LabelStudio(ThreadingHTTPServer):
    """Serves one image to who has a token, and records what it is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/studio"


class Handler(QuietHandler):
    server: LabelStudio

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization", "")
        self.server.asked.append((self.path, authorization))
        if authorization not in ("Token legacy", "Bearer short"):
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/login")
            self.end_headers()
        elif self.path.endswith("endless.png"):
            self.answer(b"\x89PNG", 1 << 40)
        else:
            self.answer(cv2.imencode(".png", PIXELS[..., ::-1])[1].tobytes())

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, sent["refresh"]))
        self.answer(b'{"access": "short"}')

    def answer(self, body: bytes, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def studio() -> Iterator[LabelStudio]:
    with running(LabelStudio()) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_image(tmp_path / "secret.png", PIXELS)
    write_image(tmp_path / "root" / "deep" / "a b.png", PIXELS)
    (tmp_path / "root" / "link.png").symlink_to(tmp_path / "secret.png")
    return tmp_path / "root"


def test_local_files_are_read_below_the_folder_only(folder: Path) -> None:
    images = TaskImages(folder)
    for name in ("deep/a%20b.png", "deep/a b.png", "deep/../deep/a%20b.png"):
        np.testing.assert_array_equal(images.read(f"/data/local-files/?d={name}"), PIXELS)
    for name in ("../secret.png", "%2e%2e/secret.png", f"{folder.parent}/secret.png", "link.png"):
        with pytest.raises(ImageError, match="not below the folder"):
            images.read(f"/data/local-files/?d={name}")
    for name in ("", "none.png", "a%00.png"):
        with pytest.raises(ImageError):
            images.read(f"/data/local-files/?d={name}")
    with pytest.raises(ImageError, match="--label-studio-url"):
        images.read("/data/upload/1/a.png")


def test_uploads_are_fetched_with_the_token(studio: LabelStudio) -> None:
    images = TaskImages(url=f"{studio.url}/", token="legacy")
    for reference in ("/data/upload/1/a b.png", f"{studio.url}/data/local-files/?d=x/%C3%A4.png"):
        np.testing.assert_array_equal(images.read(reference), PIXELS)
    assert studio.asked == [
        ("/studio/data/upload/1/a%20b.png", "Token legacy"),
        ("/studio/data/local-files/?d=x/%C3%A4.png", "Token legacy"),
    ]


def test_a_personal_access_token_is_exchanged_once(studio: LabelStudio) -> None:
    images = TaskImages(url=studio.url, token=PERSONAL)
    for _ in range(2):
        np.testing.assert_array_equal(images.read("/data/upload/1/a.png"), PIXELS)
    assert studio.asked == [
        ("/studio/api/token/refresh/", PERSONAL),
        *[("/studio/data/upload/1/a.png", "Bearer short")] * 2,
    ]


def test_nothing_else_is_fetched(studio: LabelStudio) -> None:
    images = TaskImages(url=studio.url, token="legacy")
    port = studio.server_port
    for reference in (
        f"http://localhost:{port}/studio/data/upload/1/a.png",  # another name may be another host
        f"https://127.0.0.1:{port}/studio/data/upload/1/a.png",
        f"//elsewhere:{port}/studio/data/upload/1/a.png",
        f"http://127.0.0.1:{port}@elsewhere/studio/data/upload/1/a.png",
        "/api/current-user/token",
        "/data/../api/current-user/token",
        "/data/%2e%2e/api/current-user/token",
        "s3://bucket/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "a.png",
        "",
    ):
        with pytest.raises(ImageError, match="nothing else is fetched"):
            images.read(reference)
    assert studio.asked == []


def test_a_wrong_token_and_too_large_a_file_are_errors(studio: LabelStudio) -> None:
    with pytest.raises(DownloadError, match="302"):  # to the login page: not followed
        TaskImages(url=studio.url, token="old").read("/data/upload/1/a.png")
    with pytest.raises(DownloadError, match=r"broke|larger"):
        TaskImages(url=studio.url, token="legacy").read("/data/upload/1/endless.png")
    with pytest.raises(ImageError, match="the limit is 4e-05"):
        TaskImages(url=studio.url, token="legacy", max_pixels=40).read("/data/upload/1/a.png")
