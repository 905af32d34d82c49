"""Training runs: :func:`train`, :func:`load_run` and :func:`export_run`."""

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.strategies import DDPStrategy, Strategy
from pytorch_lightning.utilities.exceptions import SIGTERMException

from facedots.data.crops import CropDataset
from facedots.data.processes import TIMEOUT, Processes
from facedots.data.splits import Split, load_split
from facedots.errors import DataError, RecipeError
from facedots.evaluation.result import METRICS_FILE, training_history
from facedots.inference.weights import ONNX_FILE, RECIPE_FILE
from facedots.io.fetch import file_sha256
from facedots.io.files import protect
from facedots.io.headers import pixel_limit
from facedots.models.base import KeypointNet
from facedots.models.registry import build_model
from facedots.schema import IBUG68, KeypointSchema
from facedots.training.calibration import (
    calibrate_covariance,
    calibrate_pupils,
    calibrate_visibility,
    calibration_crops,
)
from facedots.training.checkpoints import (
    CHECKPOINTS,
    AtomicCheckpointIO,
    best_and_last,
    last_checkpoint,
    remove_partial_files,
    whole_checkpoint,
)
from facedots.training.export import card_fields, export_onnx, save_weights
from facedots.training.faults import FiniteLoss, explain_faults
from facedots.training.hardware import choose_device, denormals_flushed, use_bf16
from facedots.training.recipe import Recipe, load_recipe
from facedots.training.run_folder import (
    PROVENANCE_FILE,
    SCHEMA_FILE,
    WEIGHTS_FILE,
    archive_metrics,
    begin_run,
    check_same_faces,
    label_digest,
    lock_run,
    merge_metrics,
    provenance,
    tell_faces,
    tell_processes,
    weights_provenance,
)
from facedots.training.task import (
    EpochProgressBar,
    FaceDataModule,
    KeypointTask,
    WarmupEma,
    silence_libraries,
)


def train(recipe: Recipe, data: str | Path, out: str | Path, *, resume: bool = False) -> Path:
    """Train a network.

    The run repeats from its recipe: the same recipe, data and number of threads give the same
    weights, with any number of workers, stopped and resumed or not. Ctrl-C stops early and still
    leaves a usable run, made from the best checkpoint so far; so does SIGTERM, which then ends the
    process with status 143.

    Started by ``torchrun``, its processes share the recipe's batches; the first writes the run.

    Args:
        recipe: The settings.
        data: Folder or file with the data of the recipe's sources, or ``"synthetic:N"`` for N drawn
            faces (:func:`~facedots.data.splits.load_split`).
        out: Folder of the run, described in :mod:`facedots.training.run_folder`; new without
            ``resume``.
        resume: Go on after the last whole epoch; where none is left, only export and draw.

    Returns:
        The ONNX file ``out/model.onnx``.

    Raises:
        RecipeError: ``out`` already holds a run, or the run was stopped in its first epoch.
        DataError: The data are missing, or none are to train on.
        TrainingError: The recipe's device is not there, the loss is not a number, another process
            trains in ``out``, a worker was killed, memory ran out, or the labels changed since the
            run began.
        WeightsError: The checkpoint to go on from is damaged.
        OutputError: The disk is full, or ``out`` cannot be written.

    Example:
        >>> from facedots import KeypointPredictor, load_recipe
        >>> recipe = load_recipe("recipes/small.yaml", {"epochs": 2})  # doctest: +SKIP
        >>> predictor = KeypointPredictor(train(recipe, "data", "runs/a"))  # doctest: +SKIP
    """
    data, out, processes = str(data), Path(out), Processes.from_environment()
    silence_libraries(is_first=processes.is_first)
    with (
        explain_faults(out),
        pixel_limit(recipe.max_pixels),
        processes.connected(),
        contextlib.ExitStack() as lock,
    ):

        def begin() -> Split:
            if processes.is_first:
                lock.enter_context(lock_run(out))
            return _begin(recipe, data, out, resume, processes)

        split = processes.in_turn(begin)
        processes.check_same(label_digest([*split.train, *split.validation]), "faces")
        is_terminated = _fit(recipe, out, split, resume, processes)
        if processes.is_first:
            export_run(out, out / ONNX_FILE)
            _draw_curves(out)
        if is_terminated:
            raise SIGTERMException
    return out / ONNX_FILE


def _begin(recipe: Recipe, data: str, out: Path, resume: bool, processes: Processes) -> Split:
    """The faces of a run; the first process checks its folder, or writes what it begins with."""
    if processes.is_first and not resume and (out / RECIPE_FILE).exists():
        raise RecipeError(f"{out} already holds a run; give another --out, or --resume {out}")
    split = load_split(data, recipe.sources, recipe.split, recipe.val_fraction, recipe.read_options)
    if not processes.is_first:
        return split
    tell_faces(data, split)
    if resume:
        check_same_faces(out, split)
        tell_processes(out, processes.count)
    else:
        record = provenance(data, split, processes.count)
        begin_run(out, recipe.to_yaml(), record, split.schema.to_json())
    return split


def _fit(recipe: Recipe, out: Path, split: Split, resume: bool, processes: Processes) -> bool:
    """Train, from the last checkpoint where a run is resumed; leaves checkpoints and logs.

    Returns:
        Whether SIGTERM came, at which Lightning stops the training.
    """
    torch.set_num_threads(recipe.threads)
    pl.seed_everything(recipe.seed)
    net = build_model(recipe.model, split.schema, len(recipe.label_styles))
    net.load_pretrained()
    if all(face.pupils is None for face in split.train):
        net.pupil_head = None
    faces = FaceDataModule(split, net, recipe, processes)
    trainer = _trainer(recipe, out, processes)
    checkpoint = last_checkpoint(out) if resume else None
    digest = file_sha256(checkpoint) if checkpoint else ""
    processes.check_same(digest, f"checkpoints in {out}")
    logs: list[Path] = []
    if processes.is_first:
        remove_partial_files(out)
        logs = archive_metrics(out / METRICS_FILE)
    try:
        with denormals_flushed():
            trainer.fit(KeypointTask(net, recipe), faces, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:  # Lightning's, after Ctrl-C or SIGTERM; one process completes the run first
        if not trainer.interrupted or processes.count > 1:
            raise
        if last_checkpoint(out):
            print(f"\nstopped early; `facedots train --resume {out}` goes on", file=sys.stderr)  # noqa: T201
    finally:
        merge_metrics(logs, out / METRICS_FILE)
    return trainer.received_sigterm


def load_run(run: str | Path) -> tuple[Recipe, str]:
    """The recipe of a run, and its data as given to :func:`train`.

    Raises:
        RecipeError: The folder holds no run.
    """
    recipe, record = Path(run) / RECIPE_FILE, Path(run) / PROVENANCE_FILE
    if not recipe.exists() or not record.exists():
        needed = f"{RECIPE_FILE} or {PROVENANCE_FILE}, which `facedots train` writes, is missing"
        raise RecipeError(f"{run} holds no run: {needed}")
    return load_recipe(recipe), json.loads(record.read_text())["data"]


def load_checkpoint(run: str | Path, checkpoint: str = "best") -> KeypointNet:
    """The network of a run, in evaluation mode, with its averaged weights.

    Args:
        run: Folder of the run.
        checkpoint: ``"best"`` by validation NME, or ``"last"``.

    Raises:
        RecipeError: There is no such checkpoint.
        WeightsError: It is damaged.
    """
    recipe, _ = load_run(run)
    path, schema_file = Path(run) / CHECKPOINTS / f"{checkpoint}.ckpt", Path(run) / SCHEMA_FILE
    if not path.exists():
        raise RecipeError(
            f"{path} is missing: the run was stopped before its first epoch ended; "
            f"`facedots train --resume {run}` begins it again"
        )
    protect([path, schema_file, Path(run) / RECIPE_FILE])
    state = whole_checkpoint(Path(run), checkpoint)["state_dict"]
    schema = KeypointSchema.from_json(schema_file.read_text()) if schema_file.exists() else IBUG68
    net = build_model(recipe.model, schema, len(recipe.label_styles))
    net.load_weights({name.removeprefix("net."): value for name, value in state.items()})
    return net.eval()


def export_run(
    run: str | Path,
    onnx_file: str | Path,
    checkpoint: str = "best",
    label_style: str = "",
    *,
    int8: bool = False,
) -> float:
    """Write a run's network as ONNX, with its provenance, and its weights as ``model.safetensors``
    in the run; covariance and visibility are calibrated on the validation faces.

    Args:
        run: Folder of the run.
        onnx_file: The file to write.
        checkpoint: ``"best"`` by validation NME, or ``"last"``.
        label_style: The source whose way of placing points the file follows; default: the recipe's.
        int8: Convolutions in int8, calibrated on training faces.

    Returns:
        The mean difference between torch and ONNX Runtime, in pixels of the crop.

    Raises:
        RecipeError: No such checkpoint or label style.
        WeightsError: That difference is too large.
    """
    silence_libraries()
    recipe, data = load_run(run)
    net = load_checkpoint(run, checkpoint)
    style = label_style or recipe.exported_style
    if style not in recipe.label_styles:
        raise RecipeError(
            f"{run}: no label style {style!r}; it was trained on {', '.join(recipe.label_styles)}"
        )
    net.head.select_style(recipe.label_styles.index(style))
    split = load_split(data, recipe.sources, recipe.split, recipe.val_fraction, recipe.read_options)
    held_out = [face for face in split.validation if face.label_style in ("", style)]
    net.spec = replace(net.spec, dof=calibrate_covariance(net, CropDataset(held_out, net.spec)))
    calibrate_pupils(net, CropDataset(split.validation, net.spec))
    occluded = CropDataset(held_out, net.spec, strength=recipe.augmentation, seed=recipe.seed)
    calibrate_visibility(net, occluded)
    card = card_fields(recipe, data, style)
    record = weights_provenance(Path(run), recipe.sources, card["license"])
    save_weights(net, Path(run) / WEIGHTS_FILE)
    crops = calibration_crops(split.train, net.spec) if int8 else None
    return export_onnx(net, Path(onnx_file), card, crops, record)


def _draw_curves(run: Path) -> None:
    from facedots.plots.curves import save_figure, training_figure

    log = run / METRICS_FILE
    with contextlib.suppress(DataError):  # a log that was lost has nothing to draw
        save_figure(training_figure({str(log): training_history(log)}), run / "curves.png")


def _trainer(recipe: Recipe, out: Path, processes: Processes) -> pl.Trainer:
    strategy: str | Strategy = "auto"
    if processes.count > 1:
        # WarmupEma averages the buffers once an epoch.
        strategy = DDPStrategy(broadcast_buffers=False, timeout=TIMEOUT)
    checkpoints = best_and_last(out, "val_nme", "min")
    device = choose_device(recipe.device, processes.count)
    return pl.Trainer(
        max_epochs=recipe.epochs,
        precision="bf16-mixed" if use_bf16(recipe.precision, device) else "32-true",
        accelerator=device,
        strategy=strategy,
        devices=processes.local_count,
        num_nodes=processes.count // processes.local_count,
        use_distributed_sampler=False,
        callbacks=[WarmupEma(recipe.ema_decay), FiniteLoss(), *checkpoints, EpochProgressBar()],
        logger=[CSVLogger(out, "logs", ""), TensorBoardLogger(out, "tensorboard", "")],
        plugins=[AtomicCheckpointIO()],
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        benchmark=True,
        enable_model_summary=False,
    )
