"""Optimizers: parameter groups, the size of a first step, and weight decay on matrices only."""

import pytest
import torch

from facedots.models.registry import MODELS, build_model
from facedots.training.optimizers import OPTIMIZERS, Muon

LR = 0.01
HEADS = ("head", "pupil_head", "visibility_head")


def first_step(
    optimizer: str, model: str = "tiny", weight_decay: float = 0.0
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Each parameter's value before a first step with random gradients, and after."""
    torch.manual_seed(0)
    net = build_model(model)
    before = {name: value.detach().clone() for name, value in net.named_parameters()}
    for value in net.parameters():
        value.grad = torch.randn_like(value)
    OPTIMIZERS[optimizer](net, LR, weight_decay).step()
    return {name: (before[name], value.detach()) for name, value in net.named_parameters()}


@pytest.mark.parametrize("model", MODELS)
def test_muon_orthogonalizes_the_steps_of_kernels(model: str) -> None:
    bodies = 0
    for name, (before, after) in first_step("muon", model).items():
        step = (after - before).flatten(1) if after.ndim > 1 else after - before
        if after.ndim == 4 and after.shape[1] > 3 and name.partition(".")[0] not in HEADS:
            bodies += 1
            # Newton and Schulz bring singular values into 0.7 … 1.2, roughly; the step is scaled to
            # rms 0.2 of Adam's.
            strengths = torch.linalg.svdvals(step) / (LR * 0.2 * max(step.shape) ** 0.5)
            assert strengths.quantile(0.2) > 0.5, name  # some of square matrices are near 0
            assert strengths.max() < 1.35, name
        else:  # Adam's first step is the gradient's sign
            assert step.abs().max() < 1.01 * LR, name
            assert step.abs().median() == pytest.approx(LR, rel=0.01), name
    assert bodies >= 5


def test_muon_leaves_directions_without_a_gradient() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(8, 4, 3, 3))
    gradient = torch.randn(8, 2) @ torch.randn(2, 36)
    weight.grad = gradient.view_as(weight).clone()
    Muon([{"params": [weight], "use_muon": True, "lr": 1.0}]).step()
    left, strengths, right = torch.linalg.svd(gradient.double(), full_matrices=False)
    strengths /= strengths.norm()
    for _ in range(5):  # Jordan's polynomial
        strengths = 3.4445 * strengths - 4.7750 * strengths**3 + 2.0315 * strengths**5
    expected = -(left * strengths) @ right
    torch.testing.assert_close(weight.detach().flatten(1).double(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_shrinks_kernels_and_matrices_only(optimizer: str) -> None:
    plain, shrunk = first_step(optimizer), first_step(optimizer, weight_decay=0.5)
    for name, (before, after) in plain.items():
        expected = after - LR * 0.5 * before if after.ndim > 1 else after
        torch.testing.assert_close(shrunk[name][1], expected, msg=name, rtol=1e-4, atol=1e-5)
