"""What a person sees while a network trains: one line an epoch, and nothing that only Lightning's
authors care about.
"""

import csv
import logging
import warnings
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar

from facedots.io.files import atomic_write

_CHATTY = (
    "pytorch_lightning",
    "lightning_fabric",
    "lightning.pytorch",
    "lightning.fabric",
    "torch.onnx",
)
_EXPECTED = (
    ".*LeafSpec.*",  # Lightning's own use of an old name of torch's
    ".*smaller than the logging interval.*",
    ".*exists and is not empty.*",  # a resumed run
    ".*does not have many workers.*",  # samples are made in the training process on purpose: see the recipe's `workers`
    ".*deleted when the new ones are saved.*",  # train/logs.py keeps them
)


class EpochBar(RichProgressBar):
    """A progress bar with the loss of the last step and the validation NME of the last epoch; every
    epoch's bar stays.
    """

    def __init__(self) -> None:
        super().__init__(leave=True)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The two numbers, as text."""
        shown = {"loss": ("train_loss_step", "{:.3f}"), "val NME": ("val_nme", "{:.2f} %")}
        known = trainer.callback_metrics
        return {
            label: text.format(float(known[key]))
            for label, (key, text) in shown.items()
            if key in known
        }


def keep_quiet() -> None:
    """Silence the notices and the expected warnings of the libraries that train and export."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    for pattern in _EXPECTED:
        warnings.filterwarnings("ignore", pattern)


def set_aside(metrics: Path) -> list[Path]:
    """Move the metrics of a run's earlier part out of the logger's way.

    Returns:
        All parts that were moved so far, oldest first; more than one where a resumed run was killed
        too.
    """
    parts = sorted(metrics.parent.glob("metrics.*.part.csv"))
    if metrics.exists():
        parts.append(metrics.rename(metrics.with_name(f"metrics.{len(parts):04d}.part.csv")))
    return parts


def join_logs(parts: Sequence[Path], metrics: Path) -> None:
    """Put the earlier parts before the last one: of each, the rows of steps before the next part's
    first.

    Args:
        parts: Files of :func:`set_aside`, oldest first; they are removed.
        metrics: The last part, which the joined rows replace.
    """
    if not parts or not metrics.exists():
        return
    kept: list[dict[str, str]] = []
    for part in [*parts, metrics]:
        rows = _rows(part)
        if rows:
            start = min(int(row["step"]) for row in rows)
            kept = [row for row in kept if int(row["step"]) < start] + rows
    columns = list(dict.fromkeys(name for row in kept for name in row))
    text = StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(kept)
    atomic_write(metrics, text.getvalue())
    for part in parts:
        part.unlink()


def _rows(part: Path) -> list[dict[str, str]]:
    with part.open(newline="") as file:
        return list(csv.DictReader(file))
