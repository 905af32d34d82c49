"""The network of the finder: for every cell of an image a score and a tilted square."""

from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facedots.models.residual import conv_bn_relu, upsample_2x

_PRIOR_LOGIT = -4.6
"""Log-odds of a face before any training: one cell in a hundred."""


class FinderOutput(NamedTuple):
    """Result of the network's ``forward``, for H x W cells of 8 pixels.

    Attributes:
        score: Log-odds ``(N, H, W)`` that a face is centered in the cell.
        square: ``(N, 5, H, W)`` as in :class:`~facedots.data.targets.FinderTargets`; cosine and
            sine may be longer or shorter than 1.
    """

    score: Tensor
    square: Tensor


class SeparableBlock(nn.Module):
    """A depthwise 3x3 convolution and a 1x1 one (MobileNet, Howard et al. 2017, arXiv:1704.04861),
    with a shortcut where the shape stays. One batch norm for both: they are linear together.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.shortcut = in_channels == out_channels and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels, bias=False),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features with ``out_channels`` channels."""
        y: Tensor = self.layers(x)
        return F.relu(x + y if self.shortcut else y)


class FinderNet(nn.Module):
    """RGB image -> 3x3 convolutions to stride 4 -> strides 8, 16, 32 -> fused at stride 8 ->
    :class:`FinderOutput`.

    Its faces have the sides :data:`~facedots.detection.finder.SIDES`; a pyramid of views of an
    image covers the others. A face of 12 pixels at any angle is told by few pixels, so more than
    half of the time goes into the whole convolutions down to stride 8 (docs/experiments.md).

    Args:
        stem: Channels at strides 2 and 4.
        channels: At strides 8, 16 and 32.
        blocks: Further blocks at strides 8, 16 and 32.

    Example:
        >>> FinderNet()(torch.zeros(1, 96, 128, 3)).score.shape
        torch.Size([1, 12, 16])
    """

    def __init__(
        self,
        stem: tuple[int, int] = (16, 24),
        channels: tuple[int, int, int] = (48, 64, 72),
        blocks: tuple[int, int, int] = (1, 3, 2),
    ) -> None:
        super().__init__()
        half, quarter = stem
        fine, middle, coarse = channels
        self.first = nn.Conv2d(3, half, 3, 2, 1)
        self.stem = nn.Sequential(
            nn.ReLU(), conv_bn_relu(half, quarter, 2), conv_bn_relu(quarter, quarter)
        )
        steps = (
            conv_bn_relu(quarter, fine, 2),
            SeparableBlock(fine, middle, 2),
            SeparableBlock(middle, coarse, 2),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(step, *(SeparableBlock(width, width) for _ in range(count)))
            for step, width, count in zip(steps, channels, blocks, strict=True)
        )
        self.from_coarse = nn.Conv2d(coarse, middle, 1)
        self.fuse_middle = SeparableBlock(middle, middle)
        self.from_middle = nn.Conv2d(middle, fine, 1)
        self.fuse_fine = SeparableBlock(fine, fine)
        self.output = nn.Conv2d(fine, 6, 1)
        nn.init.normal_(self.output.weight, std=0.01)
        self.output.bias = nn.Parameter(torch.tensor([_PRIOR_LOGIT, 0, 0, 0, 0, 0]))

    def forward(self, images: Tensor) -> FinderOutput:
        """The output for images ``(N, S, T, 3)`` in [0, 1], S and T multiples of 32."""
        fine = self.stages[0](self.stem(self.first(images.float().permute(0, 3, 1, 2))))
        middle = self.stages[1](fine)
        coarse = self.stages[2](middle)
        middle = self.fuse_middle(middle + upsample_2x(self.from_coarse(coarse)))
        fine = self.fuse_fine(fine + upsample_2x(self.from_middle(middle)))
        output = self.output(fine)
        return FinderOutput(output[:, 0], output[:, 1:])


class FinderModule(nn.Module):
    """A copy of the network with normalization and the choice of peaks, as it is exported."""

    def __init__(self, net: FinderNet) -> None:
        super().__init__()
        self.net = deepcopy(net).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.net.first.weight.data /= 255
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and squares of all cells of images ``uint8 (N, S, T, 3)``.

        Returns:
            Scores ``(N, H, W)`` in [0, 1], 0 where a neighboring cell's is higher, and squares
            ``(N, 5, H, W)`` as in :class:`FinderOutput`.
        """
        output = self.net(images)
        score = output.score.sigmoid()
        return score * (F.max_pool2d(score[:, None], 3, 1, 1)[:, 0] == score), output.square
