"""The textbook network: convolution, pooling, fully connected layers; the whole gray frame in,
normalized keypoints out.
"""

import torch
from torch import Tensor, nn

from facedots.geometry import CropSpec
from facedots.models.base import Answer, KeypointNet, RegressionHead
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec


class BaselineCNN(KeypointNet):
    """Five rounds of convolution, 2x2 max pooling and ReLU, a sixth convolution, two fully
    connected layers with dropout.

    It sees no box: the frame is scaled by its shorter side and its middle square cut out, so it
    must find the face itself.
    """

    INPUT_SIZE = 224

    def __init__(
        self, schema: KeypointSchema, styles: int = 1, *, hidden: int = 256, dropout: float = 0.1
    ) -> None:
        super().__init__(
            ModelSpec(
                name="baseline",
                schema=schema,
                crop=CropSpec("frame", 1.0),
                input_size=self.INPUT_SIZE,
                channels=1,
                mean=(0.0,),
                std=(1.0,),
            )
        )
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 48, 3)
        self.conv3 = nn.Conv2d(48, 96, 3)
        self.conv4 = nn.Conv2d(96, 128, 3)
        self.conv5 = nn.Conv2d(128, 192, 3)
        self.conv6 = nn.Conv2d(192, 256, 3)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(conv.out_channels) for conv in self.convolutions()
        )
        self.pool = nn.MaxPool2d(2, 2)
        # 224 -> 111 -> 54 -> 26 -> 12 -> 5 -> 3 pixels a side; the last convolution is not pooled.
        self.head = RegressionHead(
            256 * 3 * 3, hidden, schema.count, self.INPUT_SIZE, dropout=dropout, styles=styles
        )

    def convolutions(self) -> tuple[nn.Conv2d, ...]:
        """The six convolutions, first to last."""
        return self.conv1, self.conv2, self.conv3, self.conv4, self.conv5, self.conv6

    def forward(self, images: Tensor) -> Answer:
        """Normalized coordinates ``(N, styles, 2K)`` from gray frames ``(N, 1, 224, 224)`` in [0,
        1].
        """
        x = images
        for conv, norm in zip(self.convolutions(), self.norms, strict=True):
            x = conv(x)
            # Pooling before norm and ReLU costs a quarter; ReLU keeps order, so the two may change
            # places.
            if conv is not self.conv6:
                x = self.pool(x)
            x = torch.relu(norm(x))
        raw = self.head(x.flatten(1))
        return Answer(raw, torch.full_like(raw[:, 0, 0], torch.nan))
