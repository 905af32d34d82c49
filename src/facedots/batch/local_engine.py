"""Parts in processes of this machine, without a further library."""

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection, wait
from typing import cast

from facedots.batch.sources import Part
from facedots.batch.work import Attempts, Job, PartStats, PartWorker
from facedots.errors import FacedotsError, describe_unexpected

NumberedPart = tuple[int, Part]

_MAX_FAILED_STARTS = 3


def run_local(
    job: Job, parts: Sequence[NumberedPart], workers: int
) -> Generator[tuple[int, PartStats], None, None]:
    """Work on parts in processes; where one is killed, another begins its part anew.

    Args:
        job: What to do.
        parts: The parts with their numbers.
        workers: Number of processes.

    Yields:
        The number and the counts of each part once its file is there.

    Raises:
        FacedotsError: A file cannot be written, or processes do not start.
    """
    todo, crew = deque(parts), list[_Process]()
    failed_starts = 0
    try:
        while todo or any(process.part for process in crew):
            idle = sum(process.part is None for process in crew)
            while len(crew) < workers and idle < len(todo):
                crew.append(_Process(job))
                idle += 1
            for process in wait_for_any(crew):
                try:
                    answer = process.receive()
                except (EOFError, OSError):
                    crew.remove(process)
                    failed_starts += not process.is_ready
                    if failed_starts >= _MAX_FAILED_STARTS:
                        raise FacedotsError(process.describe_end()) from None
                    todo.extendleft([process.part] if process.part else [])
                    process.kill()
                    continue
                failed_starts = 0
                if process.part and isinstance(answer, PartStats):
                    yield process.part[0], answer
                process.part = None
                if todo:
                    process.send(todo.popleft())
    finally:
        for process in crew:
            process.kill()
            if process.part:
                Attempts(job.attempts_file(process.part[0])).forget()


class _Process:
    """A process with a pipe to it, whose end it notices by the end of the pipe."""

    def __init__(self, job: Job) -> None:
        self.part: NumberedPart | None = None
        self.is_ready = False
        context = multiprocessing.get_context("spawn")
        self.pipe, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(end, job), daemon=True)
        self._process.start()
        end.close()

    def send(self, part: NumberedPart) -> None:
        """Give it the next part."""
        self.part = part
        with contextlib.suppress(OSError):  # it has ended, which receive() will tell
            self.pipe.send(part)

    def receive(self) -> PartStats | None:
        """What it has done; None once it has loaded the networks.

        Raises:
            FacedotsError: It cannot work on.
            EOFError, OSError: It was killed.
        """
        answer = self.pipe.recv()
        if isinstance(answer, str):
            raise FacedotsError(answer)
        self.is_ready = True
        return cast("PartStats | None", answer)

    def describe_end(self) -> str:
        """Say that it did not even start."""
        self._process.join(10)
        fix = "give it more memory, or fewer --workers"
        return f"processes end while they load the networks ({self._process.exitcode}); {fix}"

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def wait_for_any(crew: Sequence[_Process]) -> list[_Process]:
    """The processes that have something to tell, or have ended."""
    ready = wait([process.pipe for process in crew])
    return [process for process in crew if process.pipe in ready]


def _serve(pipe: "Connection", job: Job) -> None:
    """Work on the parts that come through a pipe until it ends, as it does with the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the driver acts
    try:
        worker = PartWorker(job)
        pipe.send(None)
        while True:
            pipe.send(worker(*pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:
        ours = isinstance(error, FacedotsError)
        pipe.send(str(error) if ours else describe_unexpected(error))
