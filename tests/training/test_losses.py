"""Losses: hand-computed values, missing points, and that descending them finds the truth."""

import math

import pytest
import torch

from facedots.errors import RecipeError
from facedots.models.registry import build_model
from facedots.training.losses import LOSSES, wing

POINTWISE = ["mse", "l1", "smooth_l1", "wing"]


def raw_of(points: torch.Tensor) -> torch.Tensor:
    """What the baseline network's head must give so that it decodes to these pixels."""
    return ((2 * points + 1) / 224 - 1).flatten(1)


@pytest.mark.parametrize(
    ("name", "expected"),
    # One point of the face is 7 px off along x on a crop of 224, which is 8 px on one of 256; one
    # coordinate in 136.
    [
        ("mse", 64 / 136),
        ("l1", 8 / 136),
        ("smooth_l1", 7.5 / 136),
        ("wing", 10 * math.log(5) / 136),
    ],
)
def test_values_by_hand(name: str, expected: float) -> None:
    truth = torch.full((1, 68, 2), 100.0)
    predicted = truth.clone()
    predicted[0, 30, 0] += 7
    loss = LOSSES[name](build_model("baseline"), raw_of(predicted), truth)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", POINTWISE)
def test_missing_points_cost_nothing(name: str) -> None:
    truth = torch.full((1, 68, 2), 100.0)
    predicted = truth + 7
    whole = LOSSES[name](build_model("baseline"), raw_of(predicted), truth)
    truth[0, 10:] = torch.nan
    assert float(LOSSES[name](build_model("baseline"), raw_of(predicted), truth)) == pytest.approx(
        float(whole), rel=1e-4
    )


def test_wing_is_continuous_where_its_parts_meet() -> None:
    below, above = wing(torch.tensor([10 - 1e-4, 10 + 1e-4])).tolist()
    assert below == pytest.approx(above, abs=1e-3)


@pytest.mark.parametrize("name", ["heatmap", "heatmap_l1", "heatmap_wing"])
def test_descending_a_heatmap_loss_finds_the_truth(name: str) -> None:
    net = build_model("small")
    generator = torch.Generator().manual_seed(0)
    truth = 20 + 88 * torch.rand(1, 68, 2, generator=generator)
    truth[0, 5] = torch.nan
    truth[0, 6] = -40.0
    raw = torch.zeros(1, 68, 16, 16, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.3)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    for _ in range(500):
        optimizer.zero_grad()
        loss = LOSSES[name](net, raw, truth)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        decay.step()
    points, _ = net.decode(raw.detach())
    seen = torch.ones(68, dtype=torch.bool)
    seen[5:7] = False
    assert float((points - truth)[0, seen].abs().max()) < 0.25
    assert bool(raw.isfinite().all())


def test_a_heatmap_loss_needs_heatmaps() -> None:
    with pytest.raises(RecipeError, match="no heatmaps"):
        LOSSES["heatmap"](build_model("baseline"), torch.zeros(1, 136), torch.zeros(1, 68, 2))
