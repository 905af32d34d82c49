"""The network of the finder: for every cell of an image a score and a tilted square."""

from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facedots.detection.finder import STRIDE, UNIT
from facedots.models.residual import upsample_2x

_PRIOR_LOGIT = -4.6
"""Log-odds of a face before any training: one cell in a hundred."""


class FinderOutput(NamedTuple):
    """Result of the network's ``forward``, for H x W cells of :data:`STRIDE` pixels.

    Attributes:
        score: Log-odds ``(N, H, W)`` that a face is centered in the cell.
        square: ``(N, 5, H, W)`` as in :class:`~facedots.data.targets.FinderTargets`; cosine and
            sine may be longer or shorter than 1.
    """

    score: Tensor
    square: Tensor


class SeparableBlock(nn.Module):
    """A depthwise 3x3 convolution and a 1x1 one (MobileNet, Howard et al. 2017, arXiv:1704.04861),
    with a shortcut where the shape stays.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.shortcut = in_channels == out_channels and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels, bias=False),
            nn.BatchNorm2d(in_channels),
            *pointwise(in_channels, out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features with ``out_channels`` channels."""
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class FinderNet(nn.Module):
    """RGB image -> strides 8, 16, 32 -> fused at stride 8 -> :class:`FinderOutput`.

    Its faces are 10 to 130 px wide; a pyramid of views of an image covers the others.

    Args:
        channels: At strides 2, 4, 8, 16 and 32.
        blocks: Further blocks at strides 8, 16 and 32.

    Example:
        >>> FinderNet()(torch.zeros(1, 3, 96, 128)).score.shape
        torch.Size([1, 12, 16])
    """

    def __init__(
        self,
        channels: tuple[int, int, int, int, int] = (8, 16, 40, 64, 96),
        blocks: tuple[int, int, int] = (2, 2, 2),
    ) -> None:
        super().__init__()
        half, quarter, fine, middle, coarse = channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, half, 3, 2, 1),
            nn.ReLU(inplace=True),
            SeparableBlock(half, quarter, 2),
            SeparableBlock(quarter, quarter),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(
                SeparableBlock(before, after, 2),
                *(SeparableBlock(after, after) for _ in range(count)),
            )
            for before, after, count in zip(channels[1:], channels[2:], blocks, strict=False)
        )
        self.from_coarse = nn.Sequential(*pointwise(coarse, middle))
        self.fuse_middle = SeparableBlock(middle, middle)
        self.from_middle = nn.Sequential(*pointwise(middle, fine))
        self.fuse_fine = SeparableBlock(fine, fine)
        self.output = nn.Conv2d(fine, 6, 1)
        nn.init.normal_(self.output.weight, std=0.01)
        self.output.bias = nn.Parameter(torch.tensor([_PRIOR_LOGIT, 0, 0, 0, 0, 0]))

    def forward(self, images: Tensor) -> FinderOutput:
        """The output for images ``(N, 3, S, T)`` in [0, 1], S and T multiples of 32."""
        fine = self.stages[0](self.stem(images))
        middle = self.stages[1](fine)
        coarse = self.stages[2](middle)
        middle = self.fuse_middle(middle + upsample_2x(self.from_coarse(coarse)))
        fine = self.fuse_fine(fine + upsample_2x(self.from_middle(middle)))
        output = self.output(fine)
        return FinderOutput(output[:, 0], output[:, 1:])


class FinderModule(nn.Module):
    """A copy of the network with normalization and read-out, as it is exported."""

    def __init__(self, net: FinderNet) -> None:
        super().__init__()
        self.net = deepcopy(net).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.net.stem[0].weight.data /= 255
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and squares of all cells of images ``uint8 (N, S, T, 3)``.

        Returns:
            Scores ``(N, H, W)`` in [0, 1], 0 where a neighboring cell's is higher, and tilted
            squares ``(N, H, W, 4)``: center x, center y and side in pixels, roll in degrees.
        """
        output = self.net(images.permute(0, 3, 1, 2).float())
        score = output.score.sigmoid()
        peak = score * (F.max_pool2d(score[:, None], 3, 1, 1)[:, 0] == score)
        return peak, decode_squares(output.square)


def decode_squares(square: Tensor) -> Tensor:
    """Tilted squares ``(N, H, W, 4)`` in pixels and degrees from the output ``(N, 5, H, W)``."""
    right, down, log_side, cos, sin = square.unbind(1)
    height, width = right.shape[1:]
    middle = (STRIDE - 1) / 2
    x = (right + torch.arange(width, device=square.device)) * STRIDE + middle
    y = (down + torch.arange(height, device=square.device)[:, None]) * STRIDE + middle
    return torch.stack([x, y, log_side.exp() * UNIT, torch.rad2deg(torch.atan2(sin, cos))], -1)


def pointwise(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    """A 1x1 convolution, batch norm and ReLU."""
    return (
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
