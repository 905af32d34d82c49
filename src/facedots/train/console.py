"""What a person sees while a network trains: one line an epoch, and nothing that only Lightning's authors care about."""

import logging
import warnings
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar

_CHATTY = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric", "torch.onnx")
_EXPECTED = (
    ".*LeafSpec.*",  # Lightning's own use of an old name of torch's
    ".*smaller than the logging interval.*",
    ".*exists and is not empty.*",  # a resumed run
    ".*does not have many workers.*",  # samples are made in the training process on purpose: see the recipe's `workers`
    ".*deleted when the new ones are saved.*",  # train/logs.py keeps them
)


class EpochBar(RichProgressBar):
    """A progress bar with the loss of the last step and the validation NME of the last epoch; every epoch's bar stays."""

    def __init__(self) -> None:
        super().__init__(leave=True)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The two numbers, as text."""
        shown = {"loss": ("train_loss_step", "{:.3f}"), "val NME": ("val_nme", "{:.2f} %")}
        known = trainer.callback_metrics
        return {label: text.format(float(known[key])) for label, (key, text) in shown.items() if key in known}


def keep_quiet() -> None:
    """Silence the notices and the expected warnings of the libraries that train and export."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    for pattern in _EXPECTED:
        warnings.filterwarnings("ignore", pattern)
