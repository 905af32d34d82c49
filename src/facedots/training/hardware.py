"""Where and how torch computes: the device and the precision of a recipe."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from facedots.errors import TrainingError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "bf16", "float32"]


def choose_device(device: Device, processes: int = 1) -> str:
    """The device, by the name that torch and Lightning share; auto: cuda, mps or cpu, the first
    that is there. Several processes cannot share an mps.

    Raises:
        TrainingError: It is not there.

    >>> choose_device("cpu")
    'cpu'
    """
    mps = processes == 1 and torch.backends.mps.is_available()
    present = {"cuda": torch.cuda.is_available(), "mps": mps}
    names = [name for name, is_there in present.items() if is_there] + ["cpu"]
    if device == "auto":
        return names[0]
    if device not in names:
        fix = "install the build of torch for it (pytorch.org), or take --device auto"
        raise TrainingError(
            f"device {device} is not there: torch {torch.__version__} has {', '.join(names)}; {fix}"
        )
    return device


def use_bf16(precision: Precision, device: str) -> bool:
    """Whether to compute in bf16; auto: on GPUs that support it, and on CPUs with AVX-512 BF16 or
    AMX, where it is not emulated.
    """
    if precision != "auto":
        return precision == "bf16"
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return device == "cpu" and (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Take numbers too small for a normal float as 0, in torch and NumPy alike, until it is left.

    Momentum of channels that get no gradient decays into such numbers, with which a CPU computes
    many times slower: an epoch of ``large`` took 1.7 times as long at its end as without them.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
