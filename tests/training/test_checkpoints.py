"""Which epochs ``best.ckpt`` and ``last.ckpt`` are of."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from facedots.training.checkpoints import CHECKPOINTS, best_and_last, read_checkpoint


class Worsening(pl.LightningModule):
    """Its error grows from epoch to epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def training_step(self, _batch: Tensor, _: int) -> Tensor:
        return self.weight.square().sum()

    def validation_step(self, _batch: Tensor, _: int) -> None:
        self.log("error", float(self.current_epoch), batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("val_every", [1, 2])
def test_last_is_the_last_epoch_though_no_better(tmp_path: Path, val_every: int) -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=4,
        check_val_every_n_epoch=val_every,
        callbacks=[*best_and_last(tmp_path, "error", "min")],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader([0])  # type: ignore[arg-type,var-annotated]
    trainer.fit(Worsening(), loader, loader)
    epochs = {
        name: read_checkpoint(tmp_path / CHECKPOINTS / f"{name}.ckpt")["epoch"]
        for name in ("best", "last")
    }
    assert epochs == {"best": val_every - 1, "last": 3}
    assert len(list((tmp_path / CHECKPOINTS).iterdir())) == 2
