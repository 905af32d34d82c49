"""The training step, validation and schedule of any network and loss, as a LightningModule."""

from math import cos, pi
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.nn import functional as F

from facedots.data.crops import Item
from facedots.models.base import Answer, KeypointNet
from facedots.training.losses import LOSSES
from facedots.training.optimizers import OPTIMIZERS
from facedots.training.recipe import Recipe

SCORE_LOSS_WEIGHT = 0.1
"""Weight of the cross-entropy of "is this a face, placed as it should be" beside the loss of the
points.
"""


class KeypointTask(pl.LightningModule):
    """Fits one network as its recipe says.

    Logs ``train_loss`` a step and an epoch, ``lr`` a step, ``val_loss`` and ``val_nme`` (percent)
    an epoch.

    Args:
        net: To be trained.
        recipe: How.
    """

    def __init__(self, net: KeypointNet, recipe: Recipe) -> None:
        super().__init__()
        self.net, self.recipe = net, recipe
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's stubs
        self.loss = LOSSES[recipe.loss]

    def forward(self, crops: Tensor) -> Answer:
        """The network's answer for crops ``uint8 (N, C, S, S)``."""
        answer: Answer = self.net(
            self.net.normalize(crops).contiguous(memory_format=torch.channels_last)
        )
        return answer

    def on_train_batch_start(self, _batch: Item, _: int) -> None:
        """Dropout draws from the process's generator; seeding it at every step makes a resumed run
        draw the same.

        Once an epoch would not do: a loader's start draws too, before or after an epoch's start as
        a run is resumed or not.
        """
        torch.manual_seed(self.recipe.seed + self.global_step)

    def training_step(self, batch: Item, _: int) -> Tensor:
        """The loss of one batch."""
        answer = self(batch["crop"])
        loss = self.loss(self.net, in_style(answer.raw, batch["style"]), batch["points"])
        if self.net.predicts_score:
            loss = loss + SCORE_LOSS_WEIGHT * F.binary_cross_entropy_with_logits(
                answer.score.float(), batch["face"]
            )
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(batch["points"]))
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        return loss

    def validation_step(self, batch: Item, _: int) -> None:
        """Loss and NME of one batch of faces that training never sees, by the averaged weights."""
        truth = batch["points"]
        raw = in_style(self(batch["crop"]).raw, batch["style"])
        points, _covariance = self.net.decode(raw)
        self.log("val_loss", self.loss(self.net, raw, truth), batch_size=len(points))
        faces = self._nme(points, truth)
        if len(faces):
            self.log("val_nme", faces.mean(), batch_size=len(faces))

    def _nme(self, points: Tensor, truth: Tensor) -> Tensor:
        """The NME of each face that has one: the two points that scale it may be missing."""
        first, second = self.net.spec.schema.norm_pair
        unit = (truth[:, first] - truth[:, second]).norm(dim=-1)
        faces: Tensor = 100 * (points - truth).norm(dim=-1).nanmean(dim=-1) / unit
        return faces[faces.isfinite()]

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer; linear warm-up, then a cosine to 0."""
        optimizer = OPTIMIZERS[self.recipe.optimizer](
            self.net, self.recipe.lr, self.recipe.weight_decay
        )
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = max(1, round(self.recipe.warmup * steps))

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return (1 + cos(pi * (step - warmup) / max(1, steps - warmup))) / 2

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def in_style(raw: Tensor, style: Tensor) -> Tensor:
    """Of raw answers ``(N, styles, …)``, each face's own: ``(N, …)``."""
    return raw[torch.arange(len(raw), device=raw.device), style]


class WarmAveraging(WeightAveraging):
    """Exponential moving average of the weights whose memory grows with the run, so that short runs
    are averaged too.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=self._average)
        self.decay, self.step = decay, 0

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """After every step; the step's number is noted here, where it costs no wait for the device."""
        self.step = self.step if step_idx is None else step_idx
        return step_idx is not None

    def _average(self, kept: list[Tensor], current: list[Tensor], _count: Any) -> None:
        weight = min(self.decay, (1 + self.step) / (10 + self.step))
        if kept[0].is_floating_point():
            torch._foreach_lerp_(kept, current, 1 - weight)
        else:  # batch norm's counters
            torch._foreach_copy_(kept, current)
