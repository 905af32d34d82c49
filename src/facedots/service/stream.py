"""Frames of a video in, tracked faces out, over a WebSocket."""

import asyncio
from functools import partial
from time import monotonic

from starlette.websockets import WebSocket, WebSocketDisconnect

from facedots.io.text import json_line
from facedots.service.access import SUBPROTOCOL
from facedots.service.compute import ComputeThread
from facedots.service.handler import RequestHandler
from facedots.service.metrics import STREAMS
from facedots.service.problems import Problem
from facedots.service.requests import FindOptions, parse_options
from facedots.service.settings import ServiceLimits

_UNSUPPORTED, _POLICY = 1003, 1008
"""Codes by which a WebSocket is closed."""


class Streams:
    """The open streams of a worker.

    A client sends images as binary messages and gets, for each and in their order, an image of the
    results document with ``frame``, ``time`` and, in each face, ``track_id``; or a problem
    document. The next frame is read once the one before is answered.
    """

    def __init__(self, limits: ServiceLimits) -> None:
        self._limits, self._open = limits, 0

    async def serve(
        self, websocket: WebSocket, handler: RequestHandler, compute: ComputeThread
    ) -> None:
        """Answer a client until it goes, or sends nothing for the time of the limits.

        Raises:
            Problem: Before the WebSocket opens: of the options (422), or too many are open (503).
        """
        options = parse_options(FindOptions, websocket.query_params.multi_items())
        most = self._limits.max_streams
        if self._open >= most:
            detail = f"{most} streams are open; try again later"
            raise Problem(503, detail, limit=("max-streams", most), retry_after=10)
        self._open += 1
        STREAMS.inc()
        try:
            tracker = await compute.run(partial(handler.tracker, options))
            offered = SUBPROTOCOL in websocket.scope["subprotocols"]
            await websocket.accept(SUBPROTOCOL if offered else None)
            start, number = monotonic(), 0
            while (data := await self._frame(websocket)) is not None:
                time = monotonic() - start
                job = partial(handler.answer_frame, tracker, data, number, time, options)
                try:
                    text = await compute.run(job)
                except Problem as problem:
                    text = json_line({"frame": number, **problem.document})
                await websocket.send_text(text)
                number += 1
        except WebSocketDisconnect:
            pass
        finally:
            self._open -= 1
            STREAMS.dec()

    async def _frame(self, websocket: WebSocket) -> bytes | None:
        """The next frame, or nothing after the stream was closed."""
        try:
            async with asyncio.timeout(self._limits.timeout):
                message = await websocket.receive()
        except TimeoutError:
            await websocket.close(_POLICY, f"no frame for {self._limits.timeout:g} seconds")
            return None
        if message["type"] == "websocket.disconnect":
            return None
        if message.get("bytes") is None:
            await websocket.close(_UNSUPPORTED, "send images as binary messages")
            return None
        return bytes(message["bytes"])
