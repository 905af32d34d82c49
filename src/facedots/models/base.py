"""What every keypoint network offers to training, export and whoever else runs it in torch."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from facedots.models.heads import Head
from facedots.spec import ModelSpec


class Answer(NamedTuple):
    """What ``forward`` returns.

    Attributes:
        raw: What the network's head reads, ``(N, styles, …)``: every label style is answered at once.
        score: Log-odds ``(N,)`` that the crop shows a face, well placed; NaN where the network does not judge.
    """

    raw: Tensor
    score: Tensor


class KeypointNet(nn.Module):
    """A network from normalised crops to an answer, and from an answer to points.

    Args:
        spec: How to feed it.

    Attributes:
        judges: Whether the answer's score means anything.
    """

    judges = False

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.head: Head

    def load_pretrained(self) -> None:
        """Start from weights that others have learned, where there are some for this network; a training calls it first."""

    def normalise(self, crops: Tensor) -> Tensor:
        """Crops ``(N, C, S, S)`` on the scale 0-255 as float32 with the mean and deviation of the spec, which are for [0, 1]."""
        mean = torch.tensor(self.spec.mean, device=crops.device).view(1, -1, 1, 1)
        std = torch.tensor(self.spec.std, device=crops.device).view(1, -1, 1, 1)
        return (crops.float() / 255 - mean) / std

    def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Points and their covariance, in pixels of the crop, from the raw answer in one style.

        Args:
            raw: ``(N, …)``, as in ``answer.raw[:, style]``.

        Returns:
            Points ``(N, K, 2)`` and covariance ``(N, K, 2, 2)``, NaN where the network knows no doubt.
        """
        return self.head.decode(raw)
