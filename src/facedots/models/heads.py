"""Heads: what stands between a network's last features and points with a sigma."""

import torch
from torch import Tensor, nn


class Head(nn.Module):
    """The last layers of a network, and how to read them."""

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points ``(N, K, 2)`` and sigma ``(N, K)``, in pixels of the crop, from what ``forward`` returned."""
        raise NotImplementedError


class HeatmapHead(Head):
    """One probability map a point, read out by soft-argmax.

    The maps are a softmax over the cells of a ``grid`` x ``grid`` raster that covers the crop. Their mean is the point
    (integral regression, Sun et al., ECCV 2018), their spread is what the network itself says of its doubt: trained by the
    cross-entropy to a narrow Gaussian around the truth, the map approaches the distribution of the point widened by that
    Gaussian, so the Gaussian's variance is taken off again.
    """

    cells: Tensor
    sigma_scale: Tensor

    def __init__(self, channels: int, count: int, grid: int, input_size: int, spread: float = 0.75) -> None:
        """
        Args:
            channels: Of the feature map ``(N, channels, grid, grid)``.
            count: K, the number of points.
            grid: Cells a side.
            input_size: Side of the crop in pixels.
            spread: Standard deviation of the target Gaussian, in cells.
        """
        super().__init__()
        self.count, self.grid, self.spread = count, grid, spread
        self.stride = input_size / grid
        self.maps = nn.Conv2d(channels, count, 1)
        self.register_buffer("cells", (torch.arange(grid) + 0.5) * self.stride - 0.5, persistent=False)
        self.register_buffer("sigma_scale", torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        """Log-odds ``(N, K, grid, grid)`` of each cell."""
        logits: Tensor = self.maps(features)
        return logits

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points ``(N, K, 2)`` and sigma ``(N, K)``, both in pixels of the crop."""
        maps = raw.float().flatten(2).softmax(-1).view(raw.shape)
        columns, rows = maps.sum(2), maps.sum(3)
        x, y = columns @ self.cells, rows @ self.cells
        spread_x = columns @ self.cells.square() - x.square()
        spread_y = rows @ self.cells.square() - y.square()
        doubt = (spread_x + spread_y) / 2 - (self.spread * self.stride) ** 2
        # A map narrower than its target would give a variance below zero; a twentieth of a cell is as sure as it gets.
        sigma = doubt.clamp(min=(0.05 * self.stride) ** 2).sqrt() * self.sigma_scale
        return torch.stack([x, y], dim=-1), sigma


class RegressionHead(Head):
    """Fully connected layers to 2K numbers: the points normalised to about [-1, 1] of the crop, x and y in turn."""

    def __init__(self, features: int, hidden: int, count: int, input_size: int, dropout: float) -> None:
        super().__init__()
        self.count, self.input_size = count, input_size
        self.fc1 = nn.Linear(features, hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, 2 * count)

    def forward(self, features: Tensor) -> Tensor:
        """Normalised coordinates ``(N, 2K)`` from flat features ``(N, features)``."""
        coordinates: Tensor = self.fc2(self.dropout(torch.relu(self.fc1(features))))
        return coordinates

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points ``(N, K, 2)`` in pixels of the crop and sigma ``(N, K)``, which is NaN: plain regression knows no doubt."""
        points = ((raw.float() + 1) * self.input_size - 1).div(2).view(-1, self.count, 2)
        return points, torch.full_like(points[..., 0], torch.nan)
