import contextlib
import os
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.servers import QuietHandler, running

from facedots.errors import DownloadError, OutputError
from facedots.io.fetch import fetch, file_sha256, read_url

CONTENT = bytes(range(256)) * 2000


class Server(ThreadingHTTPServer):
    """Serves CONTENT at any path, as the attributes say, and notes what it was asked for."""

    content = CONTENT
    etag: str | None = '"one"'
    ranges = True
    tells_length = True
    drip: str = ""
    cuts: list[int]
    statuses: list[int]
    asked: list[str | None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data.zip"


class Handler(QuietHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        same = self.headers.get("If-Range") in (None, server.etag)
        start = (
            int(wanted.removeprefix("bytes=").rstrip("-"))
            if wanted and server.ranges and same
            else 0
        )
        if start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.end_headers()
            return
        if server.drip:
            self._drip()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
            )
        if server.etag:
            self.send_header("ETag", server.etag)
        body = server.content[start:]
        if server.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def _drip(self) -> None:
        """Byte by byte, without an end, after the headers or as a header."""
        head = b"HTTP/1.0 200 OK\r\n"
        self.wfile.write(head + b"X: " if self.server.drip == "headers" else head + b"\r\n")
        with contextlib.suppress(OSError):
            while self.server.drip:
                self.wfile.write(b"x")
                time.sleep(0.02)


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server(("127.0.0.1", 0), Handler)) as server:
        server.cuts, server.statuses, server.asked = [], [], []
        yield server
        server.drip = ""


def left_behind(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_brings_the_bytes_and_tells_how_far_it_is(server: Server, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    fetch(
        server.url, tmp_path / "new" / "data.zip", lambda done, total: calls.append((done, total))
    )
    assert (tmp_path / "new" / "data.zip").read_bytes() == CONTENT
    assert left_behind(tmp_path / "new") == {"data.zip"}
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_a_server_that_does_not_send_the_length(server: Server, tmp_path: Path) -> None:
    server.tells_length = False
    calls: list[tuple[int, int | None]] = []
    fetch(server.url, tmp_path / "data.zip", lambda done, total: calls.append((done, total)))
    assert (tmp_path / "data.zip").read_bytes() == CONTENT
    assert {total for _, total in calls[:-1]} == {None}
    assert calls[-1] == (len(CONTENT), len(CONTENT))


def test_an_existing_file_is_not_downloaded_again(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "data.zip"
    target.write_bytes(CONTENT)
    fetch(server.url, target)
    assert server.asked == []


def test_a_cut_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000, 200_000]
    fetch(server.url, tmp_path / "data.zip", pause=0)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000-", "bytes=201000-"]


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000, 1000]
    with pytest.raises(DownloadError, match="gave up after 2 attempts"):
        fetch(server.url, tmp_path / "data.zip", attempts=2, pause=0)
    assert not (tmp_path / "data.zip").exists()
    assert (tmp_path / "data.zip.part").stat().st_size == 2000
    fetch(server.url, tmp_path / "data.zip")
    assert server.asked[-1] == "bytes=2000-"
    assert (tmp_path / "data.zip").read_bytes() == CONTENT
    assert left_behind(tmp_path) == {"data.zip"}


def cut_off(server: Server, target: Path) -> None:
    """Leave the part of a run that gave up."""
    server.cuts = [1000]
    with pytest.raises(DownloadError):
        fetch(server.url, target, attempts=1)


@pytest.mark.parametrize("beyond", [b"", b"more"])
def test_a_whole_part_only_gets_its_name_and_too_long_a_one_starts_anew(
    server: Server, tmp_path: Path, beyond: bytes
) -> None:
    cut_off(server, tmp_path / "data.zip")
    (tmp_path / "data.zip.part").write_bytes(CONTENT + beyond)
    fetch(server.url, tmp_path / "data.zip", pause=0)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_a_file_that_changed_in_between_is_fetched_from_its_start(
    server: Server, tmp_path: Path
) -> None:
    server.content = b"x" * len(CONTENT)
    cut_off(server, tmp_path / "data.zip")
    server.content, server.etag = CONTENT, '"two"'
    fetch(server.url, tmp_path / "data.zip")
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_without_etag_nothing_is_resumed(server: Server, tmp_path: Path) -> None:
    server.etag, server.cuts = None, [1000]
    fetch(server.url, tmp_path / "data.zip", pause=0)
    assert server.asked == [None, None]
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, [1000]
    fetch(server.url, tmp_path / "data.zip", pause=0)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_another_address_does_not_take_up_the_part(server: Server, tmp_path: Path) -> None:
    cut_off(server, tmp_path / "data.zip")
    fetch(f"{server.url}?other", tmp_path / "data.zip")
    assert server.asked == [None, None]


def test_a_refusal_is_final_and_names_address_and_status(server: Server, tmp_path: Path) -> None:
    server.statuses = [404]
    with pytest.raises(DownloadError, match=r"data\.zip: the server answers 404 Not Found"):
        fetch(server.url, tmp_path / "data.zip")
    assert len(server.asked) == 1
    assert left_behind(tmp_path) == set()


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    fetch(server.url, tmp_path / "data.zip", pause=0)
    assert len(server.asked) == 3


def test_nobody_at_the_address(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="gave up after 2 attempts"):
        fetch("http://127.0.0.1:9/data.zip", tmp_path / "data.zip", attempts=2, pause=0)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data.zip"])
def test_only_web_addresses(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="neither a file nor"):
        fetch(url, tmp_path / "x")


def test_no_room_on_the_disk(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1_000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(DownloadError, match="0 MB free"):
        fetch(server.url, tmp_path / "data.zip")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_is_no_cut_connection(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facedots.io.fetch._open_no_link", os.open)
    (tmp_path / "data.zip.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        fetch(server.url, tmp_path / "data.zip")
    assert len(server.asked) == 1


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        fetch(server.url, tmp_path / "taken" / "data.zip")


def test_file_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert (
        file_sha256(tmp_path / "x")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_planted_link_is_not_written_through(server: Server, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "data.zip.part").symlink_to(victim)
    with pytest.raises(OutputError, match=r"data\.zip\.part"):
        fetch(server.url, tmp_path / "data.zip", pause=0)
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize(
    ("drip", "reason"), [("headers", "no answer within"), ("body", "s are too slow")]
)
def test_a_server_that_drips_is_given_up(
    server: Server, tmp_path: Path, drip: str, reason: str
) -> None:
    server.drip = drip
    started = time.monotonic()
    with pytest.raises(DownloadError, match=reason):
        fetch(server.url, tmp_path / "x.zip", attempts=2, pause=0, timeout=0.5, window=0.3)
    assert time.monotonic() - started < 5
    if drip == "headers":
        with pytest.raises(DownloadError, match=reason):
            read_url(server.url, timeout=0.5)


@pytest.mark.parametrize("tells_length", [True, False])
def test_what_is_too_large_is_refused_and_not_kept(
    server: Server, tmp_path: Path, tells_length: bool
) -> None:
    server.tells_length = tells_length
    with pytest.raises(DownloadError, match="larger than 0 MB; not kept"):
        fetch(server.url, tmp_path / "data.zip", max_bytes=len(CONTENT) - 1)
    assert not list(tmp_path.glob("*.part"))
