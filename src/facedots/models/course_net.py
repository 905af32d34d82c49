"""The textbook network: convolution, pooling, fully connected layers; the whole grey frame in, normalised keypoints out."""

import torch
from torch import Tensor, nn

from facedots.geometry import Framing
from facedots.models.base import KeypointNet
from facedots.models.heads import RegressionHead
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec


class CourseNet(KeypointNet):
    """Five rounds of convolution, ReLU and 2x2 max pooling, then two fully connected layers with dropout.

    It sees no box: the frame is scaled by its shorter side and its middle square cut out, so it must find the face itself.
    """

    INPUT_SIZE = 224
    CHANNELS = (32, 48, 64, 96, 128)

    def __init__(self, schema: KeypointSchema, hidden: int = 128, dropout: float = 0.1) -> None:
        super().__init__(
            ModelSpec(
                name="course",
                schema=schema,
                framing=Framing("frame", 1.0),
                input_size=self.INPUT_SIZE,
                channels=1,
                mean=(0.0,),
                std=(1.0,),
            )
        )
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 48, 3)
        self.conv3 = nn.Conv2d(48, 64, 3)
        self.conv4 = nn.Conv2d(64, 96, 3)
        self.conv5 = nn.Conv2d(96, 128, 3)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in self.CHANNELS)
        self.pool = nn.MaxPool2d(2, 2)
        # 224 -> 111 -> 54 -> 26 -> 12 -> 5
        self.head = RegressionHead(128 * 5 * 5, hidden, schema.count, self.INPUT_SIZE, dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised coordinates ``(N, 2K)`` from grey frames ``(N, 1, 224, 224)`` in [0, 1]."""
        x = images
        for conv, norm in zip((self.conv1, self.conv2, self.conv3, self.conv4, self.conv5), self.norms, strict=True):
            # Pooling first costs a quarter; ReLU keeps order, so it makes no difference which of the two comes first.
            x = torch.relu(norm(self.pool(conv(x))))
        coordinates: Tensor = self.head(x.flatten(1))
        return coordinates
