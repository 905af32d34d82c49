"""Training and export of the finder: :func:`train_finder` and :func:`export_finder`.

A run is one folder: ``recipe.yaml``, ``provenance.json`` (where the scenes are), ``checkpoints``
(best by average precision, and last), ``logs`` (losses and validation).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from facedots.data.canvases import CanvasDataset
from facedots.data.crops import EpochSampler
from facedots.data.processes import Processes
from facedots.data.scenes import Scene, load_scenes
from facedots.errors import RecipeError
from facedots.inference.weights import RECIPE_FILE
from facedots.models.finder import FinderNet
from facedots.training.checkpoints import (
    AtomicCheckpointIO,
    best_and_last,
    last_checkpoint,
    whole_checkpoint,
)
from facedots.training.faults import FiniteLoss, explain_faults
from facedots.training.finder_task import FinderRecipe, FinderTask
from facedots.training.hardware import choose_device, denormals_flushed
from facedots.training.recipe import read_recipe
from facedots.training.run_folder import PROVENANCE_FILE, begin_run, lock_run
from facedots.training.task import WarmupEma, silence_libraries

VALIDATION_STEPS: Mapping[str, int] = {"youtube-faces": 12, "300w": 3, "wider": 4, "crowds": 2}
"""Sources of which validation takes every n-th held-out scene only."""

_CLIP_NORM = 5.0


def load_finder_run(run: str | Path) -> tuple[FinderRecipe, str]:
    """The recipe of a run, and the folder of its scenes."""
    record = json.loads((Path(run) / PROVENANCE_FILE).read_text())
    return load_finder_recipe(Path(run) / RECIPE_FILE), record["data"]


def load_finder_recipe(
    path: str | Path, overrides: Mapping[str, Any] | None = None
) -> FinderRecipe:
    """The recipe in a YAML file, with some fields replaced.

    Raises:
        RecipeError: The file cannot be read, or fields are unknown or invalid; all of them are
            listed.
    """
    return read_recipe(FinderRecipe, path, overrides)


def train_finder(
    recipe: FinderRecipe, scenes: str | Path, out: str | Path, *, resume: bool = False
) -> None:
    """Train a finder; resumed, it goes on after the last whole epoch.

    Args:
        recipe: The settings.
        scenes: Folder with ``scenes.jsonl``.
        out: Folder of the run, described at the top of this module.
        resume: Go on with an unfinished run.

    Raises:
        RecipeError: ``out`` already holds a run, or there are several processes.
        DataError: The scenes are missing.
        TrainingError: The recipe's device is not there, the loss is not a number, or another
            process trains in ``out``.
    """
    out = Path(out)
    if Processes.from_environment().count > 1:
        raise RecipeError("a finder is trained by one process; start it without torchrun")
    with lock_run(out), explain_faults(out):
        if not resume and (out / RECIPE_FILE).exists():
            raise RecipeError(f"{out} already holds a run; give another folder, or resume it")
        silence_libraries()
        torch.set_num_threads(recipe.threads)
        pl.seed_everything(recipe.seed)
        listed = load_scenes(scenes)
        if not resume:
            record = {"data": str(Path(scenes).resolve()), "scenes": len(listed)}
            begin_run(out, yaml.safe_dump(recipe.model_dump(), sort_keys=False), record)
        task = FinderTask(FinderNet(), recipe, validation_scenes(listed))
        train = [scene for scene in listed if not scene.validation]
        canvases = CanvasDataset(train, recipe.canvases, recipe.canvas, recipe.seed)
        sampler = EpochSampler(len(canvases), shuffle=False)
        loader = DataLoader(
            canvases,
            recipe.batch_size,
            sampler=sampler,
            num_workers=recipe.workers,
            persistent_workers=recipe.workers > 0,  # they keep photos and canvases
        )
        once = DataLoader([0])  # type: ignore[arg-type,var-annotated]  # its scenes are the task's
        checkpoint = last_checkpoint(out) if resume else None
        with denormals_flushed():
            _trainer(recipe, out).fit(task, loader, once, ckpt_path=checkpoint, weights_only=True)


def _trainer(recipe: FinderRecipe, out: Path) -> pl.Trainer:
    checkpoints = best_and_last(out, "val_ap", "max")
    return pl.Trainer(
        max_epochs=recipe.epochs,
        check_val_every_n_epoch=min(recipe.val_every, recipe.epochs),
        accelerator=choose_device(recipe.device),
        devices=1,
        callbacks=[WarmupEma(recipe.ema_decay), FiniteLoss(), *checkpoints],
        logger=CSVLogger(out, "logs"),
        plugins=[AtomicCheckpointIO()],
        log_every_n_steps=50,
        num_sanity_val_steps=0,
        gradient_clip_val=_CLIP_NORM,
        enable_model_summary=False,
        enable_progress_bar=False,
    )


def validation_scenes(scenes: Sequence[Scene]) -> list[Scene]:
    """Of the held-out scenes those that validation looks at."""
    counts, chosen = Counter[str](), []
    for scene in scenes:
        counts[scene.source] += scene.validation
        if scene.validation and counts[scene.source] % VALIDATION_STEPS.get(scene.source, 1) == 0:
            chosen.append(scene)
    return chosen


def load_finder(run: str | Path, checkpoint: str = "best") -> FinderNet:
    """The network of a run, in evaluation mode, with its averaged weights.

    Raises:
        WeightsError: The checkpoint ``"best"`` or ``"last"`` is missing or damaged.
    """
    state = whole_checkpoint(Path(run), checkpoint)["state_dict"]
    net = FinderNet()
    net.load_state_dict({name.removeprefix("net."): value for name, value in state.items()})
    return net.eval()
