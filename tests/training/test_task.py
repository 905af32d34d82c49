"""Where a training leaves bf16, and its progress bar."""

from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.demos.boring_classes import BoringModel
from torch import Tensor

from facedots.models.base import Head
from facedots.models.registry import build_model
from facedots.training.recipe import Recipe
from facedots.training.task import EpochProgressBar, KeypointTask


def test_losses_and_points_are_not_rounded_to_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    task = KeypointTask(build_model("tiny").eval(), Recipe(model="tiny", loss="heatmap_wing"))
    whole, types = task.loss, list[torch.dtype]()

    def loss(head: Head, logits: Tensor, target: Tensor) -> Tensor:
        types.extend((logits.dtype, head.decode(logits)[0].dtype))
        return whole(head, logits, target)

    monkeypatch.setattr(task, "loss", loss)
    monkeypatch.setattr(task, "log", lambda *_args, **_named: None)
    batch = {
        "crop": torch.randint(0, 256, (2, 3, 112, 112), dtype=torch.uint8),
        "points": torch.rand(2, 68, 2) * 112,
        "label_style": torch.zeros(2, dtype=torch.int64),
    }
    with torch.autocast("cpu", torch.bfloat16):
        task.validation_step(batch, 0)
    assert types == [torch.bfloat16, torch.float32]


def test_pupils_and_hidden_points_are_trained_without_moving_the_maps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    task = KeypointTask(build_model("tiny", num_styles=2), Recipe(model="tiny", loss="heatmap"))
    monkeypatch.setattr(task, "log", lambda *_args, **_named: None)
    trainer = SimpleNamespace(optimizers=[SimpleNamespace(param_groups=[{"lr": 0}])])
    monkeypatch.setattr(KeypointTask, "trainer", trainer)
    nothing = {
        "crop": torch.randint(0, 256, (4, 3, 112, 112), dtype=torch.uint8),
        "points": torch.full((4, 68, 2), torch.nan),
        "pupils": torch.full((4, 2, 2), torch.nan),
        "visible": torch.full((4, 68), torch.nan),
        "face": torch.ones(4),
        "label_style": torch.tensor([0, 1, 0, 1]),
    }

    def trained(**labels: Tensor) -> set[str]:
        task.zero_grad()
        task.training_step(nothing | labels, 0).backward()  # type: ignore[no-untyped-call]
        gradients = {name: value.grad for name, value in task.net.named_parameters()}
        assert all(value is not None and value.isfinite().all() for value in gradients.values())
        heads = ("head.maps.bias", "pupil_head.maps.bias", "visibility_head.maps.bias")
        return {name for name in heads if bool((gradients[name] != 0).any())}  # type: ignore[union-attr]

    assert trained() == set()
    assert trained(points=torch.full((4, 68, 2), 50.0)) == {"head.maps.bias"}
    assert trained(pupils=torch.full((4, 2, 2), 50.0)) == {"pupil_head.maps.bias"}
    assert trained(visible=torch.ones(4, 68)) == {"visibility_head.maps.bias"}


class Logged(BoringModel):
    """Logs what the bar shows."""

    def training_step(self, batch: Tensor, batch_idx: int) -> Any:
        self.log_dict({"train_loss_step": 1234.5678, "val_nme": 100.0})
        return super().training_step(batch, batch_idx)


def test_epochs_count_from_1_and_a_bar_fits_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    pl.Trainer(
        accelerator="cpu",
        max_epochs=12,
        limit_train_batches=1,
        limit_val_batches=0,
        callbacks=[EpochProgressBar()],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    ).fit(Logged())
    lines = [line.strip() for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert [line.partition(" ━")[0].strip() for line in lines] == [
        f"Epoch {epoch}/12" for epoch in range(1, 13)
    ]
    assert lines[-1].endswith("loss: 1234.568 val NME: 100.00 %")
