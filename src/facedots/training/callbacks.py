"""Lightning callbacks: averaged weights, the progress bar, quiet libraries, and one log of a run
that was resumed.
"""

import csv
import logging
import warnings
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import RichProgressBar, WeightAveraging
from torch import Tensor

from facedots.io.files import atomic_write

_NOISY_LOGGERS = (
    "pytorch_lightning",
    "lightning_fabric",
    "lightning.pytorch",
    "lightning.fabric",
    "torch.onnx",
)
_EXPECTED_WARNINGS = (
    ".*LeafSpec.*",  # Lightning uses an old name of torch's
    ".*smaller than the logging interval.*",
    ".*exists and is not empty.*",  # a resumed run
    ".*does not have many workers.*",  # on purpose, see the recipe's `workers`
    ".*deleted when the new ones are saved.*",  # archive_metrics keeps them
)


class WarmupEma(WeightAveraging):
    """Exponential moving average of the weights; its decay grows with the steps, so that short runs
    are averaged too.

    Args:
        decay: Largest decay, in [0, 1).
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=self._average)
        self.decay, self.step = decay, 0

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """After every step, whose number is kept: reading it on the device would wait for it."""
        self.step = self.step if step_idx is None else step_idx
        return step_idx is not None

    def _average(self, averages: list[Tensor], current: list[Tensor], _count: Any) -> None:
        weight = min(self.decay, (1 + self.step) / (10 + self.step))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, current, 1 - weight)
        else:  # counters of batch norm
            torch._foreach_copy_(averages, current)


class EpochProgressBar(RichProgressBar):
    """A progress bar per epoch, with the loss of the last step and the last validation NME."""

    def __init__(self) -> None:
        super().__init__(leave=True)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The two numbers, as text."""
        columns = {"loss": ("train_loss_step", "{:.3f}"), "val NME": ("val_nme", "{:.2f} %")}
        metrics = trainer.callback_metrics
        return {
            label: text.format(float(metrics[key]))
            for label, (key, text) in columns.items()
            if key in metrics
        }


def silence_libraries() -> None:
    """Silence the notices and expected warnings of Lightning and torch."""
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    for pattern in _EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", pattern)


def archive_metrics(metrics: Path) -> list[Path]:
    """Rename the metrics of a run's earlier part, which the logger would overwrite.

    Returns:
        All earlier parts, oldest first.
    """
    parts = sorted(metrics.parent.glob("metrics.*.part.csv"))
    if metrics.exists():
        parts.append(metrics.rename(metrics.with_name(f"metrics.{len(parts):04d}.part.csv")))
    return parts


def merge_metrics(parts: Sequence[Path], metrics: Path) -> None:
    """Prepend the earlier parts to the last one; of each, only steps before the next part's first.

    Args:
        parts: Files of :func:`archive_metrics`, oldest first; they are removed.
        metrics: The last part, replaced by the merged rows.
    """
    if not parts or not metrics.exists():
        return
    merged: list[dict[str, str]] = []
    for part in [*parts, metrics]:
        with part.open(newline="") as file:
            rows = list(csv.DictReader(file))
        if rows:
            start = min(int(row["step"]) for row in rows)
            merged = [row for row in merged if int(row["step"]) < start] + rows
    columns = list(dict.fromkeys(name for row in merged for name in row))
    text = StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(merged)
    atomic_write(metrics, text.getvalue())
    for part in parts:
        part.unlink()
