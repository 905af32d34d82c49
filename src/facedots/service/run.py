"""The processes of a server: a parent that replaces workers, which share one socket."""

import contextlib
import logging.config
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

import cv2
from fastapi import FastAPI
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import LOGGING_CONFIG, STARTUP_FAILURE, Config

from facedots.errors import FacedotsError
from facedots.service.app import create_app
from facedots.service.connection import DrainingServer, GuardedConnection
from facedots.service.handler import RequestHandler
from facedots.service.metrics import FOLDER
from facedots.service.settings import ServiceLimits, ServiceSettings

_SPARE_SECONDS = 10
"""For a worker to end, beyond the time of a body and of its answer."""

_log = logging.getLogger("facedots.service")


def serve(settings: ServiceSettings, host: str, port: int, workers: int = 1) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then answer what is under way.

    Args:
        settings: What is served.
        host: Address to listen on.
        port: 0 for a free one, which the log names.
        workers: Processes; each has its networks, its compute thread and its queue.

    Raises:
        WeightsError: A network is unknown, or its file is missing or damaged.
        FacedotsError: The address cannot be used, or a worker cannot start.
    """
    RequestHandler(settings)
    run_workers(partial(create_app, settings), settings.limits, host, port, workers)


def run_workers(
    create: Callable[[], FastAPI], limits: ServiceLimits, host: str, port: int, workers: int = 1
) -> None:
    """Serve an application, which ``create`` makes in each worker; else as :func:`serve`."""
    logging.config.dictConfig(_logging())
    with tempfile.TemporaryDirectory() as folder, _listen(host, port) as listener:
        os.environ[FOLDER] = folder
        address, number = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        _log.info("serving at http://%s:%d", shown, number)
        _Workers(partial(_work, create, limits, listener), listener, workers).run()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FacedotsError(f"{host}:{port}: {reason}; choose --host and --port") from error
    # Connections inherit it. asyncio sets it only on sockets that name their protocol, as this one
    # does not; without it an answer waits up to 40 ms for the client's acknowledgment.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    return listener


class _Workers:
    """The worker processes; one that dies is replaced. uvicorn's own supervisor would notice later,
    and leave the socket open after the workers have closed it.
    """

    def __init__(self, work: Callable[[], None], listener: socket.socket, count: int) -> None:
        self._work, self._listener = work, listener
        self._processes: list[SpawnProcess] = []
        self._stop, self._signals = multiprocessing.Pipe(duplex=False)
        self._count = count

    def run(self) -> None:
        """Until a signal comes, or a worker cannot start."""
        numbers = [signal.SIGTERM, signal.SIGINT]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)  # else `nohup` asked to stay
        for number in numbers:
            signal.signal(number, lambda *_: self._signals.send(None))
        self._processes = [self._start() for _ in range(self._count)]
        failed = False
        while not failed and self._stop not in self._wait():
            for process in [each for each in self._processes if not each.is_alive()]:
                self._processes.remove(process)
                mark_process_dead(process.pid)  # type: ignore[no-untyped-call]
                failed = process.exitcode == STARTUP_FAILURE
                if not failed:
                    _log.warning("worker %s died (%s)", process.pid, process.exitcode)
                    self._processes.append(self._start())
        for process in self._processes:
            process.terminate()
        self._listener.close()
        for process in self._processes:
            process.join()
        if failed:
            raise FacedotsError("a worker could not start; its log is above")

    def _wait(self) -> list[Any]:
        ended: list[Connection | int] = [process.sentinel for process in self._processes]
        return wait([self._stop, *ended])

    def _start(self) -> SpawnProcess:
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=self._work)
        process.start()
        return process


def _work(create: Callable[[], FastAPI], limits: ServiceLimits, listener: socket.socket) -> None:
    """Be a worker."""
    if hasattr(signal, "SIGHUP"):  # of a closed terminal, which tells the parent too
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cv2.setNumThreads(1)
    try:
        app = create()
    except FacedotsError as error:
        _log.error("%s", error)
        sys.exit(STARTUP_FAILURE)
    config = Config(
        app,
        loop="asyncio",
        http=GuardedConnection,
        ws="websockets-sansio",
        ws_max_size=limits.max_bytes,
        ws_per_message_deflate=False,
        access_log=False,
        log_config=_logging(),
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=round(2 * limits.timeout) + _SPARE_SECONDS,
    )
    with contextlib.suppress(KeyboardInterrupt):
        DrainingServer(config).run([listener])


def _logging() -> dict[str, Any]:
    """Uvicorn's logging, and ours beside it; of uvicorn warnings only, since it tells what clients
    name.
    """
    ours = {"handlers": ["default"], "level": "INFO", "propagate": False}
    loggers = LOGGING_CONFIG["loggers"] | {"facedots.service": ours}
    loggers["uvicorn"] = loggers["uvicorn"] | {"level": "WARNING"}
    loggers["uvicorn.error"] = {"level": "WARNING"}
    return LOGGING_CONFIG | {"loggers": loggers}
