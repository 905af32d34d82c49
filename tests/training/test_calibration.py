"""Calibration recovers the distribution that errors were drawn from."""

import numpy as np
import pytest
import torch
from torch import Tensor

from facedots.models.base import HeatmapHead, KeypointNet, ModelOutput
from facedots.models.registry import build_model
from facedots.training.calibration import calibrate_covariance
from facedots.uncertainty import radius_quantile


class FixedNet(KeypointNet):
    """Predicts (50, 50) for every point, with a deviation equal to the brightness of the crop."""

    def __init__(self) -> None:
        super().__init__(build_model("tiny").spec)
        self.head = FixedHead(8, self.spec.schema.count, grid=14, input_size=112)

    def normalize(self, crops: Tensor) -> Tensor:
        return crops.float()

    def forward(self, crops: Tensor) -> ModelOutput:
        return ModelOutput(
            crops.mean((1, 2, 3)).view(-1, 1, 1).expand(-1, 1, self.spec.schema.count),
            crops.new_zeros(len(crops)),
        )


class FixedHead(HeatmapHead):
    def moments(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        variance = logits.square() + self.target_sigma**2
        return torch.full((*logits.shape, 2), 50.0), variance[..., None, None] * torch.eye(2)


class Faces(list[dict[str, Tensor]]):
    def __getitem__(self, index: object) -> dict[str, Tensor]:  # type: ignore[override]
        assert isinstance(index, tuple)
        return super().__getitem__(index[1])


def drawn_faces(scale: float, floor: float, dof: float, count: int = 400) -> Faces:
    """Errors from a Student law whose deviation is ``sqrt((scale * sigma)² + floor²)``, for sigmas
    of 1, 2, 3 and 4 px.
    """
    random = np.random.default_rng(0)
    faces = Faces()
    for row in range(count):
        sigma = 1 + row % 4
        deviation = np.sqrt((scale * sigma) ** 2 + floor**2)
        chi = np.sqrt(random.chisquare(dof, (68, 1)) / (dof - 2))
        error = deviation * random.normal(size=(68, 2)) / chi
        crop = torch.full((3, 112, 112), sigma, dtype=torch.uint8)
        faces.append({"crop": crop, "points": torch.from_numpy(50 + error).float()})
    return faces


@pytest.mark.parametrize(("scale", "floor", "dof"), [(0.7, 1.2, 5.0), (2.0, 0.5, 20.0)])
def test_scale_floor_and_dof_are_recovered(scale: float, floor: float, dof: float) -> None:
    net = FixedNet()
    fitted = calibrate_covariance(net, drawn_faces(scale, floor, dof))  # type: ignore[arg-type]
    assert fitted is not None
    # Compare quantiles: a large number of degrees of freedom is hardly determined itself.
    assert radius_quantile(0.9, fitted) == pytest.approx(radius_quantile(0.9, dof), rel=0.03)
    head = net.head
    assert isinstance(head, HeatmapHead)
    sigma = (head.scale.square() * 9 + head.floor.square()).sqrt()
    assert float((sigma / np.sqrt(9 * scale**2 + floor**2) - 1).abs().max()) < 0.1
    small = (head.scale.square() + head.floor.square()).sqrt()
    assert float((small / np.sqrt(scale**2 + floor**2) - 1).abs().max()) < 0.1


def test_a_network_without_covariance_is_not_changed() -> None:
    assert calibrate_covariance(build_model("baseline"), []) is None  # type: ignore[arg-type]
