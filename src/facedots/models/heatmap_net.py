"""What the heatmap networks share: the heads after their last features."""

from torch import Tensor, nn

from facedots.models.base import HeatmapHead, KeypointNet, ModelOutput, VisibilityHead
from facedots.schema import PUPILS
from facedots.spec import ModelSpec

STRIDE = 8
"""Pixels of the crop per cell of the heatmaps."""


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
