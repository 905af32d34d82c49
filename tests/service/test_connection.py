"""Connections of clients that are slow, silent or endless, and of a server that ends."""

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config

from facedots.service import connection
from facedots.service.connection import DrainingServer, GuardedConnection

Address = tuple[str, int]
ANSWER = b"x" * 30_000_000
"""More than the buffers of a connection hold."""


async def answer_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    """Without reading the body; ``/large`` with a large answer, ``/late`` a second later."""
    body = ANSWER if scope["path"] == "/large" else b"ok"
    if scope["path"] == "/late":
        await asyncio.sleep(1)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[DrainingServer, Address]]:
    monkeypatch.setattr(connection, "PROGRESS_SECONDS", 0.3)
    monkeypatch.setattr(connection, "_ACCEPT_PAUSE", 0.05)
    config = Config(
        answer_at_once,
        http=GuardedConnection,
        ws="websockets-sansio",
        loop="asyncio",
        lifespan="off",
        log_config=None,
    )
    running, listener = DrainingServer(config), socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    yield running, address
    running.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def connect(server: tuple[DrainingServer, Address]) -> socket.socket:
    return socket.create_connection(server[1], timeout=20)


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1 << 20), b""))


def seconds_until_cut_off(client: socket.socket, data: bytes) -> float:
    """How long a client can go on sending."""
    start = time.monotonic()
    try:
        while time.monotonic() - start < 20:
            client.sendall(data)
            time.sleep(0.05)
    except OSError:
        pass
    return time.monotonic() - start


def test_a_head_that_comes_byte_by_byte_is_cut_off(server: tuple[DrainingServer, Address]) -> None:
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert 0.2 < seconds_until_cut_off(client, b"x") < 10


def test_a_body_without_end_is_cut_off_after_the_answer(
    server: tuple[DrainingServer, Address],
) -> None:
    with connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b"200 OK" in client.recv(1000)
        assert 0.2 < seconds_until_cut_off(client, b"5\r\n12345\r\n") < 10


def test_a_client_that_does_not_read_its_answer_is_cut_off(
    server: tuple[DrainingServer, Address],
) -> None:
    with connect(server) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2)
        assert 0 < len(read_all(client)) < len(ANSWER)


def test_a_client_that_reads_slowly_gets_its_answer(server: tuple[DrainingServer, Address]) -> None:
    with connect(server) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        size = 0
        while size < len(ANSWER):
            part = client.recv(2 << 20, socket.MSG_WAITALL)
            size += len(part)
            time.sleep(0.1)
        assert size > len(ANSWER)


def test_a_late_answer_is_waited_for_and_the_connection_kept(
    server: tuple[DrainingServer, Address],
) -> None:
    with connect(server) as client:
        for _ in range(2):
            client.sendall(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"ok"):
                answer += client.recv(1000)
            assert answer.startswith(b"HTTP/1.1 200 OK")


def test_many_connections_that_come_together_are_taken_soon(
    server: tuple[DrainingServer, Address],
) -> None:
    start = time.monotonic()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(100)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in clients:
            assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert time.monotonic() - start < 4  # 5 s of pauses, if there was one for each


def test_others_have_their_turn_between_parts_of_what_a_client_sends(
    server: tuple[DrainingServer, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, take = list[int](), GuardedConnection.data_received

    def record(connection: GuardedConnection, data: bytes) -> None:
        sizes.append(len(data))
        take(connection, data)

    monkeypatch.setattr(GuardedConnection, "data_received", record)
    with connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n")
        client.sendall(b"x" * 500_000)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        time.sleep(0.2)
    assert max(sizes) <= 32_768


@pytest.mark.parametrize(
    ("method", "header"),
    [("POST", "Content-Length: 3"), ("GET", f"Cookie: {'x' * 9000}"), ("GET", "X: 1\r\n" * 200)],
)
def test_a_websocket_that_cannot_open_is_refused(
    server: tuple[DrainingServer, Address], method: str, header: str
) -> None:
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
    with connect(server) as client:
        client.sendall(f"{method} / HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n{header}\r\n\r\n".encode())
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"application/problem+json" in answer


def test_what_is_no_request_is_refused_once(
    server: tuple[DrainingServer, Address], caplog: pytest.LogCaptureFixture
) -> None:
    with connect(server) as client:
        client.sendall(b"\x16\x03\x01\r\n\r\n")
        head, _, body = read_all(client).partition(b"\r\n\r\n")
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == 400
    with connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        time.sleep(0.2)  # until it is answered
        client.sendall(b"no size\r\n")
        assert read_all(client).count(b"HTTP/1.1") == 1
    assert all(record.levelno < logging.ERROR for record in caplog.records)


def test_a_server_that_ends_answers_each_connection_once_more(
    server: tuple[DrainingServer, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PROGRESS_SECONDS", 10)
    with connect(server) as busy, connect(server) as idle:
        busy.sendall(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        server[0].should_exit = True
        time.sleep(0.2)
        with connect(server) as new:
            for client in (idle, new):
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            for client in (idle, new, busy):
                answer = read_all(client)
                assert answer.startswith(b"HTTP/1.1 200 OK")
                assert b"connection: close" in answer


def test_a_connection_made_at_the_end_has_its_own_moment(
    server: tuple[DrainingServer, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PROGRESS_SECONDS", 10)
    server[0].should_exit = True
    time.sleep(connection.DRAIN_SECONDS - 0.2)
    with connect(server) as client:
        time.sleep(connection.DRAIN_SECONDS - 0.4)  # the server has taken its last connection
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 200")
