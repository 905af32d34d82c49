"""Losses by name: functions of a network's head, its logits in one label style and the true points
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
from facedots.models.base import Head, HeatmapHead

Loss = Callable[[Head, Tensor, Tensor], Tensor]
"""``loss(head, logits, points) -> scalar``."""

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

    def loss(head: Head, logits: Tensor, target: Tensor) -> Tensor:
        points, _ = head.decode(logits)
        error = (points - target.nan_to_num()) * (REFERENCE_SIZE / head.input_size)
        return _mean(cost(error), ~target.isnan())

    return loss


def _mean(cost: Tensor, counted: Tensor) -> Tensor:
    """The mean of the costs that count; 0 where none does."""
    return torch.where(counted, cost, 0.0).sum() / counted.sum().clamp(min=1)


def heatmap_cross_entropy(head: Head, logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of each map to a Gaussian around the true point; points outside the crop do not
    count.

    Raises:
        RecipeError: The network has no heatmaps.
    """
    if not isinstance(head, HeatmapHead):
        raise RecipeError("this network has no heatmaps; choose the loss smooth_l1 or wing")
    # The Gaussian is the product of its marginals along x and y, (N, K, grid) each.
    distance = (head.cells - target.nan_to_num().unsqueeze(-1)) / head.target_sigma
    along_x, along_y = (-0.5 * distance.square()).softmax(-1).unbind(2)
    gaussian = (along_y.unsqueeze(-1) * along_x.unsqueeze(-2)).flatten(2)
    cost = -(gaussian * logits.float().flatten(2).log_softmax(-1)).sum(-1)
    return _mean(cost, ((target > -0.5) & (target < head.input_size - 0.5)).all(-1))


def heatmap_wing(head: Head, logits: Tensor, target: Tensor) -> Tensor:
    """The maps' cross-entropy, which trains the covariance, plus Wing on their mean, the point."""
    wing_loss = LOSSES["wing"](head, logits, target)
    return heatmap_cross_entropy(head, logits, target) + HEATMAP_WING_WEIGHT * wing_loss


def visibility_cross_entropy(log_odds: Tensor, visible: Tensor) -> Tensor:
    """Cross-entropy of log-odds ``(N, K)`` to what is visible: 1, 0, or NaN, which does not count.

    >>> float(visibility_cross_entropy(torch.zeros(1, 2), torch.tensor([[1.0, torch.nan]])))
    0.6931471824645996
    """
    target = visible.nan_to_num()
    cost = F.binary_cross_entropy_with_logits(log_odds, target, reduction="none")
    return _mean(cost, ~visible.isnan())


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "smooth_l1": _coordinate_loss(smooth_l1),
        "wing": _coordinate_loss(wing),
        "heatmap": heatmap_cross_entropy,
        "heatmap_wing": heatmap_wing,
    }
)
"""Name -> loss, for recipes."""
