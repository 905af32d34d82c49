"""Calibration recovers the distribution that errors were drawn from."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from facedots.annotations.base import FaceAnnotation
from facedots.models.base import HeatmapHead, KeypointNet, ModelOutput, VisibilityHead
from facedots.models.registry import build_model
from facedots.training.calibration import (
    calibrate_covariance,
    calibrate_pupils,
    calibrate_visibility,
)
from facedots.uncertainty import radius_quantile

LABELED = FaceAnnotation(
    Path(), np.zeros((68, 2), np.float32), "", pupils=np.zeros((2, 2), np.float32)
)


class FixedNet(KeypointNet):
    """Predicts (50, 50) for every point, with a deviation equal to the brightness of the crop."""

    def __init__(self) -> None:
        super().__init__(build_model("tiny").spec)
        self.head = FixedHead(8, self.spec.schema.count, grid=14, input_size=112)

    def normalize(self, crops: Tensor) -> Tensor:
        return crops.float()

    def forward(self, crops: Tensor) -> ModelOutput:
        level = crops.mean((1, 2, 3)).view(-1, 1, 1)
        maps = (level - 1.5).view(-1, 1, 1, 1).expand(-1, self.spec.schema.count, 1, 1)
        logits = level.expand(-1, 1, self.spec.schema.count)
        return ModelOutput(logits, crops.new_zeros(len(crops)), level[:, 0].expand(-1, 2), maps)


class FixedHead(HeatmapHead):
    def moments(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        variance = logits.square() + self.target_sigma**2
        return torch.full((*logits.shape, 2), 50.0), variance[..., None, None] * torch.eye(2)


class FixedVisibility(VisibilityHead):
    def decode(self, maps: Tensor, logits: Tensor) -> Tensor:
        return super().decode(maps, logits[..., None, None])


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


def test_the_pupils_covariance_is_calibrated_where_enough_are_labeled() -> None:
    for count, calibrated in ((10, False), (100, True)):
        net, faces = FixedNet(), drawn_faces(2.0, 0.5, 20.0, count)
        net.pupil_head = FixedHead(8, 2, grid=14, input_size=112)
        for face in faces:
            face["pupils"] = face["points"][:2]
        faces.faces = SimpleNamespace(annotations=[LABELED] * count)  # type: ignore[attr-defined]
        calibrate_pupils(net, faces)  # type: ignore[arg-type]
        deviation = (net.pupil_head.scale.square() * 9 + net.pupil_head.floor.square()).sqrt()
        expected = torch.full((2,), np.sqrt(4 * 9 + 0.25))
        assert torch.allclose(deviation, expected, rtol=0.25) == calibrated
        assert net.head.state_dict()["scale"].tolist() == [1.0] * 68


@pytest.mark.parametrize(("scale", "offset"), [(0.5, 1.0), (2.0, -0.5)])
def test_the_visibility_is_calibrated_by_its_log_odds(scale: float, offset: float) -> None:
    random, faces = np.random.default_rng(0), Faces()
    for level in range(200):
        log_odds = level % 4 - 1.5
        visible = random.random(68) < 1 / (1 + np.exp(-(scale * log_odds + offset)))
        truth = np.where(np.arange(68) < 30, np.nan, visible).astype(np.float32)
        crop = torch.full((3, 112, 112), level % 4, dtype=torch.uint8)
        faces.append({"crop": crop, "visible": torch.from_numpy(truth)})
    net = FixedNet()
    net.visibility_head = FixedVisibility(8, 68)
    calibrate_visibility(net, faces)  # type: ignore[arg-type]
    assert float(net.visibility_head.scale) == pytest.approx(scale, abs=0.1)
    assert float(net.visibility_head.offset) == pytest.approx(offset, abs=0.1)
    for face in faces:
        face["visible"] = face["visible"].clamp(min=1)
    calibrate_visibility(net, faces)  # type: ignore[arg-type]
    assert float(net.visibility_head.scale) == pytest.approx(scale, abs=0.1)


def test_a_network_without_covariance_is_not_changed() -> None:
    assert calibrate_covariance(build_model("baseline"), []) is None  # type: ignore[arg-type]
