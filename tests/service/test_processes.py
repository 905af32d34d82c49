"""Servers as they really run: processes, sockets and signals."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

pytestmark = pytest.mark.service


@dataclass(frozen=True)
class Server:
    """A running `facedots serve`."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    @property
    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@contextmanager
def running(tmp_path: Path, *options: str) -> Iterator[Server]:
    log = tmp_path / "serve.log"
    words = [sys.executable, "-m", "facedots", "serve", "--port", "0", "--model", "tiny", *options]
    with log.open("w") as file:
        process = subprocess.Popen(words, stderr=file, text=True)
    try:
        url = ""
        while not url:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
            found = re.search(r"http://\S+", log.read_text())
            url = found[0] if found else ""
        httpx.get(f"{url}/readyz", timeout=60).raise_for_status()
        yield Server(process, url, log)
    finally:
        process.kill()
        process.wait()


def post_until_refused(url: str, image: bytes, keep_alive: bool) -> list[int | str]:
    """Statuses of requests one after the other, until no connection is accepted any more."""
    results: list[int | str] = []
    headers = {} if keep_alive else {"Connection": "close"}
    with httpx.Client(timeout=60) as client:
        while True:
            try:
                results.append(
                    client.post(f"{url}/v1/faces", content=image, headers=headers).status_code
                )
            except httpx.ConnectError:
                return results
            except httpx.HTTPError as error:
                results.append(repr(error))


@pytest.mark.parametrize("keep_alive", [True, False])
def test_sigterm_loses_no_accepted_request(
    tmp_path: Path, portrait: bytes, keep_alive: bool
) -> None:
    with running(tmp_path, "--workers", "2") as server, ThreadPoolExecutor(8) as threads:
        work = [
            threads.submit(post_until_refused, server.url, portrait, keep_alive) for _ in range(8)
        ]
        time.sleep(4)
        server.process.send_signal(signal.SIGTERM)
        results = [result for each in work for result in each.result()]
        assert server.process.wait(60) == 0
    assert len(results) > 16
    assert set(results) == {200}
    assert "Traceback" not in server.log.read_text()
