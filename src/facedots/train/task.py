"""The training step, validation and schedule of any network and loss, as a LightningModule."""

from math import cos, pi
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor

from facedots.data.crops import Item
from facedots.models.base import KeypointNet
from facedots.train.losses import LOSSES
from facedots.train.recipe import Recipe


class KeypointTask(pl.LightningModule):
    """Fits one network as its recipe says.

    Logs ``train_loss`` a step and an epoch, ``lr`` a step, ``val_loss`` and ``val_nme`` (percent) an epoch.
    """

    def __init__(self, net: KeypointNet, recipe: Recipe) -> None:
        super().__init__()
        self.net, self.recipe = net, recipe
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's stubs
        self.loss = LOSSES[recipe.loss]

    def forward(self, crops: Tensor) -> Tensor:
        """The network's raw output for crops ``uint8 (N, C, S, S)``."""
        raw: Tensor = self.net(self.net.normalise(crops).contiguous(memory_format=torch.channels_last))
        return raw

    def on_train_epoch_start(self) -> None:
        """Dropout draws from the process's generator; seeding it by epoch makes a resumed run draw the same."""
        torch.manual_seed(self.recipe.seed + self.current_epoch)

    def training_step(self, batch: Item, _: int) -> Tensor:
        """The loss of one batch."""
        loss = self.loss(self.net, self(batch["crop"]), batch["points"])
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(batch["crop"]))
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        return loss

    def validation_step(self, batch: Item, _: int) -> None:
        """Loss and NME of one batch of faces that training never sees, by the averaged weights."""
        raw = self(batch["crop"])
        points, _sigma = self.net.decode(raw)
        size = len(points)
        self.log("val_loss", self.loss(self.net, raw, batch["points"]), batch_size=size)
        self.log("val_nme", self._nme(points, batch["points"]), batch_size=size)

    def _nme(self, points: Tensor, truth: Tensor) -> Tensor:
        first, second = self.net.spec.schema.norm_pair
        unit = (truth[:, first] - truth[:, second]).norm(dim=-1)
        faces: Tensor = 100 * (points - truth).norm(dim=-1).nanmean(dim=-1) / unit
        return faces.nanmean()

    def configure_optimizers(self) -> Any:
        """AdamW; weight decay on matrices and kernels only; linear warm-up, then a cosine to 0."""
        weights = [p for p in self.parameters() if p.ndim > 1]
        others = [p for p in self.parameters() if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": self.recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.recipe.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = max(1, round(self.recipe.warmup * steps))

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return (1 + cos(pi * (step - warmup) / max(1, steps - warmup))) / 2

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class WarmAveraging(WeightAveraging):
    """Exponential moving average of the weights whose memory grows with the run, so that short runs are averaged too."""

    def __init__(self, decay: float) -> None:
        def average(kept: Tensor, current: Tensor, count: Any) -> Tensor:
            weight = min(decay, (1 + int(count)) / (10 + int(count)))
            return kept * weight + current * (1 - weight)

        super().__init__(avg_fn=average)
