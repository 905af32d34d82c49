"""Residual heatmap networks on a face crop, in the sizes :data:`TINY` and :data:`SMALL`."""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from facedots.geometry import CropSpec
from facedots.models.base import HeatmapNet, ModelOutput
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec

FACE_CROP = CropSpec("box", 1.2)
"""The square of the networks that see a face crop."""


def conv_bn_relu(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with an identity shortcut (He et al., CVPR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv_bn_relu(channels, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the shape of ``x``."""
        return F.relu(x + self.norm(self.conv2(self.conv1(x))))


def residual_stage(in_channels: int, out_channels: int, blocks: int) -> nn.Sequential:
    """A convolution of stride 2, then residual blocks."""
    return nn.Sequential(
        conv_bn_relu(in_channels, out_channels, 2),
        *(ResidualBlock(out_channels) for _ in range(blocks)),
    )


def upsample_2x(x: Tensor) -> Tensor:
    """Features at twice the resolution, nearest neighbor."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


@dataclass(frozen=True)
class ResidualConfig:
    """Size of a residual network."""

    name: str
    input_size: int
    stem_channels: int  # at stride 2
    channels: tuple[int, ...]  # at strides 4, 8, 16 and so on
    blocks: tuple[int, ...]  # residual blocks at each of these
    fused_channels: int  # of the features that the heatmaps are computed from


class ResidualNet(HeatmapNet):
    """RGB crop -> strides 4, 8, 16, ... -> fused at stride 8 -> one heatmap per point.

    Dense 3x3 convolutions and ReLU only, which are fast on a CPU and survive int8. The coarsest
    features predict the score.

    Example:
        >>> import torch
        >>> from facedots.schema import IBUG68
        >>> ResidualNet(TINY, IBUG68).eval()(torch.zeros(1, 3, 112, 112)).logits.shape
        torch.Size([1, 1, 68, 14, 14])
    """

    def __init__(self, config: ResidualConfig, schema: KeypointSchema, num_styles: int = 1) -> None:
        mean, std, channels = (0.5,) * 3, (0.25,) * 3, config.channels
        spec = ModelSpec(config.name, schema, FACE_CROP, config.input_size, 3, mean, std)
        super().__init__(spec, config.fused_channels, channels[-1], num_styles)
        self.stem = conv_bn_relu(3, config.stem_channels, 2)
        stages = zip((config.stem_channels, *channels), channels, config.blocks, strict=False)
        self.stages = nn.ModuleList(residual_stage(*stage) for stage in stages)
        laterals = (nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(channels[1:]))
        self.laterals = nn.ModuleList(laterals)
        self.fuse = conv_bn_relu(channels[1], config.fused_channels)

    def forward(self, images: Tensor) -> ModelOutput:
        """From normalized crops ``(N, 3, S, S)``."""
        x = self.stages[0](self.stem(images))
        scales = []
        for stage in self.stages[1:]:
            x = stage(x)
            scales.append(x)
        for fine, lateral in zip(scales[-2::-1], reversed(self.laterals), strict=True):
            x = fine + upsample_2x(lateral(x))
        return self.read_out(self.fuse(x), scales[-1])


TINY = ResidualConfig("tiny", 112, 8, (16, 32, 64), (1, 1, 2), 64)
SMALL = ResidualConfig("small", 128, 24, (32, 64, 96), (1, 2, 3), 128)

RESIDUAL_NETS = {config.name: partial(ResidualNet, config) for config in (TINY, SMALL)}
