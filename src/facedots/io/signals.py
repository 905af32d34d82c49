"""Signals that end a command, and what they wait for."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_OTHERS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The signals beside Ctrl-C's that ask a command to end; Windows has not all of them."""


class Stopped(KeyboardInterrupt):
    """Another signal than Ctrl-C asked the command to end.

    Attributes:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, so that what is done is kept."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    is_main = threading.current_thread() is threading.main_thread()
    numbers = [n for n in _OTHERS if is_main and signal.getsignal(n) == signal.SIG_DFL]
    try:
        for number in numbers:
            signal.signal(number, stop)
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def exit_status(error: KeyboardInterrupt) -> int:
    """128 and the number of the signal, as shells have it: 130 for Ctrl-C."""
    return 128 + (error.number if isinstance(error, Stopped) else signal.SIGINT)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """In this block, signals that end the command wait for its end, so that what it writes is
    everywhere or nowhere. A second one does not wait: a pipe that nobody reads is stuck.
    """
    waiting, handlers = list[int](), dict[int, Callable[[int, FrameType | None], object]]()

    def hold(number: int, _: FrameType | None) -> None:
        waiting.append(number)
        signal.signal(number, handlers[number])

    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *_OTHERS):
                if callable(handler := signal.getsignal(number)):
                    handlers[number] = handler
                    signal.signal(number, hold)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for number in waiting:
        signal.raise_signal(number)
