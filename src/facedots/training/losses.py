"""Losses by name. Each takes the network, its raw answer in one style and the true points ``(N, K,
2)`` in pixels of the crop.

True points may be NaN (missing); those cost nothing. Distances are measured on a crop of 256 px,
whatever the network's input size, so that the constants mean the same for every network.
"""

from collections.abc import Callable, Mapping
from math import log
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from facedots.errors import RecipeError
from facedots.models.base import HeatmapHead, KeypointNet

Loss = Callable[[KeypointNet, Tensor, Tensor], Tensor]

REFERENCE_SIZE = 256


def wing(error: Tensor, width: float = 10.0, curvature: float = 2.0) -> Tensor:
    """The Wing loss of each error (Feng et al., CVPR 2018): logarithmic below ``width``, linear
    above, continuous between.

    >>> wing(torch.tensor([0.0, 10.0, 20.0])).round(decimals=2)
    tensor([ 0.0000, 17.9200, 27.9200])
    """
    size = error.abs()
    offset = width - width * log(1 + width / curvature)
    return torch.where(size < width, width * torch.log1p(size / curvature), size - offset)


def _present(values: Tensor, truth: Tensor) -> Tensor:
    """The mean of ``values`` over the points that are there."""
    there = ~truth.isnan()
    return torch.where(there, values, 0.0).sum() / there.sum().clamp(min=1)


def _pointwise(cost: Callable[[Tensor], Tensor]) -> Loss:
    """A loss on the decoded points, from a cost of each coordinate's error."""

    def loss(net: KeypointNet, raw: Tensor, truth: Tensor) -> Tensor:
        points, _ = net.decode(raw)
        error = (points - truth.nan_to_num()) * (REFERENCE_SIZE / net.spec.input_size)
        return _present(cost(error), truth)

    return loss


def heatmap_cross_entropy(net: KeypointNet, raw: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of each map to a Gaussian around the true point; points outside the crop cost
    nothing.

    Raises:
        RecipeError: The network has no heatmaps.
    """
    head = net.head
    if not isinstance(head, HeatmapHead):
        raise RecipeError(
            f"the network {net.spec.name!r} has no heatmaps; choose one of mse, smooth_l1, wing"
        )
    # Distances from the truth in deviations, along x and along y: (N, K, grid) each; the Gaussian
    # is their product.
    distance = (head.cells - truth.nan_to_num().unsqueeze(-1)) / head.spread
    along_x, along_y = (-0.5 * distance.square()).softmax(-1).unbind(2)
    target = (along_y.unsqueeze(-1) * along_x.unsqueeze(-2)).flatten(2)
    cost = -(target * raw.float().flatten(2).log_softmax(-1)).sum(-1)
    inside = ((truth > -0.5) & (truth < net.spec.input_size - 0.5)).all(-1)
    return torch.where(inside, cost, 0.0).sum() / inside.sum().clamp(min=1)


def heatmap_wing(net: KeypointNet, raw: Tensor, truth: Tensor) -> Tensor:
    """The maps' cross-entropy, which shapes them and makes their spread honest, plus Wing on their
    mean, which is the point.
    """
    return heatmap_cross_entropy(net, raw, truth) + HEATMAP_WING_WEIGHT * LOSSES["wing"](
        net, raw, truth
    )


HEATMAP_WING_WEIGHT = 0.1


def heatmap_l1(net: KeypointNet, raw: Tensor, truth: Tensor) -> Tensor:
    """The maps' cross-entropy, plus the distance of their mean from the truth along each axis."""
    return heatmap_cross_entropy(net, raw, truth) + HEATMAP_L1_WEIGHT * LOSSES["l1"](
        net, raw, truth
    )


HEATMAP_L1_WEIGHT = 0.2

LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "mse": _pointwise(torch.square),
        "smooth_l1": _pointwise(
            lambda error: F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none")
        ),
        "l1": _pointwise(torch.abs),
        "wing": _pointwise(wing),
        "heatmap": heatmap_cross_entropy,
        "heatmap_l1": heatmap_l1,
        "heatmap_wing": heatmap_wing,
    }
)
"""Name -> loss, for recipes."""
