"""The progress bar of a training."""

from typing import Any

import pytest
import pytorch_lightning as pl
from pytorch_lightning.demos.boring_classes import BoringModel
from torch import Tensor

from facedots.training.task import EpochProgressBar


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
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [line.partition(" ━")[0].strip() for line in lines] == [
        f"Epoch {epoch}/12" for epoch in range(1, 13)
    ]
    assert lines[-1].endswith("loss: 1234.568 val NME: 100.00 %")
