"""What goes wrong in a training, in one line that says what to do."""

import contextlib
import errno
import math
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor

from facedots.errors import FacedotsError, OutputError, TrainingError
from facedots.inference.weights import RECIPE_FILE
from facedots.io.signals import Stopped, exit_status

CHECKED_STEPS = 50
"""On a GPU, the loss is read once in so many steps: reading it waits for the device."""


class FiniteLoss(pl.Callback):
    """Stops a training whose loss or weights are no numbers, before a checkpoint is written.

    Raises:
        TrainingError: In such a training.
    """

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the loss: on a CPU that of every step."""
        loss: Tensor = outputs["loss"] if isinstance(outputs, dict) else outputs
        last = batch_idx + 1 == trainer.num_training_batches
        look = loss.device.type == "cpu" or last or batch_idx % CHECKED_STEPS == 0
        if look and not math.isfinite(float(loss)):
            raise _diverged("the loss is", trainer, batch_idx + 1)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Look at what the last step left: the weights, their loss, and the points they give."""
        step, metrics = int(trainer.num_training_batches), trainer.callback_metrics
        if not math.isfinite(float(metrics.get("val_loss", 0.0))):
            raise _diverged("the validation loss is", trainer, step)
        if not all(bool(weight.isfinite().all()) for weight in module.parameters()):
            raise _diverged("the weights are", trainer, step)
        if "val_nme" in metrics and math.isnan(float(metrics["val_nme"])):
            raise TrainingError(
                "no error could be measured on the validation faces: label both points of the "
                "schema's norm_pair in some of them, or lower lr, and train again"
            )


def _diverged(what: str, trainer: pl.Trainer, step: int) -> TrainingError:
    lr = float(trainer.optimizers[0].param_groups[0]["initial_lr"])
    return TrainingError(
        f"{what} not a number after step {step} of epoch {trainer.current_epoch + 1}; "
        f"lower lr (it is {lr:g}) and train again"
    )


@contextlib.contextmanager
def explain_faults(run: Path) -> Iterator[None]:
    """Turn what ends a training into one line that names the run and says what to do; SIGTERM ends
    it with the status that shells expect, where Lightning would end with 0.

    Raises:
        TrainingError: The loss is not a number, a worker was killed, or memory is short.
        OutputError: The disk is full, or the folder cannot be written.
    """
    try:
        yield
    except SIGTERMException as stop:
        raise SystemExit(exit_status(Stopped(signal.SIGTERM))) from stop
    except TrainingError as error:
        if str(error).startswith(f"{run}: "):  # of its folder: nothing was trained
            raise
        kept = f"; {run / 'checkpoints'} keeps the epochs before"
        whole = (run / "checkpoints" / "last.ckpt").exists()
        raise TrainingError(f"{run}: {error}{kept if whole else ''}") from error
    except OutputError as error:
        fault = f"{error}{_room(error.__cause__)}"
        raise OutputError(f"{fault}; mend that, then {_again(run)}") from error
    except FacedotsError as error:
        if not re.match(r"Caught \w+ in DataLoader worker", str(error)):
            raise
        line = str(error).strip().splitlines()[-1]  # after the worker's traceback
        raise type(error)(re.sub(r"^[\w.]+Error: ", "", line)) from error
    except OSError as error:
        fault = f"{error.filename or run}: cannot be read or written: {error.strerror or error}"
        raise OutputError(f"{fault}{_room(error)}; mend that, then {_again(run)}") from error
    except RuntimeError as error:
        if _is_lost_process(error):
            raise TrainingError(
                f"{run}: another process of this training ended, or does not answer; its own "
                f"message has the reason; in all processes, {_again(run)}"
            ) from error
        if (advice := _advice(error)) is None:
            raise
        raise TrainingError(
            f"{run}: {advice} in {run / RECIPE_FILE}, then {_again(run)}"
        ) from error


def _again(run: Path) -> str:
    """How to go on: there is a run to resume only once its recipe is written."""
    if not (run / RECIPE_FILE).exists():
        return "start the training again"
    return f"`facedots train --resume {run}` goes on after its last whole epoch"


def _room(error: BaseException | None) -> str:
    """What to do where a disk is full."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return " (delete files, or move the run to another disk)" if full else ""


def _is_lost_process(error: RuntimeError) -> bool:
    """Whether the connection to another process broke: by class of NCCL's errors and of the store,
    by text of gloo's.
    """
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def _advice(error: RuntimeError) -> str | None:
    """What happened and which fields to change, for errors that torch raises."""
    text = str(error)
    if "DataLoader worker" in text:
        return (
            "a process that reads images ended (killed, often because memory ran out); "
            "set workers or cache_gb lower"
        )
    if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in text.lower():
        return "memory ran out; set batch_size lower"
    if "can't allocate memory" in text or "shared memory" in text:
        return "memory ran out; set batch_size, workers or cache_gb lower"
    return None
