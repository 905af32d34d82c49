"""Calibration finds the law that errors were drawn from."""

import numpy as np
import pytest
import torch
from torch import Tensor

from facedots.models.base import Answer, HeatmapHead, KeypointNet
from facedots.models.registry import build_model
from facedots.training.calibrate import calibrate
from facedots.uncertainty import radius_quantile


class Claims(KeypointNet):
    """Says (50, 50) for every point, with a doubt that its crop's brightness decides."""

    def __init__(self) -> None:
        super().__init__(build_model("tiny").spec)
        self.head = ClaimingHead(8, self.spec.schema.count, grid=14, input_size=112)

    def normalize(self, crops: Tensor) -> Tensor:
        return crops.float()

    def forward(self, crops: Tensor) -> Answer:
        return Answer(
            crops.mean((1, 2, 3)).view(-1, 1, 1).expand(-1, 1, self.spec.schema.count),
            crops.new_zeros(len(crops)),
        )


class ClaimingHead(HeatmapHead):
    def moments(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        doubt = raw.square() + self.spread**2
        return torch.full((*raw.shape, 2), 50.0), doubt[..., None, None] * torch.eye(2)


class Faces(list[dict[str, Tensor]]):
    def __getitem__(self, index: object) -> dict[str, Tensor]:  # type: ignore[override]
        assert isinstance(index, tuple)
        return super().__getitem__(index[1])


def drawn_faces(gain: float, floor: float, dof: float, count: int = 400) -> Faces:
    """Errors from a Student law whose deviation is ``sqrt((gain * doubt)² + floor²)``, for doubts
    of 1, 2, 3 and 4 px.
    """
    random = np.random.default_rng(0)
    faces = Faces()
    for row in range(count):
        doubt = 1 + row % 4
        deviation = np.sqrt((gain * doubt) ** 2 + floor**2)
        chi = np.sqrt(random.chisquare(dof, (68, 1)) / (dof - 2))
        error = deviation * random.normal(size=(68, 2)) / chi
        crop = torch.full((3, 112, 112), doubt, dtype=torch.uint8)
        faces.append({"crop": crop, "points": torch.from_numpy(50 + error).float()})
    return faces


@pytest.mark.parametrize(("gain", "floor", "dof"), [(0.7, 1.2, 5.0), (2.0, 0.5, 20.0)])
def test_gain_floor_and_tail_are_found_again(gain: float, floor: float, dof: float) -> None:
    net = Claims()
    found = calibrate(net, drawn_faces(gain, floor, dof))  # type: ignore[arg-type]
    assert found is not None
    # The quantile is what a user sees of the tail; its parameter itself is hardly determined where
    # it is large.
    assert radius_quantile(0.9, found) == pytest.approx(radius_quantile(0.9, dof), rel=0.03)
    head = net.head
    assert isinstance(head, HeatmapHead)
    sigma = (head.gain.square() * 9 + head.floor.square()).sqrt()
    assert float((sigma / np.sqrt(9 * gain**2 + floor**2) - 1).abs().max()) < 0.1
    small = (head.gain.square() + head.floor.square()).sqrt()
    assert float((small / np.sqrt(gain**2 + floor**2) - 1).abs().max()) < 0.1


def test_a_network_without_doubt_is_left_alone() -> None:
    assert calibrate(build_model("baseline"), []) is None  # type: ignore[arg-type]
