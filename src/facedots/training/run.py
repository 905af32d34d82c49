"""One training run in one folder: recipe, provenance, logs, checkpoints, and at the end weights and
an ONNX file.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch.utils.data import DataLoader

from facedots.annotations.base import FaceAnnotation
from facedots.data.crops import CropDataset, EpochSampler, Item
from facedots.data.splits import Split, load_split
from facedots.errors import RecipeError
from facedots.io.files import atomic_write
from facedots.models.base import KeypointNet
from facedots.models.registry import build_model
from facedots.schema import IBUG68, KeypointSchema
from facedots.spec import ModelSpec
from facedots.training.calibrate import calibrate
from facedots.training.callbacks import EpochBar, join_logs, keep_quiet, set_aside
from facedots.training.export import card_of, export_onnx, save_weights
from facedots.training.provenance import provenance
from facedots.training.recipe import Recipe, load_recipe
from facedots.training.task import KeypointTask, WarmAveraging

RECIPE_FILE, SCHEMA_FILE, PROVENANCE_FILE = "recipe.yaml", "schema.json", "provenance.json"
ONNX_FILE, WEIGHTS_FILE = "model.onnx", "model.safetensors"
CHECKPOINTS, METRICS_FILE = "checkpoints", "logs/metrics.csv"


class WholeCheckpointIO(TorchCheckpointIO):
    """Checkpoints that appear whole or not at all, whenever the process is killed."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write under another name, then rename."""
        partial = f"{path}.part"
        super().save_checkpoint(checkpoint, partial, storage_options)
        Path(partial).replace(path)


class FaceModule(pl.LightningDataModule):
    """Crops of a split for one network."""

    def __init__(self, split: Split, net: KeypointNet, recipe: Recipe) -> None:
        super().__init__()
        self.split, self.recipe, self.spec = split, recipe, net.spec
        self.negative_fraction = recipe.negative_fraction if net.predicts_score else 0.0

    def train_dataloader(self) -> DataLoader[Item]:
        """Augmented crops in a new order every epoch."""
        dataset = self._crops(self.split.train, self.recipe.augmentation)
        whole_batches = len(dataset) >= self.recipe.batch_size
        return self._loader(dataset, shuffle=True, drop_last=whole_batches)

    def val_dataloader(self) -> DataLoader[Item]:
        """The crops of the held-out faces as they are at test time."""
        return self._loader(self._crops(self.split.validation, 0.0), shuffle=False, drop_last=False)

    def _crops(self, faces: list[FaceAnnotation], strength: float) -> CropDataset:
        recipe = self.recipe
        return CropDataset(
            faces,
            self.spec,
            strength=strength,
            seed=recipe.seed,
            cache_bytes=recipe.cache_gb * 1e9,
            jitter=recipe.jitter,
            styles=recipe.sources,
            negative_fraction=self.negative_fraction,
            calm_from=recipe.epochs * (1 - recipe.cooldown_fraction),
        )

    def _loader(self, dataset: CropDataset, shuffle: bool, drop_last: bool) -> DataLoader[Item]:
        replicas, rank = (
            (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        )
        sampler = EpochSampler(
            dataset, replicas, rank, shuffle=shuffle, seed=self.recipe.seed, drop_last=drop_last
        )
        return DataLoader(
            dataset,
            batch_size=self.recipe.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=self.recipe.workers,
            persistent_workers=self.recipe.workers > 0,
        )


def train(recipe: Recipe, data: str, out: Path, *, resume: bool = False) -> Path:
    """Train as the recipe says and leave everything in the folder ``out``.

    Ctrl-C stops early and still leaves a usable run, made from the best checkpoint so far.

    Args:
        recipe: What to do.
        data: Folder with the data, or ``"synthetic:N"``.
        out: Folder of the run; new, or an unfinished run's where ``resume``.
        resume: Go on after the last whole epoch; the result is that of an unbroken run.

    Returns:
        The ONNX file.

    Raises:
        RecipeError: The folder holds a run already, or none to resume; or the run was stopped
            before its first epoch ended.
        DataError: The data are not there.
    """
    last = out / CHECKPOINTS / "last.ckpt"
    if not resume and (out / RECIPE_FILE).exists():
        raise RecipeError(
            f"{out} holds a run already; give another --out, or go on with --resume {out}"
        )
    keep_quiet()
    torch.set_num_threads(recipe.threads)
    split = load_split(data, recipe.sources, recipe.split, recipe.validation)
    if not resume:
        atomic_write(out / RECIPE_FILE, recipe.to_yaml())
        atomic_write(out / SCHEMA_FILE, split.schema.to_json() + "\n")
        atomic_write(out / PROVENANCE_FILE, json.dumps(provenance(data, split), indent=2) + "\n")
    pl.seed_everything(recipe.seed)
    net = build_model(recipe.model, split.schema, styles=len(recipe.sources))
    net.load_pretrained()
    trainer = _trainer(recipe, out)
    module = FaceModule(split, net, recipe)
    # Lightning leaves the process after Ctrl-C; the run is finished first.
    logs = set_aside(out / METRICS_FILE)
    try:
        trainer.fit(
            KeypointTask(net, recipe),
            module,
            ckpt_path=last if resume and last.exists() else None,
            weights_only=True,
        )
    except SystemExit:
        if not trainer.interrupted:
            raise
        print(f"\nstopped early; `facedots train --resume {out}` goes on", file=sys.stderr)  # noqa: T201
    finally:
        join_logs(logs, out / METRICS_FILE)
    export_run(out, out / ONNX_FILE)
    _draw_curves(out)
    return out / ONNX_FILE


def load_run(run: Path) -> tuple[Recipe, str]:
    """The recipe and the data of a run.

    Raises:
        RecipeError: The folder holds no run.
    """
    if not (run / RECIPE_FILE).exists() or not (run / PROVENANCE_FILE).exists():
        raise RecipeError(
            f"{run} holds no run: {RECIPE_FILE} and {PROVENANCE_FILE} must be there, as `facedots train` writes them"
        )
    return load_recipe(run / RECIPE_FILE), json.loads((run / PROVENANCE_FILE).read_text())["data"]


def load_net(run: Path, checkpoint: str = "best") -> KeypointNet:
    """The network of a run with its averaged weights.

    Args:
        run: Folder of the run.
        checkpoint: ``"best"`` by validation NME, or ``"last"``.

    Raises:
        RecipeError: There is no such checkpoint.
    """
    recipe, _ = load_run(run)
    path = run / CHECKPOINTS / f"{checkpoint}.ckpt"
    if not path.exists():
        raise RecipeError(
            f"{path} is not there: the run was stopped before its first epoch ended; train again"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    schema = (
        KeypointSchema.from_json((run / SCHEMA_FILE).read_text())
        if (run / SCHEMA_FILE).exists()
        else IBUG68
    )
    net = build_model(recipe.model, schema, styles=len(recipe.sources))
    net.load_state_dict({name.removeprefix("net."): value for name, value in state.items()})
    return net.eval()


def export_run(
    run: Path, onnx_file: Path, checkpoint: str = "best", style: str = "", *, int8: bool = False
) -> float:
    """Write a run's network as ONNX, covariance calibrated on the validation faces, and its weights
    as safetensors into the run.

    Args:
        run: Folder of the run.
        onnx_file: What to write.
        checkpoint: ``"best"`` by validation NME, or ``"last"``.
        style: Whose way of labeling the file follows: one of the recipe's sources; by default the
            recipe's ``style``.
        int8: Whether convolutions compute in int8, calibrated on training faces.

    Returns:
        The difference between torch and ONNX Runtime, see
        :func:`facedots.training.export.export_onnx`.
    """
    keep_quiet()
    recipe, data = load_run(run)
    net = load_net(run, checkpoint)
    style = style or recipe.exported_style
    if style not in recipe.sources:
        raise RecipeError(
            f"{run}: no style {style!r}; it was trained on {', '.join(recipe.sources)}"
        )
    net.head.keep_style(recipe.sources.index(style))
    faces = load_split(data, recipe.sources, recipe.split, recipe.validation)
    own = [face for face in faces.validation if face.style in ("", style)]
    net.spec = replace(net.spec, dof=calibrate(net, CropDataset(own, net.spec)))
    save_weights(net, run / WEIGHTS_FILE)
    crops = _plain_crops(faces.train, net.spec) if int8 else None
    return export_onnx(net, onnx_file, card_of(recipe.model_dump(mode="json"), data, style), crops)


def _plain_crops(
    faces: list[FaceAnnotation], spec: ModelSpec, count: int = 200
) -> NDArray[np.uint8]:
    """Crops ``uint8 (N, S, S, C)`` of faces spread evenly over the list."""
    chosen = faces[:: max(1, len(faces) // count)][:count]
    dataset = CropDataset(chosen, spec)
    return np.stack(
        [dataset[0, row]["crop"].permute(1, 2, 0).numpy() for row in range(len(dataset))]
    )


def _draw_curves(run: Path) -> None:
    from facedots.plots.curves import save_figure, training_figure

    save_figure(training_figure(run / METRICS_FILE), run / "curves.png")


def _trainer(recipe: Recipe, out: Path) -> pl.Trainer:
    keep = ModelCheckpoint(
        out / CHECKPOINTS,
        "best",
        monitor="val_nme",
        save_last=True,
        save_top_k=1,
        enable_version_counter=False,
    )
    return pl.Trainer(
        max_epochs=recipe.epochs,
        precision="bf16-mixed" if _use_bf16(recipe) else "32-true",
        accelerator="auto",
        callbacks=[WarmAveraging(recipe.ema), keep, EpochBar()],
        logger=[CSVLogger(out, "logs", ""), TensorBoardLogger(out, "tensorboard", "")],
        plugins=[WholeCheckpointIO()],
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        check_val_every_n_epoch=recipe.validate_every,
        benchmark=True,
        enable_model_summary=False,
    )


def _use_bf16(recipe: Recipe) -> bool:
    """Whether to compute in bf16: on a GPU that has it, and on a CPU with AVX-512 BF16 or AMX,
    where it is not emulated.
    """
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
