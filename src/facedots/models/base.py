"""What all networks share: the base class, and the heads that turn features into keypoints with a
covariance.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from facedots.schema import PUPILS
from facedots.spec import ModelSpec
from facedots.uncertainty import positive_part

STRIDE = 8
"""Pixels of the crop per cell of the heatmaps."""


class ModelOutput(NamedTuple):
    """Result of a network's ``forward``.

    Attributes:
        logits: Input of ``decode`` per label style, ``(N, num_styles, ...)``: of heatmaps, or
            normalized coordinates.
        score_logit: Log-odds ``(N,)`` that the crop shows a well-placed face; NaN where the network
            predicts none.
        pupil_logits: Of the pupils' heatmaps ``(N, 2, grid, grid)``; ``None`` where the network
            predicts none.
        visibility_maps: Log-odds ``(N, K, grid, grid)`` that a point is visible, to be decoded with
            its heatmap; ``None`` where the network predicts none.
    """

    logits: Tensor
    score_logit: Tensor
    pupil_logits: Tensor | None = None
    visibility_maps: Tensor | None = None


class Head(nn.Module):
    """The last layers of a network and how to decode their output.

    A label style is the way in which one data set places its points.

    Attributes:
        input_size: Side of the crop in pixels.
        num_styles: Label styles that the output holds.
        output_layer: Name of the last layer; its output channels are in groups, one per style.
    """

    input_size: int
    num_styles: int
    output_layer: str

    def decode(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Points ``(N, K, 2)`` and covariance ``(N, K, 2, 2)``, in pixels of the crop, from the
        output in one style; the covariance is NaN where coordinates are regressed.
        """
        raise NotImplementedError

    def select_style(self, style: int) -> None:
        """Drop the output channels of all label styles but one."""
        for parameter in self.get_submodule(self.output_layer).parameters():
            parameter.data = parameter.data.chunk(self.num_styles)[style].clone()
        self.num_styles = 1


class HeatmapHead(Head):
    """One heatmap per point and label style, decoded by soft-argmax.

    Each map is a softmax over a ``grid`` x ``grid`` raster of the crop. Its mean is the point
    (integral regression, Sun et al., ECCV 2018). The cross-entropy to a Gaussian target makes it
    approach the distribution of the point, widened by that Gaussian: its second moment less the
    target's variance is the raw covariance, which ``scale`` and ``floor`` calibrate, fitted per
    point after the training (:mod:`facedots.training.calibration`).

    Args:
        in_channels: Channels of the feature map ``(N, in_channels, grid, grid)``.
        num_points: K.
        grid: Cells per side of the feature map.
        input_size: Side of the crop in pixels.
        num_styles: Label styles, each with its own maps of the same features.
        target_sigma: Standard deviation of the target Gaussian, in pixels of a crop of 128 px.

    Example:
        >>> head = HeatmapHead(in_channels=8, num_points=68, grid=16, input_size=128)
        >>> logits = head(torch.zeros(4, 8, 16, 16))
        >>> points, covariance = head.decode(logits[:, 0])
        >>> logits.shape, points.shape
        (torch.Size([4, 1, 68, 16, 16]), torch.Size([4, 68, 2]))
    """

    output_layer = "maps"
    cells: Tensor
    scale: Tensor
    floor: Tensor

    def __init__(
        self,
        in_channels: int,
        num_points: int,
        grid: int,
        input_size: int,
        *,
        num_styles: int = 1,
        target_sigma: float = 6.0,
    ) -> None:
        super().__init__()
        self.num_points, self.grid, self.num_styles = num_points, grid, num_styles
        self.input_size = input_size
        self.target_sigma = target_sigma * input_size / 128
        self.stride = input_size / grid
        self.maps = nn.Conv2d(in_channels, num_styles * num_points, 1)
        centers = (torch.arange(grid) + 0.5) * self.stride - 0.5
        self.register_buffer("cells", centers, persistent=False)
        self.register_buffer("scale", torch.ones(num_points))
        self.register_buffer("floor", torch.full((num_points,), 0.1))

    def forward(self, features: Tensor) -> Tensor:
        """Logits ``(N, num_styles, K, grid, grid)`` of each cell."""
        logits: Tensor = self.maps(features)
        return logits.view(-1, self.num_styles, self.num_points, self.grid, self.grid)

    def decode(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`Head.decode`, from logits ``(N, K, grid, grid)``."""
        points, covariance = self.decode_raw(logits)
        return points, calibrated_covariance(covariance, self.scale, self.floor)

    def decode_raw(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Points and their covariance ``(N, K, 2, 2)`` before calibration."""
        points, moments = self.moments(logits)
        target = self.target_sigma**2 * torch.eye(2, device=logits.device)
        return points, positive_part(moments - target)

    def moments(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Mean ``(N, K, 2)`` and second central moments ``(N, K, 2, 2)`` of the maps, in pixels."""
        maps = logits.float().flatten(2).softmax(-1).view(logits.shape)
        columns, rows = maps.sum(2), maps.sum(3)
        x, y = columns @ self.cells, rows @ self.cells
        xx = columns @ self.cells.square() - x.square()
        yy = rows @ self.cells.square() - y.square()
        xy = maps @ self.cells @ self.cells - x * y
        return torch.stack([x, y], -1), torch.stack([xx, xy, xy, yy], -1).view(*x.shape, 2, 2)


def calibrated_covariance(raw_covariance: Tensor, scale: Tensor, floor: Tensor) -> Tensor:
    """The covariance ``scale² C + floor² I`` from C ``(..., K, 2, 2)`` in square pixels, a factor
    ``(K,)`` of the deviations and their smallest value ``(K,)`` in pixels.
    """
    round_floor = floor.square().view(-1, 1, 1) * torch.eye(2, device=raw_covariance.device)
    return scale.square().view(-1, 1, 1) * raw_covariance + round_floor


class VisibilityHead(nn.Module):
    """Log-odds that each point is visible, for all label styles.

    A linear read-out of the features, averaged over the crop with the point's own heatmap as the
    weights. These get no gradient: whether a point is hidden does not move it. ``scale`` and
    ``offset`` calibrate the log-odds after the training (:mod:`facedots.training.calibration`).

    Args:
        in_channels: Channels of the features.
        num_points: K.

    Example:
        >>> head = VisibilityHead(in_channels=8, num_points=68)
        >>> maps = head(torch.zeros(4, 8, 16, 16))
        >>> head.decode(maps, torch.zeros(4, 68, 16, 16)).shape
        torch.Size([4, 68])
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, in_channels: int, num_points: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(in_channels, num_points, 1)
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Log-odds ``(N, K, grid, grid)`` in each cell."""
        maps: Tensor = self.maps(features)
        return maps

    def decode(self, maps: Tensor, logits: Tensor) -> Tensor:
        """Log-odds ``(N, K)`` from those of the cells and the logits ``(N, K, grid, grid)`` of the
        points' heatmaps; of further ones after these nothing is read.
        """
        weights = logits.detach().float().flatten(2).softmax(-1)[:, : maps.shape[1]]
        pooled = (weights * maps.float().flatten(2)).sum(-1)
        return self.scale * pooled + self.offset


class KeypointNet(nn.Module):
    """Base class of the networks: normalized crops in, :class:`ModelOutput` out.

    Args:
        spec: Crop, input size and normalization.

    Attributes:
        predicts_score: Whether ``score_logit`` is trained.
        head: Of the points.
        pupil_head: Of the pupils, ``None`` where the network has none.
        visibility_head: Of what is hidden, ``None`` where the network has none.

    Example:
        >>> from facedots.models.registry import build_model
        >>> net = build_model("tiny").eval()
        >>> crops = torch.zeros(1, 3, 112, 112, dtype=torch.uint8)
        >>> output = net(net.normalize(crops))
        >>> points, covariance = net.decode(output.logits[:, 0])
        >>> points.shape
        torch.Size([1, 68, 2])
    """

    predicts_score = False
    head: Head
    pupil_head: HeatmapHead | None
    visibility_head: VisibilityHead | None

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.pupil_head = self.visibility_head = None

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Load trained weights; without the heads of pupils and visibility, where they have none.

        Raises:
            RuntimeError: They are those of another network.
        """
        for name in ("pupil_head", "visibility_head"):
            if not any(key.startswith(f"{name}.") for key in weights):
                setattr(self, name, None)
        self.load_state_dict(weights)

    def load_pretrained(self) -> None:
        """Load weights of a pretrained backbone, where there is one; called before a training."""

    def normalize(self, crops: Tensor) -> Tensor:
        """Crops ``(N, C, S, S)`` in 0-255 as float32, with the spec's mean and deviation."""
        mean = torch.tensor(self.spec.mean, device=crops.device).view(1, -1, 1, 1)
        std = torch.tensor(self.spec.std, device=crops.device).view(1, -1, 1, 1)
        return (crops.float() / 255 - mean) / std

    def decode(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`Head.decode`, from the logits ``output.logits[:, style]``."""
        return self.head.decode(logits)


class HeatmapNet(KeypointNet):
    """Base class of the networks that read all their points from heatmaps.

    Args:
        spec: Crop, input size and normalization.
        fused_channels: Channels of the features at a stride of :data:`STRIDE`.
        coarse_channels: Channels of the coarsest features, which predict the score.
        num_styles: Label styles.
    """

    predicts_score = True

    def __init__(
        self, spec: ModelSpec, fused_channels: int, coarse_channels: int, num_styles: int
    ) -> None:
        super().__init__(spec)
        size, count = spec.input_size, spec.schema.count
        grid = size // STRIDE
        self.head = HeatmapHead(fused_channels, count, grid, size, num_styles=num_styles)
        self.score_head = nn.Linear(coarse_channels, 1)
        self.pupil_head = HeatmapHead(fused_channels, PUPILS.count, grid, size)
        self.visibility_head = VisibilityHead(fused_channels, count)

    def read_out(self, fused: Tensor, coarse: Tensor) -> ModelOutput:
        """The output from the fused features and the coarsest ones."""
        return ModelOutput(
            self.head(fused),
            self.score_head(coarse.mean((2, 3))).squeeze(1),
            self.pupil_head(fused)[:, 0] if self.pupil_head is not None else None,
            self.visibility_head(fused) if self.visibility_head is not None else None,
        )
