"""Heads: what stands between a network's last features and points with a covariance."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from facedots.spec import ModelSpec
from facedots.uncertainty import positive_part


class Head(nn.Module):
    """The last layers of a network, and how to read them. A style is a way of labeling: a data
    set's own.
    """

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points ``(N, K, 2)`` and covariance ``(N, K, 2, 2)``, in pixels of the crop, from the raw
        answer in one style.
        """
        raise NotImplementedError

    def keep_style(self, style: int) -> None:
        """Answer in one style only from now on."""
        raise NotImplementedError


class HeatmapHead(Head):
    """One probability map a point and label style, read out by soft-argmax.

    The maps are a softmax over the cells of a ``grid`` x ``grid`` raster that covers the crop.
    Their mean is the point (integral regression, Sun et al., ECCV 2018), their spread is what the
    network itself says of its doubt: trained by the cross-entropy to a narrow Gaussian around the
    truth, the map approaches the distribution of the point widened by that Gaussian, so the
    Gaussian's variance is taken off again. After training, a gain and a floor for each point make a
    covariance of it that holds on people who were not trained on
    (:mod:`facedots.training.calibrate`).
    """

    cells: Tensor
    gain: Tensor
    floor: Tensor

    def __init__(
        self,
        channels: int,
        count: int,
        grid: int,
        input_size: int,
        *,
        styles: int = 1,
        finer: int = 1,
        spread: float = 6.0,
    ) -> None:
        """
        Args:
            channels: Of the feature map ``(N, channels, grid, grid)``.
            count: K, the number of points.
            grid: Cells a side of the feature map.
            input_size: Side of the crop in pixels.
            styles: Label styles, each with its own maps of the same features.
            finer: Cells of the probability map along a side of a feature cell.
            spread: Standard deviation of the target Gaussian, in pixels of a crop of 128 px.
        """
        super().__init__()
        self.count, self.grid, self.finer, self.styles = count, grid * finer, finer, styles
        self.spread = spread * input_size / 128
        self.stride = input_size / self.grid
        self.maps = nn.Conv2d(channels, styles * count * finer**2, 1)
        self.shuffle = nn.PixelShuffle(finer)
        self.register_buffer(
            "cells", (torch.arange(self.grid) + 0.5) * self.stride - 0.5, persistent=False
        )
        self.register_buffer("gain", torch.ones(count))
        self.register_buffer("floor", torch.full((count,), 0.1))

    def forward(self, features: Tensor) -> Tensor:
        """Log-odds ``(N, styles, K, grid, grid)`` of each cell."""
        logits: Tensor = self.shuffle(self.maps(features))
        return logits.view(-1, self.styles, self.count, self.grid, self.grid)

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points ``(N, K, 2)`` and covariance ``(N, K, 2, 2)``, in pixels of the crop, from
        log-odds ``(N, K, grid, grid)``.
        """
        points, doubt = self.doubt(raw)
        return points, calibrated(doubt, self.gain, self.floor)

    def doubt(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points, and their covariance ``(N, K, 2, 2)`` as the maps say it, before calibration."""
        points, moments = self.moments(raw)
        return points, positive_part(moments - self.spread**2 * torch.eye(2, device=raw.device))

    def moments(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Mean ``(N, K, 2)`` and second central moments ``(N, K, 2, 2)`` of the maps, in pixels of
        the crop.
        """
        maps = raw.float().flatten(2).softmax(-1).view(raw.shape)
        columns, rows = maps.sum(2), maps.sum(3)
        x, y = columns @ self.cells, rows @ self.cells
        xx = columns @ self.cells.square() - x.square()
        yy = rows @ self.cells.square() - y.square()
        xy = ((maps @ self.cells) * self.cells).sum(-1) - x * y
        return torch.stack([x, y], -1), torch.stack([xx, xy, xy, yy], -1).view(*x.shape, 2, 2)

    def keep_style(self, style: int) -> None:
        """Answer in one style only from now on."""
        size = self.count * self.finer**2
        chosen = slice(style * size, (style + 1) * size)
        maps = nn.Conv2d(self.maps.in_channels, size, 1)
        maps.load_state_dict(
            {name: value[chosen] for name, value in self.maps.state_dict().items()}
        )
        self.maps, self.styles = maps, 1


def calibrated(doubt: Tensor, gain: Tensor, floor: Tensor) -> Tensor:
    """The covariance ``(…, K, 2, 2)`` of doubts ``(…, K, 2, 2)`` under a gain ``(K,)`` and a floor
    ``(K,)`` of deviations.
    """
    round_floor = floor.square().view(-1, 1, 1) * torch.eye(2, device=doubt.device)
    return gain.square().view(-1, 1, 1) * doubt + round_floor


class RegressionHead(Head):
    """Fully connected layers to 2K numbers: the points normalized to about [-1, 1] of the crop, x
    and y in turn.
    """

    def __init__(
        self,
        features: int,
        hidden: int,
        count: int,
        input_size: int,
        *,
        dropout: float,
        styles: int = 1,
    ) -> None:
        super().__init__()
        self.count, self.input_size, self.styles = count, input_size, styles
        self.fc1 = nn.Linear(features, hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, styles * 2 * count)

    def forward(self, features: Tensor) -> Tensor:
        """Normalized coordinates ``(N, styles, 2K)`` from flat features ``(N, features)``."""
        coordinates: Tensor = self.fc2(self.dropout(torch.relu(self.fc1(features))))
        return coordinates.view(-1, self.styles, coordinates.shape[1] // self.styles)

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points ``(N, K, 2)`` in pixels of the crop and covariance ``(N, K, 2, 2)``: NaN, plain
        regression knows no doubt.
        """
        points = ((raw.float() + 1) * self.input_size - 1).div(2).view(-1, self.count, 2)
        return points, torch.full_like(points, torch.nan).unsqueeze(-1).expand(-1, -1, -1, 2)

    def keep_style(self, style: int) -> None:
        """Answer in one style only from now on."""
        chosen = slice(style * 2 * self.count, (style + 1) * 2 * self.count)
        layer = nn.Linear(self.fc2.in_features, 2 * self.count)
        layer.load_state_dict(
            {name: value[chosen] for name, value in self.fc2.state_dict().items()}
        )
        self.fc2, self.styles = layer, 1


class Answer(NamedTuple):
    """What ``forward`` returns.

    Attributes:
        raw: What the network's head reads, ``(N, styles, …)``: every label style is answered at
            once.
        score: Log-odds ``(N,)`` that the crop shows a face, well placed; NaN where the network does
            not judge.
    """

    raw: Tensor
    score: Tensor


class KeypointNet(nn.Module):
    """A network from normalized crops to an answer, and from an answer to points.

    Args:
        spec: How to feed it.

    Attributes:
        judges: Whether the answer's score means anything.
    """

    predicts_score = False

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.head: Head

    def load_pretrained(self) -> None:
        """Start from weights that others have learned, where there are some for this network; a
        training calls it first.
        """

    def normalize(self, crops: Tensor) -> Tensor:
        """Crops ``(N, C, S, S)`` on the scale 0-255 as float32 with the mean and deviation of the
        spec, which are for [0, 1].
        """
        mean = torch.tensor(self.spec.mean, device=crops.device).view(1, -1, 1, 1)
        std = torch.tensor(self.spec.std, device=crops.device).view(1, -1, 1, 1)
        return (crops.float() / 255 - mean) / std

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points and their covariance, in pixels of the crop, from the raw answer in one style.

        Args:
            raw: ``(N, …)``, as in ``answer.raw[:, style]``.

        Returns:
            Points ``(N, K, 2)`` and covariance ``(N, K, 2, 2)``, NaN where the network knows no
            doubt.
        """
        return self.head.decode(raw)
