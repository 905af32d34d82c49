"""Connections over time: slow clients are cut off, and a server that ends answers what is on its
way.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import socket
from collections.abc import Callable
from typing import Any

from h11 import IDLE, SEND_RESPONSE, Data, EndOfMessage, Request, Response
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import Server, ServerState

from facedots.service.app import ENDS
from facedots.service.problems import Problem

PROGRESS_SECONDS = 10.0
"""In which a client must go on with a request's head, or with taking an answer."""
DRAIN_SECONDS = 1.0
"""For which a server that ends still takes connections, and waits for the request of one."""
_ACCEPT_PAUSE, _RETRY_PAUSE = 0.001, 1.0
"""Seconds that a worker leaves to the others after it took connections; and to the system where it
has no more files for one.
"""
_READ_BYTES = 32_768
"""That are read at a time, before others have their turn: asyncio's 256 KiB may be 43,000 chunks,
which take a worker half a second.
"""
_PATIENCE, _MOST_ACCEPTED = 16, 64
"""Connections in a row after which a worker takes one more at a time, and the most at a time."""

_log = logging.getLogger("facedots.service")


class _State(ServerState):
    """What the connections of a server share."""

    ends = False


class GuardedConnection(H11Protocol):
    """uvicorn's HTTP/1.1 connection, which by itself waits for a slow client without end.

    The time of a body, and of its answer, is limited by the application.
    """

    server_state: _State
    _timer: asyncio.TimerHandle | None = None
    _last: object = None
    _is_late = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch."""
        super().connection_made(transport)
        transport.max_size = _READ_BYTES  # type: ignore[attr-defined]
        self._watch()
        if self.server_state.ends:
            self._is_late = True
            self.loop.call_later(DRAIN_SECONDS, super().shutdown)

    def shutdown(self) -> None:
        """Close the connection if it waits; one made while the server ends has its own moment."""
        if not self._is_late:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to watch."""
        self._stop()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Request) -> None:
        """Leave the connection to the WebSocket, which watches by pings, and takes only a GET with
        shorter headers than HTTP's; nothing comes of another request.
        """
        self._stop()
        super().handle_websocket_upgrade(event)
        socket_protocol: Any = self.transport.get_protocol()
        if not socket_protocol.handshake_initiated:
            self.send_400_response("this request cannot open a WebSocket")

    def send_400_response(self, msg: str) -> None:
        """Refuse by a problem document what is no request; say nothing where an answer is begun."""
        if self.conn.our_state in (IDLE, SEND_RESPONSE):
            answer = Problem(400, msg).response()
            headers = [*answer.raw_headers, CLOSE_HEADER]
            head = Response(status_code=400, headers=headers, reason=b"Bad Request")
            for event in (head, Data(data=bytes(answer.body)), EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Take data; once the server ends, an answer says that it is the last one."""
        super().data_received(data)
        if self.server_state.ends:
            self.close_after_answer()

    def close_after_answer(self) -> None:
        """Let an answer that is under way say that it is the last one."""
        if self.cycle is not None and CLOSE_HEADER not in self.cycle.default_headers:
            self.cycle.default_headers = [*self.cycle.default_headers, CLOSE_HEADER]

    def _watch(self) -> None:
        """Cut the connection off if nothing came of it since the last look."""
        unsent = self.transport.get_write_buffer_size()
        answering = self.cycle is not None and not self.cycle.response_complete and not unsent
        state: Any = (self.cycle, unsent)
        if state == self._last and not answering:
            self.transport.abort()
            return
        self._last = state
        self._timer = self.loop.call_later(PROGRESS_SECONDS, self._watch)

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()


class _Acceptor:
    """Takes the connections of a socket one by one, and more at a time while a flood lasts.
    asyncio's servers take all that have come, so that the first worker to wake has all the clients.
    """

    def __init__(self, listener: socket.socket, take: Callable[[socket.socket], None]) -> None:
        self._listener, self._take = listener, take
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._taken = 0
        listener.setblocking(False)
        self._wait()

    def close(self) -> None:
        """Take what the system has accepted, and nothing more."""
        if self._timer:
            self._timer.cancel()
        self._loop.remove_reader(self._listener)
        with contextlib.suppress(OSError):
            while True:
                self._take(self._listener.accept()[0])

    def _wait(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        pause = _ACCEPT_PAUSE
        try:
            for _ in range(min(1 + self._taken // _PATIENCE, _MOST_ACCEPTED)):
                self._take(self._listener.accept()[0])
                self._taken += 1
        except BlockingIOError:  # no more have come, or another worker was faster
            self._taken = 0
        except OSError as error:
            _log.warning("no connection is accepted: %s", error.strerror)
            pause = _RETRY_PAUSE
        self._loop.remove_reader(self._listener)
        self._timer = self._loop.call_later(pause, self._wait)


class DrainingServer(Server):
    """uvicorn's server, which by itself drops connections that wait or just begin when it ends."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.server_state: _State = _State()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, to end when the parent process does."""
        await super().startup([])
        parent, loop = multiprocessing.parent_process(), asyncio.get_running_loop()
        self._acceptors = [_Acceptor(listener, self._connect) for listener in sockets or []]

        def end(sentinel: int) -> None:
            loop.remove_reader(sentinel)
            self.should_exit = True

        if parent is not None:
            loop.add_reader(parent.sentinel, end, parent.sentinel)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer each connection once more for a moment, take those that wait, then end."""
        self.server_state.ends = True
        self.lifespan.state[ENDS] = True
        for connection in self.server_state.connections:
            if isinstance(connection, GuardedConnection):
                connection.close_after_answer()
        await asyncio.sleep(DRAIN_SECONDS)
        for acceptor in self._acceptors:
            acceptor.close()
        await super().shutdown(sockets)

    def _connect(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        tasks = self.server_state.tasks
        task = asyncio.get_running_loop().create_task(self._open(accepted))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _open(self, accepted: socket.socket) -> None:
        def connection() -> GuardedConnection:
            return GuardedConnection(self.config, self.server_state, self.lifespan.state)

        await asyncio.get_running_loop().connect_accepted_socket(connection, accepted)
