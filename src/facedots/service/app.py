"""The web application: its routes, and what they share."""

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic

from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse, Response

from facedots.io.text import count_noun
from facedots.service.access import BearerToken, check_origin
from facedots.service.compute import ComputeThread
from facedots.service.handler import RequestHandler
from facedots.service.limits import BodyReader
from facedots.service.metrics import CountRequests, metrics_response
from facedots.service.openapi import answers, describe, finds_faces
from facedots.service.problems import Problem, answer_with_problems
from facedots.service.requests import BatchOptions, FaceOptions, parse_options
from facedots.service.settings import ServiceSettings
from facedots.service.stream import Streams
from facedots.web_page import is_built, page_file

NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's reports about its use."""

ENDS = "ends"
"""The name in the state of a server under which it tells that it ends."""
_NO_STORE = {"Cache-Control": "no-store"}


def create_app(settings: ServiceSettings) -> FastAPI:
    """The application of one worker, with its networks and one thread that computes.

    Raises:
        WeightsError: A network is unknown, or its file is missing or damaged.

    Example:
        >>> create_app(ServiceSettings()).title
        'facedots'
    """
    service = _Service(settings)
    app: FastAPI = FastAPIOffline(
        title="facedots",
        version="1",
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},  # else the page asks swagger.io
        lifespan=service.compute.lifespan,
        telemetry=NO_TELEMETRY,
    )
    app.openapi = partial(describe, app)  # type: ignore[method-assign]
    answer_with_problems(app)
    guarded = APIRouter(dependencies=[Depends(BearerToken(settings.token))])
    guarded.add_api_route(
        "/v1/faces",
        service.faces,
        methods=["POST"],
        responses=answers(),
        openapi_extra=finds_faces(FaceOptions),
    )
    guarded.add_api_route(
        "/v1/faces:batch",
        service.batch,
        methods=["POST"],
        responses=answers({"problems": []}),
        openapi_extra=finds_faces(BatchOptions, several=True),
    )
    guarded.add_api_websocket_route("/v1/stream", service.stream)
    guarded.add_api_route("/v1/models", service.models, methods=["GET"])
    guarded.add_api_route("/metrics", service.metrics, methods=["GET"])
    app.include_router(guarded)
    app.add_api_route("/healthz", service.health, methods=["GET"])
    app.add_api_route("/readyz", service.ready, methods=["GET"])
    for path in ("/", "/{name}", "/assets/{name}"):
        app.add_route(path, _web_page)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
    )
    app.add_middleware(CountRequests)
    return app


def _web_page(request: Request) -> Response:
    """A file of the browser page; without one, ``/docs`` is the front page."""
    path = request.url.path
    if path == "/" and not is_built():
        return RedirectResponse("/docs")
    file = page_file(path, request.headers.get("Accept-Encoding", ""))
    if file is None:
        raise Problem(404, "there is no such address")
    return Response(file.body, headers=file.headers)


async def _gone(request: Request) -> None:
    """Return once the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Service:
    """What the routes of one worker share."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self.compute = ComputeThread(settings.limits.queue, settings.limits.timeout)
        self._bodies = BodyReader(settings.limits)
        self._streams = Streams(settings.limits)
        self._handler = RequestHandler(settings)

    async def faces(self, request: Request) -> Response:
        """Find the faces of one image."""
        self.compute.check()
        async with self._bodies.read(request) as form:
            options = parse_options(FaceOptions, form.options)
            return await self._answer(request, partial(self._handler.answer, form, options))

    async def batch(self, request: Request) -> Response:
        """Find the faces of several images. One that cannot be read does not stop the others."""
        self.compute.check()
        limits = self._settings.limits
        async with self._bodies.read(request, limits.max_images) as form:
            options = parse_options(BatchOptions, form.options)
            if options.boxes is not None and len(options.boxes) != len(form.uploads):
                lists = count_noun(len(options.boxes), "list")
                images = count_noun(len(form.uploads), "image")
                raise Problem(422, f"boxes: {lists} for {images}")
            until = monotonic() + limits.timeout
            return await self._answer(
                request, partial(self._handler.answer_batch, form, options, until)
            )

    async def stream(self, websocket: WebSocket) -> None:
        """Follow faces through the frames of a video."""
        check_origin(websocket, self._settings.origins)
        await self._streams.serve(websocket, self._handler, self.compute)

    async def models(self) -> Response:
        """List the networks and detectors that a request may name."""
        return JSONResponse(self._handler.description)

    async def metrics(self) -> Response:
        """Counts and times of all workers, for Prometheus."""
        return metrics_response()

    async def health(self) -> Response:
        """Whether the worker runs."""
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Whether new requests should be sent: not any more once the server ends."""
        if getattr(request.state, ENDS, False):
            raise Problem(503, "the server ends")
        return JSONResponse({"status": "ready"})

    async def _answer(self, request: Request, job: Callable[[], str]) -> Response:
        """The result of a job, which is not begun once its client is gone."""
        answer = asyncio.ensure_future(self.compute.run(job))
        gone = asyncio.ensure_future(_gone(request))
        await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not answer.done():
            answer.cancel()
            raise ClientDisconnect
        return Response(answer.result(), headers=_NO_STORE, media_type="application/json")
