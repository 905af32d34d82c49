"""Losses by name: functions of the network, its logits in one label style and the true points
``(N, K, 2)`` in pixels of the crop.

Missing true points (NaN) do not count. Errors are measured on a crop of 256 px whatever the
network's input size, so that the constants mean the same for every network.
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
"""``loss(net, logits, points) -> scalar``."""

REFERENCE_SIZE = 256
"""Side in pixels of the crop on which errors are measured."""
HEATMAP_WING_WEIGHT = 0.1
"""Weight of Wing, relative to the cross-entropy of the maps, in ``heatmap_wing``."""


def wing(error: Tensor, width: float = 10.0, curvature: float = 2.0) -> Tensor:
    """The Wing loss of each error (Feng et al., CVPR 2018): logarithmic below ``width``, linear
    above, continuous between.

    >>> wing(torch.tensor([0.0, 10.0, 20.0])).round(decimals=2)
    tensor([ 0.0000, 17.9200, 27.9200])
    """
    size = error.abs()
    offset = width - width * log(1 + width / curvature)
    return torch.where(size < width, width * torch.log1p(size / curvature), size - offset)


def smooth_l1(error: Tensor) -> Tensor:
    """Half the square of each error below 1, linear above (Girshick, ICCV 2015)."""
    return F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none")


def _coordinate_loss(cost: Callable[[Tensor], Tensor]) -> Loss:
    """The mean cost of each coordinate's error, of the decoded points."""

    def loss(net: KeypointNet, logits: Tensor, target: Tensor) -> Tensor:
        points, _ = net.decode(logits)
        error = (points - target.nan_to_num()) * (REFERENCE_SIZE / net.spec.input_size)
        labeled = ~target.isnan()
        return torch.where(labeled, cost(error), 0.0).sum() / labeled.sum().clamp(min=1)

    return loss


def heatmap_cross_entropy(net: KeypointNet, logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of each map to a Gaussian around the true point; points outside the crop do not
    count.

    Raises:
        RecipeError: The network has no heatmaps.
    """
    head = net.head
    if not isinstance(head, HeatmapHead):
        name = net.spec.name
        raise RecipeError(
            f"the network {name!r} has no heatmaps; choose the loss smooth_l1 or wing"
        )
    # The Gaussian is the product of its marginals along x and y, (N, K, grid) each.
    distance = (head.cells - target.nan_to_num().unsqueeze(-1)) / head.target_sigma
    along_x, along_y = (-0.5 * distance.square()).softmax(-1).unbind(2)
    gaussian = (along_y.unsqueeze(-1) * along_x.unsqueeze(-2)).flatten(2)
    cost = -(gaussian * logits.float().flatten(2).log_softmax(-1)).sum(-1)
    inside = ((target > -0.5) & (target < net.spec.input_size - 0.5)).all(-1)
    return torch.where(inside, cost, 0.0).sum() / inside.sum().clamp(min=1)


def heatmap_wing(net: KeypointNet, logits: Tensor, target: Tensor) -> Tensor:
    """The maps' cross-entropy, which trains the covariance, plus Wing on their mean, the point."""
    wing_loss = LOSSES["wing"](net, logits, target)
    return heatmap_cross_entropy(net, logits, target) + HEATMAP_WING_WEIGHT * wing_loss


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "smooth_l1": _coordinate_loss(smooth_l1),
        "wing": _coordinate_loss(wing),
        "heatmap": heatmap_cross_entropy,
        "heatmap_wing": heatmap_wing,
    }
)
"""Name -> loss, for recipes."""
