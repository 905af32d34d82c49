"""The processes of one training: as ``torchrun`` starts them, on one machine or on many."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch

from facedots.errors import RecipeError, TrainingError

T = TypeVar("T")

TIMEOUT = timedelta(minutes=15)
"""A process that has not answered the others for so long is given up. One that ended is missed at
once.
"""


@dataclass(frozen=True)
class Processes:
    """How many processes work together, and which one this is.

    Attributes:
        count: Of all machines.
        rank: This one, from 0.
        local_count: Those of this machine.

    Example:
        >>> Processes.from_environment()
        Processes(count=1, rank=0, local_count=1)
    """

    count: int = 1
    rank: int = 0
    local_count: int = 1

    @classmethod
    def from_environment(cls) -> "Processes":
        """What ``torchrun`` told this process; one process without it."""
        if not torch.distributed.is_torchelastic_launched():
            return cls()
        names = ("WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE")
        return cls(*(int(os.environ[name]) for name in names))

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes files and messages."""
        return self.rank == 0

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Connect the processes until the block ends: gloo between CPUs, NCCL between GPUs."""
        if self.count == 1:
            yield
            return
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(backend, timeout=TIMEOUT)
        try:
            yield
        finally:
            torch.distributed.destroy_process_group()

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in the order of their ranks."""
        if self.count == 1:
            return [value]
        values = [None] * self.count
        torch.distributed.all_gather_object(values, value)
        return values

    def in_turn(self, prepare: Callable[[], T]) -> T:
        """What ``prepare`` returns: called in the first process, then in all others.

        Raises:
            TrainingError: It failed in another process; its own error is raised there.
        """
        result: list[T] = []
        for is_turn in (self.is_first, not self.is_first):
            fault: Exception | None = None
            if is_turn:
                try:
                    result.append(prepare())
                except Exception as error:  # told to the others, which would wait
                    fault = error
            message = f"process {self.rank} on {socket.gethostname()}: {fault}" if fault else ""
            faults = [text for text in self.gather(message) if text]
            if fault:
                raise fault
            if faults:
                raise TrainingError(faults[0])
        return result[0]

    def check_same(self, digest: str, what: str) -> None:
        """Refuse to go on where processes have different ``digest`` of ``what``.

        Raises:
            TrainingError: They do; the message names them.
        """
        digests = self.gather((digest, socket.gethostname()))
        others = [
            f"process {rank} on {host}"
            for rank, (found, host) in enumerate(digests)
            if found != digests[0][0]
        ]
        if others:
            raise TrainingError(
                f"{', '.join(others)} read other {what} than process 0 on {digests[0][1]}; give "
                "all machines the same files"
            )

    def share_of(self, batch_size: int) -> int:
        """A process's part of a batch.

        Raises:
            RecipeError: The batch cannot be divided.
        """
        if batch_size % self.count == 0:
            return batch_size // self.count
        less = batch_size // self.count * self.count
        sizes = " or ".join(str(size) for size in (less, less + self.count) if size)
        raise RecipeError(
            f"batch_size {batch_size} cannot be divided among {self.count} processes; set it to "
            f"{sizes}, or start another number of processes"
        )

    def check_enough(
        self, batch_size: int, train: Sequence[Any], validation: Sequence[Any]
    ) -> None:
        """Refuse data that leave a process without work.

        Raises:
            RecipeError: There are too few faces.
        """
        if self.count > 1 and len(train) < batch_size:
            raise RecipeError(
                f"{len(train)} training faces are less than one batch of {batch_size}, which "
                f"{self.count} processes share; lower batch_size"
            )
        if self.count > 1 and len(validation) < self.count:
            raise RecipeError(
                f"{len(validation)} validation faces for {self.count} processes; raise "
                "val_fraction, or start fewer processes"
            )
