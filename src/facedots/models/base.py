"""What every keypoint network offers to training, export and whoever else runs it in torch."""

import torch
from torch import Tensor, nn

from facedots.models.heads import Head
from facedots.spec import ModelSpec


class KeypointNet(nn.Module):
    """A network from normalised crops to raw output, and from raw output to points.

    ``forward`` takes float crops ``(N, C, S, S)``, normalised by :meth:`normalise`, and returns what the losses need;
    ``decode`` turns that into points ``(N, K, 2)`` and sigma ``(N, K)``, in pixels of the crop.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.head: Head

    def normalise(self, crops: Tensor) -> Tensor:
        """Crops ``uint8 (N, C, S, S)`` as float32 with the mean and deviation of the spec, which are on the scale [0, 1]."""
        mean = torch.tensor(self.spec.mean, device=crops.device).view(1, -1, 1, 1)
        std = torch.tensor(self.spec.std, device=crops.device).view(1, -1, 1, 1)
        return (crops.float() / 255 - mean) / std

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points ``(N, K, 2)`` and sigma ``(N, K)`` in pixels of the crop; sigma is NaN where the network knows none."""
        return self.head.decode(raw)
