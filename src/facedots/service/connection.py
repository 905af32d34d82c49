"""Connections over time: slow clients are cut off, and a server that ends answers what is under
way.
"""

import asyncio
from typing import Any

from h11 import Request
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol

PROGRESS_SECONDS = 10.0
"""In which a client must go on with a request's head, or with taking an answer."""
DRAIN_SECONDS = 0.5
"""For which connections stay open for requests that are on their way when the server ends."""


class GuardedConnection(H11Protocol):
    """uvicorn's HTTP/1.1 connection, which by itself waits for a slow client without end.

    The time of a body, and of its answer, is limited by the application.
    """

    _timer: asyncio.TimerHandle | None = None
    _last: object = None
    _ends = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to watch."""
        self._stop()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Request) -> None:
        """Leave the connection to the WebSocket, which watches by pings."""
        self._stop()
        super().handle_websocket_upgrade(event)

    def data_received(self, data: bytes) -> None:
        """Take data; once the server ends, an answer says that it is the last one."""
        super().data_received(data)
        if self._ends:
            self._close_after_answer()

    def shutdown(self) -> None:
        """Answer what is under way, and what arrives within a moment; then close."""
        self._ends = True
        if self.cycle is not None and not self.cycle.response_complete:
            self._close_after_answer()
        else:
            self.loop.call_later(DRAIN_SECONDS, super().shutdown)

    def _close_after_answer(self) -> None:
        if self.cycle is not None:
            self.cycle.keep_alive = False
            if CLOSE_HEADER not in self.cycle.default_headers:
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
