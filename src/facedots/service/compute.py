"""The one thread of a worker that computes, with a bounded queue before it."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from time import monotonic
from typing import TypeVar

from facedots.service.metrics import COMPUTE_SECONDS, JOBS
from facedots.service.problems import Problem

T = TypeVar("T")
_MEMORY = 0.9
"""Share of the past in the running mean of a job's seconds."""


class ComputeThread:
    """Runs jobs one after the other in a thread of its own, while the event loop goes on.

    Args:
        places: Jobs that run or wait at most.
        seconds: After which a job is given up by who waits for it.

    Example:
        >>> async def double() -> int:
        ...     return await ComputeThread(places=2, seconds=1).run(lambda: 2 * 21)
        >>> asyncio.run(double())
        42
    """

    def __init__(self, places: int, seconds: float) -> None:
        self._places, self._seconds = places, seconds
        self._thread = ThreadPoolExecutor(1, "compute")
        self._jobs = 0
        self._job_seconds = 0.1

    def check(self) -> None:
        """Raise :class:`Problem` with status 503 where no place is free."""
        if self._jobs >= self._places:
            detail = f"{self._jobs} requests are being computed or wait; try again later"
            raise self._busy(detail, ("queue", self._places))

    async def run(self, job: Callable[[], T]) -> T:
        """The result of a job.

        Raises:
            Problem: No place is free, or the result is not there in time (both 503).
        """
        self.check()
        self._jobs += 1
        JOBS.inc()
        future = self._thread.submit(self._measured, job)
        loop = asyncio.get_running_loop()
        future.add_done_callback(partial(self._leave, loop))
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            detail = f"no answer within {self._seconds:g} seconds"
            raise self._busy(detail, ("timeout", self._seconds)) from None

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """At the end of an application, drop the jobs that wait; one that runs ends by itself."""
        yield
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _measured(self, job: Callable[[], T]) -> T:
        start = monotonic()
        try:
            return job()
        finally:
            seconds = monotonic() - start
            COMPUTE_SECONDS.observe(seconds)
            self._job_seconds = _MEMORY * self._job_seconds + (1 - _MEMORY) * seconds

    def _leave(self, loop: asyncio.AbstractEventLoop, _: Future[T]) -> None:
        with suppress(RuntimeError):  # the loop was closed before the job ended
            loop.call_soon_threadsafe(self._free_place)

    def _free_place(self) -> None:
        self._jobs -= 1
        JOBS.dec()

    def _busy(self, detail: str, limit: tuple[str, float]) -> Problem:
        wait = max(1, math.ceil(self._jobs * self._job_seconds))
        return Problem(503, detail, limit=limit, retry_after=wait)
