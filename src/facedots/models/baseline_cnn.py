"""The textbook network on the whole gray image: convolutions, pooling, fully connected layers."""

import torch
from torch import Tensor, nn

from facedots.geometry import CropSpec
from facedots.models.base import Head, KeypointNet, ModelOutput
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec

INPUT_SIZE = 224


class RegressionHead(Head):
    """Two fully connected layers to 2K numbers per label style: x and y of each point in turn,
    normalized to about [-1, 1] of the crop.

    Args:
        in_features: Length of the flat feature vector.
        hidden: Units of the hidden layer.
        num_points: K.
        input_size: Side of the crop in pixels.
        dropout: Probability, between the two layers.
        num_styles: Label styles.

    Example:
        >>> head = RegressionHead(4, hidden=8, num_points=68, input_size=224, dropout=0.1)
        >>> points, covariance = head.decode(head(torch.zeros(3, 4))[:, 0])
        >>> points.shape, bool(covariance.isnan().all())
        (torch.Size([3, 68, 2]), True)
    """

    output_layer = "fc2"

    def __init__(
        self,
        in_features: int,
        hidden: int,
        num_points: int,
        input_size: int,
        *,
        dropout: float,
        num_styles: int = 1,
    ) -> None:
        super().__init__()
        self.num_points, self.input_size, self.num_styles = num_points, input_size, num_styles
        self.fc1 = nn.Linear(in_features, hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, num_styles * 2 * num_points)

    def forward(self, features: Tensor) -> Tensor:
        """Normalized coordinates ``(N, num_styles, 2K)`` from features ``(N, in_features)``."""
        coordinates: Tensor = self.fc2(self.dropout(torch.relu(self.fc1(features))))
        return coordinates.view(-1, self.num_styles, 2 * self.num_points)

    def decode(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`Head.decode`, from normalized coordinates ``(N, 2K)``."""
        points = ((logits.float() + 1) * self.input_size - 1).div(2).view(-1, self.num_points, 2)
        return points, torch.full_like(points, torch.nan).unsqueeze(-1).expand(-1, -1, -1, 2)


class BaselineCNN(KeypointNet):
    """Five rounds of convolution, 2x2 max pooling and ReLU, a sixth convolution, then two fully
    connected layers with dropout.

    It gets no face box: the image is scaled by its shorter side and cropped to its middle square.

    Example:
        >>> from facedots.schema import IBUG68
        >>> BaselineCNN(IBUG68).eval()(torch.zeros(1, 1, 224, 224)).logits.shape
        torch.Size([1, 1, 136])
    """

    def __init__(self, schema: KeypointSchema, num_styles: int = 1) -> None:
        crop = CropSpec("frame", 1.0)
        super().__init__(
            ModelSpec("baseline", schema, crop, INPUT_SIZE, 1, mean=(0.0,), std=(1.0,))
        )
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 48, 3)
        self.conv3 = nn.Conv2d(48, 96, 3)
        self.conv4 = nn.Conv2d(96, 128, 3)
        self.conv5 = nn.Conv2d(128, 192, 3)
        self.conv6 = nn.Conv2d(192, 256, 3)
        norms = (nn.BatchNorm2d(conv.out_channels) for conv in self.convolutions())
        self.norms = nn.ModuleList(norms)
        self.pool = nn.MaxPool2d(2, 2)
        # 224 -> 111 -> 54 -> 26 -> 12 -> 5 -> 3 pixels a side; the last convolution is not pooled.
        self.head = RegressionHead(
            256 * 3 * 3, 256, schema.count, INPUT_SIZE, dropout=0.1, num_styles=num_styles
        )

    def convolutions(self) -> tuple[nn.Conv2d, ...]:
        """The six convolutions, first to last."""
        return self.conv1, self.conv2, self.conv3, self.conv4, self.conv5, self.conv6

    def forward(self, images: Tensor) -> ModelOutput:
        """From gray images ``(N, 1, 224, 224)`` in [0, 1]."""
        x = images
        for conv, norm in zip(self.convolutions(), self.norms, strict=True):
            x = conv(x)
            if conv is not self.conv6:
                x = self.pool(x)  # before norm and ReLU, which would work on four times the cells
            x = torch.relu(norm(x))
        coordinates = self.head(x.flatten(1))
        return ModelOutput(coordinates, torch.full_like(coordinates[:, 0, 0], torch.nan))
