"""Optimizers by name. Each takes the network, the peak learning rate and the decay of its kernels
and matrices.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from facedots.models.base import KeypointNet

OptimizerOf = Callable[[KeypointNet, float, float], torch.optim.Optimizer]


def adamw(net: KeypointNet, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)."""
    weights, others = _halves(_learnable(net), lambda value: value.ndim > 1)
    groups = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, fused=next(net.parameters()).device.type == "cuda")


def muon(net: KeypointNet, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Orthogonalised momentum for the body's kernels, AdamW for the rest (Jordan, 2024).

    A step's matrix (outputs x inputs and taps) is brought to singular values near 1, so that
    directions which the gradient seldom points to are learned as well. Scaled as by Liu et al.
    (2025), one learning rate serves both kinds of step. First layer, 1x1 convolutions, fully
    connected layers, norms and biases are left to AdamW.
    """
    from pytorch_optimizer import Muon

    def in_body(value: nn.Parameter) -> bool:
        return value.ndim == 4 and value.shape[1] > net.spec.channels and value[0, 0].numel() > 1

    kernels, others = _halves(_learnable(net), in_body)
    weights, rest = _halves(others, lambda value: value.ndim > 1)
    by_adamw: dict[str, Any] = {"use_muon": False, "lr": lr, "betas": (0.9, 0.999), "eps": 1e-8}
    groups = [
        {
            "params": kernels,
            "use_muon": True,
            "use_adjusted_lr": True,
            "lr": lr,
            "weight_decay": weight_decay,
        },
        {"params": weights, "weight_decay": weight_decay, **by_adamw},
        {"params": rest, "weight_decay": 0.0, **by_adamw},
    ]
    return Muon([group for group in groups if group["params"]])


def _learnable(net: KeypointNet) -> list[nn.Parameter]:
    return [value for value in net.parameters() if value.requires_grad]


def _halves(
    values: list[nn.Parameter], chosen: Callable[[nn.Parameter], bool]
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    return [value for value in values if chosen(value)], [
        value for value in values if not chosen(value)
    ]


OPTIMIZERS: Mapping[str, OptimizerOf] = MappingProxyType({"adamw": adamw, "muon": muon})
"""Name -> optimizer, for recipes."""
