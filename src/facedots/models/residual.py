"""The family of networks on a face crop: plain residual body, several scales, one heatmap a point.
Its sizes are at the end.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from facedots.geometry import CropSpec
from facedots.models.base import Answer, HeatmapHead, KeypointNet
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec


def conv_bn_relu(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity (He et al., CVPR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv_bn_relu(channels, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """The block's answer, of the shape of ``x``."""
        return F.relu(x + self.norm(self.conv2(self.conv1(x))))


def stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    """Half the resolution, then residual blocks."""
    return nn.Sequential(
        conv_bn_relu(inputs, outputs, 2), *(ResidualBlock(outputs) for _ in range(blocks))
    )


def doubled(x: Tensor) -> Tensor:
    """The same features at twice the resolution."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


@dataclass(frozen=True)
class Size:
    """One network of the family.

    Attributes:
        name: In the registry.
        input_size: Side of the crop, in pixels.
        stem: Channels at stride 2.
        widths: Channels at strides 4, 8, 16 and so on.
        blocks: Residual blocks at each of these.
        fused: Channels of the features that the maps are read from.
        finer: Cells of a probability map along a side of a stride-8 cell.
        scale: Side of the crop over the longer side of the face's box.
    """

    name: str
    input_size: int
    stem: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    fused: int
    finer: int = 1
    scale: float = 1.2


class ResidualNet(KeypointNet):
    """RGB crop -> strides 4, 8, 16, … -> back to stride 8 -> one heatmap a point.

    Dense 3x3 convolutions and ReLU only: they train three times faster than depthwise ones on a CPU
    and survive int8. The coarse scales see the whole face, which keeps the points in order; the
    fine ones place them. The coarsest also judges whether there is a face, and whether it sits as
    it should.
    """

    predicts_score = True

    def __init__(self, size: Size, schema: KeypointSchema, styles: int = 1) -> None:
        super().__init__(
            ModelSpec(
                name=size.name,
                schema=schema,
                crop=CropSpec("box", size.scale),
                input_size=size.input_size,
                channels=3,
                mean=(0.5, 0.5, 0.5),
                std=(0.25, 0.25, 0.25),
            )
        )
        widths = size.widths
        self.stem = conv_bn_relu(3, size.stem, 2)
        pairs = zip((size.stem, *widths), widths, size.blocks, strict=False)
        self.stages = nn.ModuleList(stage(*pair) for pair in pairs)
        self.laterals = nn.ModuleList(
            nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths[1:])
        )
        self.fuse = conv_bn_relu(widths[1], size.fused)
        grid = size.input_size // 8
        self.head = HeatmapHead(
            size.fused, schema.count, grid, size.input_size, styles=styles, finer=size.finer
        )
        self.score_head = nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor) -> Answer:
        """Log-odds of the maps ``(N, styles, K, G, G)`` and of a face ``(N,)`` from normalized
        crops ``(N, 3, S, S)``.
        """
        x = self.stages[0](self.stem(images))
        scales = []
        for deeper in self.stages[1:]:
            x = deeper(x)
            scales.append(x)
        for fine, lateral in zip(scales[-2::-1], reversed(self.laterals), strict=True):
            x = fine + doubled(lateral(x))
        score = self.score_head(scales[-1].mean((2, 3)))
        return Answer(self.head(self.fuse(x)), score.squeeze(1))


TINY = Size("tiny", 112, 8, (16, 32, 64), (1, 1, 2), 64)
SMALL = Size("small", 128, 24, (32, 64, 96), (1, 2, 3), 128)

RESIDUAL_NETS = {size.name: partial(ResidualNet, size) for size in (TINY, SMALL)}
