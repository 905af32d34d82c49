"""Optimizers by name: functions of the network, the peak learning rate and the weight decay, which
applies to kernels and matrices only.
"""

from collections.abc import Callable, Mapping, Sequence
from math import cos, pi
from types import MappingProxyType
from typing import Any

import pytorch_optimizer
import torch
from pytorch_optimizer.optimizer.utils.matrix import zero_power_via_gram_newton_schulz
from torch import Tensor, nn

from facedots.models.base import KeypointNet

OptimizerFactory = Callable[[KeypointNet, float, float], torch.optim.Optimizer]


def adamw(net: KeypointNet, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)."""
    others, weights = _partition(_trainable(net), lambda value: value.ndim > 1)
    groups = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, fused=next(net.parameters()).device.type == "cuda")


class Muon(pytorch_optimizer.Muon):
    """Orthogonalized momentum (Jordan, 2024) in float32: the library's bf16 takes processors that
    emulate it 17 times as long, and moves weights along directions without a gradient.
    """

    @staticmethod
    def _orthogonalize(_group: object, updates: Sequence[Tensor]) -> list[Tensor]:
        matrices = [update.flatten(1) for update in updates]
        alike: dict[torch.Size, list[int]] = {}  # of one shape: together, to spare a GPU's launches
        for number, matrix in enumerate(matrices):
            alike.setdefault(matrix.shape, []).append(number)
        for numbers in alike.values():
            stack = torch.stack([matrices[number] for number in numbers])
            whitened = zero_power_via_gram_newton_schulz(stack, dtype=torch.float32)
            for number, matrix in zip(numbers, whitened, strict=True):
                matrices[number] = matrix
        return matrices


def muon(net: KeypointNet, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """:class:`Muon` for the convolution kernels, AdamW for those of the first layer and the heads,
    depthwise ones, fully connected layers, norms and biases.

    Steps are scaled as by Liu et al. (2025), so one learning rate serves both.
    """
    heads = (net.head, net.pupil_head, net.visibility_head)
    of_heads = {value for head in heads if head is not None for value in head.parameters()}

    def is_kernel(value: nn.Parameter) -> bool:
        return value.ndim == 4 and value.shape[1] > net.spec.channels and value not in of_heads

    others, kernels = _partition(_trainable(net), is_kernel)
    return muon_beside_adamw(kernels, others, lr, weight_decay)


def muon_beside_adamw(
    kernels: list[nn.Parameter], others: list[nn.Parameter], lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """:class:`Muon` for the ``kernels``, AdamW for the ``others``, of which norms and biases do not
    decay.
    """
    rest, weights = _partition(others, lambda value: value.ndim > 1)
    by_muon: dict[str, Any] = {"use_muon": True, "use_adjusted_lr": True, "lr": lr}
    by_adamw: dict[str, Any] = {"use_muon": False, "lr": lr, "betas": (0.9, 0.999), "eps": 1e-8}
    groups = [
        {"params": kernels, "weight_decay": weight_decay, **by_muon},
        {"params": weights, "weight_decay": weight_decay, **by_adamw},
        {"params": rest, "weight_decay": 0.0, **by_adamw},
    ]
    return Muon([group for group in groups if group["params"]])


Parameters = list[nn.Parameter]


def _trainable(net: KeypointNet) -> Parameters:
    return [value for value in net.parameters() if value.requires_grad]


def _partition(
    values: Parameters, condition: Callable[[nn.Parameter], bool]
) -> tuple[Parameters, Parameters]:
    """The values for which the condition does not hold, then those for which it does."""
    return [v for v in values if not condition(v)], [v for v in values if condition(v)]


OPTIMIZERS: Mapping[str, OptimizerFactory] = MappingProxyType({"adamw": adamw, "muon": muon})
"""Name -> optimizer, for recipes."""


def warmup_then_cosine(
    optimizer: torch.optim.Optimizer, steps: int, warmup_fraction: float
) -> dict[str, Any]:
    """Lightning's pair of an optimizer and its schedule of ``steps`` steps: a linear warm-up over
    a fraction of them, then a cosine to 0.
    """
    warmup = max(1, round(warmup_fraction * steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return (1 + cos(pi * (step - warmup) / max(1, steps - warmup))) / 2

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
