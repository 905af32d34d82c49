"""What Lightning trains: the LightningModule of any network and loss, the crops of a split, and the
callbacks that average weights and show progress.
"""

import logging
import warnings
from math import nan
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import RichProgressBar, WeightAveraging
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchmetrics import MeanMetric

from facedots.annotations.base import LOG, FaceAnnotation
from facedots.data.crops import CropDataset, EpochSampler, Item
from facedots.data.processes import Processes
from facedots.data.splits import Split
from facedots.models.base import KeypointNet, ModelOutput
from facedots.training.losses import LOSSES, visibility_cross_entropy
from facedots.training.optimizers import OPTIMIZERS, warmup_then_cosine
from facedots.training.recipe import Recipe

SCORE_LOSS_WEIGHT = 0.1
"""Weight of the score's cross-entropy, relative to the loss of the points."""
VISIBILITY_LOSS_WEIGHT = 0.1
"""The same of the visibility's."""
PUPIL_LOSS_WEIGHT = 0.1
"""The same of the pupils' loss: few faces of a batch have them labeled."""

_RANK_SEED = 1_000_003  # apart from the seeds of other steps

_NOISY_LOGGERS = "pytorch_lightning lightning_fabric lightning.pytorch lightning.fabric torch.onnx"
_EXPECTED_WARNINGS = (
    ".*LeafSpec.*",  # Lightning uses an old name of torch's
    ".*smaller than the logging interval.*",
    ".*exists and is not empty.*",  # a resumed run
    ".*does not have many workers.*",  # on purpose, see the recipe's `workers`
    ".*deleted when the new ones are saved.*",  # archive_metrics keeps them
    ".*`broadcast_buffers` is deprecated.*",  # its successor is younger than our oldest torch
)


class KeypointTask(pl.LightningModule):
    """Training step, validation and schedule of one network.

    Logs ``train_loss`` per step and epoch, ``lr`` per step, ``val_loss`` and ``val_nme`` (percent)
    per epoch.

    Args:
        net: The network.
        recipe: Its loss, optimizer and schedule.
    """

    def __init__(self, net: KeypointNet, recipe: Recipe) -> None:
        super().__init__()
        self.net, self.recipe = net, recipe
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's stubs
        self.loss = LOSSES[recipe.loss]
        # Lightning's own mean over processes rounds the average number of their faces down.
        self.val_loss, self.val_nme = (MeanMetric(nan_strategy=nan) for _ in range(2))

    def forward(self, crops: Tensor) -> ModelOutput:
        """The network's output for crops ``uint8 (N, C, S, S)``, normalized here."""
        images = self.net.normalize(crops).contiguous(memory_format=torch.channels_last)
        output: ModelOutput = self.net(images)
        return output

    def on_train_batch_start(self, _batch: Item, _: int) -> None:
        """Seed dropout at every step, so that a resumed run draws the same. Once per epoch would
        not do: a loader draws too, before or after the epoch's start as a run is resumed or not.
        """
        torch.manual_seed(self.recipe.seed + self.global_step + self.global_rank * _RANK_SEED)

    def training_step(self, batch: Item, _: int) -> Tensor:
        """The loss of one batch."""
        output = self(batch["crop"])
        logits = style_logits(output.logits, batch["label_style"])
        pupil_head, visibility_head = self.net.pupil_head, self.net.visibility_head
        with self._float32():
            loss = self.loss(self.net.head, logits, batch["points"])
            if pupil_head is not None:
                pupil_loss = self.loss(pupil_head, output.pupil_logits, batch["pupils"])
                loss = loss + PUPIL_LOSS_WEIGHT * pupil_loss
            if visibility_head is not None:
                log_odds = visibility_head.decode(output.visibility_maps, logits)
                hidden_loss = visibility_cross_entropy(log_odds, batch["visible"])
                loss = loss + VISIBILITY_LOSS_WEIGHT * hidden_loss
        if self.net.predicts_score:
            score = output.score_logit.float()
            cross_entropy = F.binary_cross_entropy_with_logits(score, batch["face"])
            loss = loss + SCORE_LOSS_WEIGHT * cross_entropy
        count = len(batch["points"])
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=count, sync_dist=True)
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        return loss

    def validation_step(self, batch: Item, _: int) -> None:
        """Loss and NME of one batch of held-out faces, by the averaged weights."""
        target = batch["points"]
        logits = style_logits(self(batch["crop"]).logits, batch["label_style"])
        with self._float32():
            points, _covariance = self.net.decode(logits)
            loss, errors = self.loss(self.net.head, logits, target), self._nme(points, target)
        nme = errors.mean() if len(errors) else loss.new_zeros(())
        self.val_loss.update(loss, len(points))
        self.val_nme.update(nme, len(errors))
        self.log("val_loss", self.val_loss)
        self.log("val_nme", self.val_nme)

    def _float32(self) -> torch.autocast:
        """The end of bf16: rounded to it, points would be up to a pixel off."""
        return torch.autocast(self.device.type, enabled=False)

    def _nme(self, points: Tensor, target: Tensor) -> Tensor:
        """The NME of each face whose two normalizing points are labeled."""
        first, second = self.net.spec.schema.norm_pair
        unit = (target[:, first] - target[:, second]).norm(dim=-1)
        errors: Tensor = 100 * (points - target).norm(dim=-1).nanmean(dim=-1) / unit
        return errors[errors.isfinite()]

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer; linear warm-up, then a cosine to 0."""
        recipe = self.recipe
        optimizer = OPTIMIZERS[recipe.optimizer](self.net, recipe.lr, recipe.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        return warmup_then_cosine(optimizer, steps, recipe.warmup_fraction)


def style_logits(logits: Tensor, style: Tensor) -> Tensor:
    """Of logits ``(N, num_styles, ...)``, those in each face's label style: ``(N, ...)``."""
    return logits[torch.arange(len(logits), device=logits.device), style]


class FaceDataModule(pl.LightningDataModule):
    """Training and validation crops of a split for one network, in batches of
    :data:`~facedots.data.crops.Item`: the share of one process, whose batches together are the
    recipe's.

    Raises:
        RecipeError: The batch cannot be divided among the processes, or there are too few faces.
    """

    def __init__(
        self, split: Split, net: KeypointNet, recipe: Recipe, processes: Processes
    ) -> None:
        super().__init__()
        self.split, self.recipe, self.spec, self.processes = split, recipe, net.spec, processes
        self.batch_size = processes.share_of(recipe.batch_size)
        processes.check_enough(recipe.batch_size, split.train, split.validation)
        self.negative_fraction = recipe.negative_fraction if net.predicts_score else 0.0

    def train_dataloader(self) -> DataLoader[Item]:
        """Augmented crops, in a new order every epoch."""
        crops = self._crops(self.split.train, self.recipe.augmentation)
        return self._loader(crops, shuffle=True, drop_last=len(crops) >= self.recipe.batch_size)

    def val_dataloader(self) -> DataLoader[Item]:
        """Test-time crops of the held-out faces."""
        return self._loader(self._crops(self.split.validation, 0.0), shuffle=False, drop_last=False)

    def _crops(self, faces: list[FaceAnnotation], strength: float) -> CropDataset:
        recipe = self.recipe
        return CropDataset(
            faces,
            self.spec,
            strength=strength,
            seed=recipe.seed,
            cache_bytes=recipe.cache_gb * 1e9,
            box_jitter=recipe.box_jitter,
            label_styles=recipe.label_styles,
            negative_fraction=self.negative_fraction,
            cooldown_start=recipe.epochs * (1 - recipe.cooldown_fraction),
        )

    def _loader(self, crops: CropDataset, shuffle: bool, drop_last: bool) -> DataLoader[Item]:
        recipe, count, rank = self.recipe, self.processes.count, self.processes.rank
        sampler = EpochSampler(
            len(crops), count, rank, shuffle=shuffle, seed=recipe.seed, even=drop_last
        )
        return DataLoader(
            crops,
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=recipe.workers,
            persistent_workers=recipe.workers > 0,
        )


class WarmupEma(WeightAveraging):
    """Exponential moving average of the weights; its decay, at most ``decay`` in [0, 1), grows with
    the steps, so that short runs are averaged too.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=self._average)
        self.decay, self.step = decay, 0

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """After every step, whose number is kept: reading it on the device would wait for it."""
        self.step = self.step if step_idx is None else step_idx
        return step_idx is not None

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Average what batch norm counted in each process, so that all validate one network."""
        if self._average_model is not None:
            average_buffers(trainer.world_size, pl_module, self._average_model)
        super().on_validation_epoch_start(trainer, pl_module)

    def _average(self, averages: list[Tensor], current: list[Tensor], _count: Any) -> None:
        weight = min(self.decay, (1 + self.step) / (10 + self.step))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, current, 1 - weight)
        else:  # counters of batch norm
            torch._foreach_copy_(averages, current)


def average_buffers(processes: int, *modules: torch.nn.Module) -> None:
    """Average the floating-point buffers, which batch norm keeps, over several processes."""
    for module in modules if processes > 1 else ():
        for buffer in filter(Tensor.is_floating_point, module.buffers()):
            torch.distributed.all_reduce(buffer)
            buffer.div_(processes)


class EpochProgressBar(RichProgressBar):
    """A progress bar per epoch on the standard error output, with the loss of the last step and the
    last validation NME, within 80 columns.
    """

    def __init__(self) -> None:
        super().__init__(leave=True, console_kwargs={"stderr": True})

    def configure_columns(self, trainer: pl.Trainer) -> list[ProgressColumn]:
        """Epoch, bar, batches, and the time left, at the end the time taken."""
        text = TextColumn("{task.description}")
        left = TimeRemainingColumn(compact=True, elapsed_when_finished=True)
        return [text, BarColumn(14), MofNCompleteColumn(), left]

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch + 1}/{self.trainer.max_epochs}"

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The two numbers, as text."""
        columns = {"loss": ("train_loss_step", "{:.3f}"), "val NME": ("val_nme", "{:.2f} %")}
        metrics = trainer.callback_metrics
        return {
            label: text.format(float(metrics[key]))
            for label, (key, text) in columns.items()
            if key in metrics
        }


def silence_libraries(*, is_first: bool = True) -> None:
    """Silence the notices and expected warnings of Lightning and torch; those of facedots, too,
    where another process gives them.
    """
    if not is_first:
        LOG.setLevel(logging.ERROR)
    for name in _NOISY_LOGGERS.split():
        logging.getLogger(name).setLevel(logging.ERROR)
    for pattern in _EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", pattern)
