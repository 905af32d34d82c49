"""Servers as they really run: processes, sockets and signals."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import httpx
import numpy as np
import psutil
import pytest

pytestmark = pytest.mark.service


@dataclass(frozen=True)
class Server:
    """A running ``facedots serve``."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    @property
    def workers(self) -> set[int]:
        """The processes that answer."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return {pid for pid in map(int, listed.split()) if "spawn_main" in command_line(pid)}


def command_line(pid: int) -> str:
    file = Path(f"/proc/{pid}/cmdline")
    return file.read_text() if file.exists() else ""


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Server]:
    log = folder / "serve.log"
    words = [sys.executable, "-m", "facedots", "serve", "--port", "0", "--model", "tiny", *options]
    with log.open("w") as file:
        process = subprocess.Popen(words, stderr=file)
    try:
        eventually(lambda: "http://" in log.read_text())
        found = re.search(r"http://\S+", log.read_text())
        assert found
        httpx.get(f"{found[0]}/readyz", timeout=60).raise_for_status()
        yield Server(process, found[0], log)
    finally:
        process.kill()
        process.wait()


def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def post(server: Server, image: bytes, **options: str) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/faces", content=image, params=options, timeout=120)


@pytest.fixture(scope="module")
def slow_image() -> bytes:
    """An image that takes a thorough search at any angle some seconds."""
    return cv2.imencode(".png", np.full((2000, 2000, 3), 127, np.uint8))[1].tobytes()


SLOWLY = {"search": "thorough", "any_angle": "true"}


def post_until_refused(server: Server, image: bytes, keep_alive: bool) -> list[int | str]:
    """Statuses of requests one after the other, until no connection is accepted any more."""
    results: list[int | str] = []
    headers = {} if keep_alive else {"Connection": "close"}
    with httpx.Client(timeout=60) as client:
        while True:
            try:
                answer = client.post(f"{server.url}/v1/faces", content=image, headers=headers)
                results.append(answer.status_code)
            except httpx.ConnectError:
                return results
            except httpx.HTTPError as error:
                results.append(repr(error))


@pytest.mark.parametrize("keep_alive", [True, False])
def test_sigterm_loses_no_accepted_request(
    tmp_path: Path, portrait: bytes, keep_alive: bool
) -> None:
    with running(tmp_path, "--workers", "2") as server, ThreadPoolExecutor(8) as threads:
        work = [threads.submit(post_until_refused, server, portrait, keep_alive) for _ in range(8)]
        time.sleep(3)
        server.process.send_signal(signal.SIGTERM)
        results = [result for each in work for result in each.result()]
        assert server.process.wait(60) == 0
    assert set(results) == {200}
    assert "Traceback" not in server.log.read_text()


def test_a_closed_terminal_loses_no_accepted_request(
    tmp_path: Path, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    with running(tmp_path) as server, ThreadPoolExecutor(2) as threads:
        assert list((tmp_path / "temporary").iterdir())
        work = [threads.submit(post_until_refused, server, portrait, True) for _ in range(2)]
        time.sleep(1)
        for pid in (*server.workers, server.process.pid):
            os.kill(pid, signal.SIGHUP)
        results = [result for each in work for result in each.result()]
        assert server.process.wait(60) == 0
    assert set(results) == {200}
    assert not list((tmp_path / "temporary").iterdir())


def test_sigkill_of_a_worker_costs_only_its_own_requests(
    tmp_path: Path, portrait: bytes, slow_image: bytes
) -> None:
    options = ["--workers", "2", "--timeout", "120"]
    with running(tmp_path, *options) as server, ThreadPoolExecutor(8) as threads:
        eventually(lambda: len(server.workers) == 2)
        before = server.workers
        slow = [threads.submit(post, server, slow_image, **SLOWLY) for _ in range(6)]
        time.sleep(1)
        killed = min(before)
        subprocess.run(["kill", "-KILL", str(killed)], check=True)
        failures = [each.exception() for each in slow]
        answers = [each.result().status_code for each in slow if not each.exception()]
        assert answers == [200] * len(answers)
        assert {type(error) for error in failures if error} <= {
            httpx.RemoteProtocolError,
            httpx.ReadError,
            httpx.WriteError,
        }
        eventually(lambda: len(server.workers) == 2)
        assert killed not in server.workers
        assert before - {killed} < server.workers
        assert post(server, portrait).status_code == 200
        assert "facedots_jobs 0.0" in httpx.get(f"{server.url}/metrics").text


def test_a_full_queue_answers_at_once_and_health_goes_on(
    tmp_path: Path, portrait: bytes, slow_image: bytes
) -> None:
    with running(tmp_path, "--queue", "2") as server, ThreadPoolExecutor(2) as threads:
        slow = [threads.submit(post, server, slow_image, **SLOWLY) for _ in range(2)]
        time.sleep(1)
        seconds, statuses = list[float](), Counter[int]()
        with httpx.Client() as client:
            for path in ["/v1/faces", "/healthz"] * 20:
                start = time.perf_counter()
                if path == "/healthz":
                    answer = client.get(server.url + path)
                else:
                    answer = client.post(server.url + path, content=portrait)
                statuses[answer.status_code] += 1
                if answer.status_code == 503:
                    seconds.append(time.perf_counter() - start)
                    assert int(answer.headers["Retry-After"]) >= 1
                    assert answer.json()["limit"] == {"name": "queue", "value": 2}
        assert not any(each.done() for each in slow)
        assert statuses == {200: 20, 503: 20}
        assert min(seconds) < 0.05  # of 20; on a busy machine most wait for a processor
        assert [each.result().status_code for each in slow] == [200, 200]


def test_metrics_are_sums_over_the_workers(tmp_path: Path, portrait: bytes) -> None:
    with running(tmp_path, "--workers", "2") as server:
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: post(server, portrait), range(12)))
        assert {answer.status_code for answer in answers} == {200}
        for _ in range(4):  # whichever worker answers
            text = httpx.get(f"{server.url}/metrics").text
            assert 'facedots_requests_total{route="/v1/faces",status="200"} 12.0' in text
            assert "facedots_faces_total 12.0" in text


def test_slow_bodies_get_a_408_and_slow_heads_are_cut_off(tmp_path: Path) -> None:
    with running(tmp_path, "--timeout", "1") as server:
        with socket.create_connection(server.address, timeout=30) as slow:
            slow.sendall(b"POST /v1/faces HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
            answer = b"".join(iter(lambda: slow.recv(4096), b""))
            assert b" 408 " in answer
            assert b'"name": "timeout"' in answer
        with socket.create_connection(server.address, timeout=30) as slow:
            eventually(lambda: is_cut_off(slow), seconds=30)


def is_cut_off(connection: socket.socket) -> bool:
    """Whether a connection takes no further byte of a request's head."""
    try:
        connection.sendall(b"X")
    except OSError:
        return True
    return False


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "2") as server:
        eventually(lambda: len(server.workers) == 2)
        workers = server.workers
        server.process.kill()
        eventually(lambda: not any(map(command_line, workers)))
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(server.address)


def test_what_clients_name_is_not_in_the_log(tmp_path: Path, portrait: bytes) -> None:
    with running(tmp_path) as server:
        files = {"image": ("secret-name.jpg", portrait)}
        httpx.post(f"{server.url}/v1/faces?source=secret-name", files=files, timeout=60)
        httpx.get(f"{server.url}/secret-name", timeout=60)
        post(server, b"secret-name")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0
        log = server.log.read_text()
    assert "/v1/faces 200" in log
    assert "secret-name" not in log


def test_clients_that_come_together_are_spread_over_the_workers(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "2") as server:
        eventually(lambda: len(server.workers) == 2)
        time.sleep(2)  # until both accept
        with ExitStack() as stack:
            made = (socket.create_connection(server.address) for _ in range(32))
            clients = [stack.enter_context(client) for client in made]
            for client in clients:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            for client in clients:
                assert client.recv(1000).startswith(b"HTTP/1.1 200")
            taken = [len(psutil.Process(pid).net_connections("tcp")) for pid in server.workers]
    assert min(taken) > 4


def test_answers_do_not_wait_for_acknowledgments(tmp_path: Path) -> None:
    with running(tmp_path) as server, httpx.Client() as client:
        seconds = [client.get(f"{server.url}/healthz").elapsed.total_seconds() for _ in range(30)]
    assert min(seconds[10:]) < 0.03  # 0.04 with Nagle's algorithm
