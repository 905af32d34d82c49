"""Losses: hand-computed values, missing points, and gradient descent."""

import math

import pytest
import torch

from facedots.errors import RecipeError
from facedots.models.registry import build_model
from facedots.training.losses import LOSSES, wing

POINTWISE = ["smooth_l1", "wing"]


def logits_for(points: torch.Tensor) -> torch.Tensor:
    """Output of the baseline that decodes to these pixels."""
    return ((2 * points + 1) / 224 - 1).flatten(1)


@pytest.mark.parametrize(
    ("name", "expected"),
    # One point of the face is 7 px off along x on a crop of 224, which is 8 px on one of 256; one
    # coordinate in 136.
    [("smooth_l1", 7.5 / 136), ("wing", 10 * math.log(5) / 136)],
)
def test_values_by_hand(name: str, expected: float) -> None:
    target = torch.full((1, 68, 2), 100.0)
    predicted = target.clone()
    predicted[0, 30, 0] += 7
    loss = LOSSES[name](build_model("baseline").head, logits_for(predicted), target)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", POINTWISE)
def test_missing_points_do_not_count(name: str) -> None:
    target = torch.full((1, 68, 2), 100.0)
    predicted = target + 7
    whole = LOSSES[name](build_model("baseline").head, logits_for(predicted), target)
    target[0, 10:] = torch.nan
    assert float(
        LOSSES[name](build_model("baseline").head, logits_for(predicted), target)
    ) == pytest.approx(float(whole), rel=1e-4)


def test_wing_is_continuous_where_its_parts_meet() -> None:
    below, above = wing(torch.tensor([10 - 1e-4, 10 + 1e-4])).tolist()
    assert below == pytest.approx(above, abs=1e-3)


@pytest.mark.parametrize("name", ["heatmap", "heatmap_wing"])
def test_gradient_descent_on_a_heatmap_loss_finds_the_target(name: str) -> None:
    net = build_model("small")
    generator = torch.Generator().manual_seed(0)
    target = 20 + 88 * torch.rand(1, 68, 2, generator=generator)
    target[0, 5] = torch.nan
    target[0, 6] = -40.0
    logits = torch.zeros(1, 68, 16, 16, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    for _ in range(500):
        optimizer.zero_grad()
        loss = LOSSES[name](net.head, logits, target)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        decay.step()
    points, _ = net.decode(logits.detach())
    counted = torch.ones(68, dtype=torch.bool)
    counted[5:7] = False
    assert float((points - target)[0, counted].abs().max()) < 0.25
    assert bool(logits.isfinite().all())


def test_a_heatmap_loss_needs_heatmaps() -> None:
    with pytest.raises(RecipeError, match="no heatmaps"):
        LOSSES["heatmap"](build_model("baseline").head, torch.zeros(1, 136), torch.zeros(1, 68, 2))
