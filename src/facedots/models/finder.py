"""The network of the finder: for every cell of an image a score and a tilted square."""

from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facedots.models.residual import upsample_2x

PATCH = 4
"""Side in pixels of what the first layer sees at once."""

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
    """RGB image -> patches of 4x4 pixels -> strides 8, 16, 32 -> fused at stride 8 ->
    :class:`FinderOutput`.

    Its faces have the sides :data:`~facedots.detection.finder.SIDES`; a pyramid of views of an
    image covers the others.

    Args:
        channels: At strides 4, 8, 16 and 32.
        blocks: Further blocks at strides 8, 16 and 32.

    Example:
        >>> FinderNet()(torch.zeros(1, 96, 128, 3)).score.shape
        torch.Size([1, 12, 16])
    """

    def __init__(
        self,
        channels: tuple[int, int, int, int] = (16, 40, 72, 96),
        blocks: tuple[int, int, int] = (1, 3, 2),
    ) -> None:
        super().__init__()
        _, fine, middle, coarse = channels
        self.patches = nn.Conv2d(PATCH, channels[0], (1, 3 * PATCH), (1, 3 * PATCH))
        self.stages = nn.ModuleList(
            nn.Sequential(
                SeparableBlock(before, after, 2),
                *(SeparableBlock(after, after) for _ in range(count)),
            )
            for before, after, count in zip(channels, channels[1:], blocks, strict=False)
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
        count, height, width, _ = images.shape
        # A patch is PATCH rows of 3 * PATCH numbers that lie side by side.
        rows = images.reshape(count, height // PATCH, PATCH, 3 * width).transpose(1, 2)
        fine = self.stages[0](F.relu(self.patches(rows.float())))
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
        self.net.patches.weight.data /= 255
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
