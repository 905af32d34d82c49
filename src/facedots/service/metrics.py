"""What the service counts, for Prometheus.

Where ``PROMETHEUS_MULTIPROC_DIR`` names a folder, every worker counts into files of its own there,
and each of them answers ``/metrics`` with the sums.
"""

import logging
import os
from time import perf_counter

from prometheus_client import REGISTRY as OWN_REGISTRY
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

REQUESTS = Counter("facedots_requests", "Requests by route and status.", ["route", "status"])
SECONDS = Histogram("facedots_request_seconds", "From a request's head to its answer.", ["route"])
COMPUTE_SECONDS = Histogram("facedots_compute_seconds", "A job of the compute thread.")
JOBS = Gauge("facedots_jobs", "Jobs computed or waiting.", multiprocess_mode="livesum")
STREAMS = Gauge("facedots_streams", "Open WebSocket streams.", multiprocess_mode="livesum")
IMAGES = Counter("facedots_images", "Images in which faces were looked for.")
FACES = Counter("facedots_faces", "Faces found.")

_log = logging.getLogger("facedots.service")


def metrics_response() -> Response:
    """The counts of all workers in Prometheus' text format."""
    registry = OWN_REGISTRY
    if FOLDER in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class CountRequests:
    """Middleware that counts and logs requests by their route, never by what clients name."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, start = 500, perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            seconds = perf_counter() - start
            route = getattr(scope.get("route"), "path", "") or "other"
            REQUESTS.labels(route, status).inc()
            SECONDS.labels(route).observe(seconds)
            if route.startswith("/v1/"):
                _log.info("%s %d in %.0f ms", route, status, 1000 * seconds)
