"""Label Studio's protocol for ML backends over HTTP."""

import base64
import binascii
import hmac
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.responses import JSONResponse, Response

from facedots.errors import DataError
from facedots.labeling.ml_backend import LabelStudioBackend
from facedots.labeling.task_images import TaskImages
from facedots.pipeline_options import PipelineOptions
from facedots.service.app import NO_TELEMETRY
from facedots.service.compute import ComputeThread
from facedots.service.limits import BodyReader
from facedots.service.problems import Problem, answer_with_problems
from facedots.service.settings import ServiceLimits

T = TypeVar("T")
_log = logging.getLogger("facedots.service")

LIMITS = ServiceLimits(timeout=60.0)
"""``timeout`` is for one task, whose image may have to be fetched."""


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """What a backend for Label Studio is started with.

    Attributes:
        networks: The network and the detector, and how they are used.
        images: Label Studio's document root for local files, where it can be read here.
        url: The address of Label Studio, if images are to be fetched from it.
        token: A token of one of its users, for that.
        password: What Label Studio must send with Basic Auth, whatever the user; empty: nothing.
        limits: Of bytes, pixels, waiting requests and seconds.

    Example:
        >>> LabelSettings(images=Path("photos"), password="secret")
        LabelSettings(networks=..., images=PosixPath('photos'), url='', limits=...)
    """

    networks: PipelineOptions = field(default_factory=PipelineOptions)
    images: Path | None = None
    url: str = ""
    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    limits: ServiceLimits = LIMITS

    def open(self) -> LabelStudioBackend:
        """Open the networks.

        Raises:
            WeightsError: A network is unknown, or its file is missing or damaged.
        """
        images = TaskImages(self.images, self.url, self.token, self.limits.max_pixels)
        return LabelStudioBackend(self.networks.load(), images, self.networks.model)


def create_label_app(settings: LabelSettings) -> FastAPI:
    """The application of one worker: ``/health``, ``/setup``, ``/validate``, ``/versions``,
    ``/predict`` and ``/webhook``.

    Raises:
        WeightsError: A network is unknown, or its file is missing or damaged.

    Example:
        >>> create_label_app(LabelSettings()).title
        'facedots for Label Studio'
    """
    service = _LabelService(settings)
    app = FastAPI(
        title="facedots for Label Studio",
        lifespan=service.compute.lifespan,
        openapi_url=None,
        telemetry=NO_TELEMETRY,
    )
    answer_with_problems(app)
    guarded = APIRouter(dependencies=[Depends(partial(_check_password, settings.password))])
    guarded.add_api_route("/health", service.health, methods=["GET"])
    guarded.add_api_route("/versions", service.versions, methods=["GET"])
    guarded.add_api_route("/setup", service.setup, methods=["POST"])
    guarded.add_api_route("/validate", service.validate, methods=["POST"])
    guarded.add_api_route("/predict", service.predict, methods=["POST"])
    app.include_router(guarded)
    app.add_api_route("/webhook", service.webhook, methods=["POST"])
    return app


def _check_password(password: str, request: Request) -> None:
    """Let a request pass if Basic Auth brings the password; an empty one lets everybody pass."""
    kind, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        sent = base64.b64decode(encoded, validate=True).partition(b":")[2]
    except binascii.Error:
        sent = b""
    same = kind.lower() == "basic" and hmac.compare_digest(sent, password.encode())
    if password and not same:
        headers = {"WWW-Authenticate": 'Basic realm="facedots"'}
        raise Problem(401, "send the backend's password with Basic Auth", headers=headers)


class _LabelService:
    """What the routes share."""

    def __init__(self, settings: LabelSettings) -> None:
        self.compute = ComputeThread(settings.limits.queue, settings.limits.timeout)
        self._bodies = BodyReader(settings.limits)
        self._backend = settings.open()

    async def health(self) -> Response:
        """Whether the backend runs."""
        return JSONResponse({"status": "UP", "model_class": "facedots"})

    async def versions(self) -> Response:
        """The one version of the network."""
        return JSONResponse({"versions": [self._backend.version]})

    async def setup(self, request: Request) -> Response:
        """Whether a project's labels fit the network."""
        return JSONResponse(_answer(self._backend.setup, await self._read(request)))

    async def validate(self, request: Request) -> Response:
        """The same for labels that are about to be saved."""
        return JSONResponse(_answer(self._backend.validate, await self._read(request)))

    async def predict(self, request: Request) -> Response:
        """Predictions of tasks. Between two of them another request may have its turn."""
        self.compute.check()
        predictions = _answer(self._backend.predictions, await self._read(request))
        results = []
        while (result := await self.compute.run(partial(next, predictions, None))) is not None:
            results.append(result)
        return JSONResponse({"results": results, "model_version": self._backend.version})

    async def webhook(self) -> Response:
        """Label Studio tells of everything that happens in a project; nothing is done about it."""
        return JSONResponse({})

    async def _read(self, request: Request) -> Mapping[str, Any]:
        async with self._bodies.read(request) as form:
            try:
                content = json.loads(form.uploads[0].data)
            except (ValueError, RecursionError) as error:
                raise Problem(400, "the body is not JSON") from error
        if not isinstance(content, dict):
            raise Problem(400, "the body is no JSON object")
        return content


def _answer(function: Callable[[Mapping[str, Any]], T], content: Mapping[str, Any]) -> T:
    """What the backend answers. Label Studio shows no more of an error than its number, so that
    its text goes to the log as well.
    """
    try:
        return function(content)
    except DataError as error:
        _log.warning("%s", error)
        raise Problem(422, str(error)) from error
