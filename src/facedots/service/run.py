"""The processes of a server: a parent that restarts its workers, which share one socket."""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
from functools import partial
from typing import Any

import cv2
from fastapi import FastAPI
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import LOGGING_CONFIG, STARTUP_FAILURE, Config
from uvicorn.supervisors import Multiprocess

from facedots.errors import FacedotsError
from facedots.service.app import create_app
from facedots.service.connection import GuardedConnection
from facedots.service.finding import Finder
from facedots.service.metrics import FOLDER
from facedots.service.settings import ServiceSettings

_MORE_SECONDS = 5
"""For a worker to end, beyond the time of a body and of its answer."""
_SILENT_SECONDS = 30
"""After which a worker that does not react is replaced."""


def serve(settings: ServiceSettings, host: str, port: int, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way. SIGHUP replaces the workers.

    Args:
        settings: What is served.
        host: Address to listen on.
        port: 0 for a free one, which the log names.
        workers: Processes; each has its networks, its compute thread and its queue.

    Raises:
        WeightsError: A network is unknown, or its file is missing or damaged.
        FacedotsError: The address cannot be used, or a worker cannot start.
    """
    Finder(settings)
    with _listen(host, port) as listener, tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER] = folder
        config = Config(
            partial(_worker_app, settings),
            factory=True,
            workers=workers,
            loop="asyncio",
            http=GuardedConnection,
            ws="websockets-sansio",
            ws_max_size=settings.limits.max_bytes,
            ws_per_message_deflate=False,
            access_log=False,
            log_config=_logging(),
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=round(2 * settings.limits.timeout) + _MORE_SECONDS,
            timeout_worker_healthcheck=_SILENT_SECONDS,
        )
        address = listener.getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        logging.getLogger("facedots.service").info("serving at http://%s:%d", shown, address[1])
        supervisor = _Supervisor(config, [listener])
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            raise FacedotsError("a worker could not start; its log is above")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FacedotsError(f"{host}:{port}: {reason}; choose --host and --port") from error


def _worker_app(settings: ServiceSettings) -> FastAPI:
    """The application of a worker, which ends with its parent and computes in one thread."""
    cv2.setNumThreads(1)
    parent, loop = multiprocessing.parent_process(), asyncio.get_running_loop()

    def end(sentinel: int) -> None:
        loop.remove_reader(sentinel)
        signal.raise_signal(signal.SIGTERM)

    if parent is not None:
        loop.add_reader(parent.sentinel, end, parent.sentinel)
    return create_app(settings)


def _logging() -> dict[str, Any]:
    """Uvicorn's logging, and ours beside it; of uvicorn warnings only, since it tells what clients
    name.
    """
    ours = {"handlers": ["default"], "level": "INFO", "propagate": False}
    loggers = LOGGING_CONFIG["loggers"] | {"facedots.service": ours}
    loggers["uvicorn"] = loggers["uvicorn"] | {"level": "WARNING"}
    loggers["uvicorn.error"] = {"level": "WARNING"}
    return LOGGING_CONFIG | {"loggers": loggers}


class _Supervisor(Multiprocess):
    """uvicorn's, which also forgets what a dead worker last counted, and refuses connections as
    soon as the server ends.
    """

    def keep_subprocess_alive(self) -> None:
        """Replace workers that died."""
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]

    def terminate_all(self) -> None:
        """Let the workers end, which accept what they still can."""
        super().terminate_all()
        for listener in self.sockets:
            listener.close()
