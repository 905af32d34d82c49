"""Runs: files, resuming after SIGKILL, Ctrl-C, and two epochs on real data."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from facedots.data.splits import load_split
from facedots.errors import DataError, OutputError, RecipeError, TrainingError
from facedots.evaluation.result import METRICS_FILE
from facedots.inference.session import Session
from facedots.inference.weights import ONNX_FILE, RECIPE_FILE
from facedots.inspection.layers import load_model
from facedots.io.files import atomic_write
from facedots.io.images import write_image
from facedots.training.recipe import Recipe, load_recipe
from facedots.training.run import load_run, train
from facedots.training.run_folder import WEIGHTS_FILE, check_same_faces

DATA = "synthetic:60"
RECIPE = Recipe(
    model="tiny",
    loss="heatmap_wing",
    optimizer="muon",
    epochs=3,
    batch_size=4,
    seed=3,
    precision="float32",
)

STOPPED_RUN = """
import os, signal, sys
from pathlib import Path
from facedots.training import task
from facedots.training.recipe import load_recipe
from facedots.training.run import train

# A shell in the background starts its children with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
whole_step = task.KeypointTask.training_step

def step_that_stops(self, batch, index):
    if self.current_epoch == {epoch} and index == 3:
        os.kill(os.getpid(), {signal})
    return whole_step(self, batch, index)

task.KeypointTask.training_step = step_that_stops
train(load_recipe(sys.argv[1]), {data!r}, Path(sys.argv[2]))
"""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"


def interrupt_in_mid_epoch(
    folder: Path, signal_number: int, epoch: int, recipe: Recipe = RECIPE
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run in another process that sends itself a signal in the middle of an epoch."""
    file, out = folder / "recipe.yaml", folder / "run"
    file.write_text(recipe.to_yaml())
    script = STOPPED_RUN.format(epoch=epoch, signal=signal_number, data=DATA)
    command = [sys.executable, "-c", script, str(file), str(out)]
    return out, subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def epochs_of(run: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics that close an epoch with a validation."""
    with (run / METRICS_FILE).open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["val_nme"]]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("uninterrupted") / "run"
    train(RECIPE, DATA, out)
    return out


def test_files_and_provenance_of_a_run(uninterrupted: Path) -> None:
    for name in (
        "recipe.yaml",
        "curves.png",
        ONNX_FILE,
        WEIGHTS_FILE,
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    ):
        assert (uninterrupted / name).stat().st_size > 0, name
    assert load_recipe(uninterrupted / "recipe.yaml") == RECIPE
    provenance = json.loads((uninterrupted / "provenance.json").read_text())
    assert provenance["faces"] == {"train": 48, "validation": 6, "test": 6}
    assert len(provenance["fingerprint"]["train"]) == 64
    assert provenance["versions"]["torch"]
    assert [row["epoch"] for row in epochs_of(uninterrupted)] == ["0", "1", "2"]
    header = (uninterrupted / METRICS_FILE).read_text().splitlines()[0].split(",")
    assert {"train_loss_step", "train_loss_epoch", "val_loss", "val_nme", "lr"} <= set(header)


def test_the_model_card_names_drawn_faces(uninterrupted: Path) -> None:
    session = onnxruntime.InferenceSession(
        str(uninterrupted / ONNX_FILE), providers=["CPUExecutionProvider"]
    )
    card = json.loads(session.get_modelmeta().custom_metadata_map["facedots.card"])
    assert "drawn" in card["trained_on"]
    points, covariance, *_ = session.run(None, {"crops": np.zeros((3, 112, 112, 3), np.uint8)})
    assert points.shape == (3, 68, 2)
    assert (np.linalg.eigvalsh(covariance) > 0).all()


def test_a_killed_and_resumed_run_has_the_same_weights(uninterrupted: Path, tmp_path: Path) -> None:
    out, process = interrupt_in_mid_epoch(tmp_path, signal.SIGKILL, epoch=2)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert not (out / ONNX_FILE).exists()
    train(*load_run(out), out, resume=True)
    assert (out / WEIGHTS_FILE).read_bytes() == (uninterrupted / WEIGHTS_FILE).read_bytes()
    assert [row["val_nme"] for row in epochs_of(out)] == [
        row["val_nme"] for row in epochs_of(uninterrupted)
    ]


def test_a_run_killed_before_its_first_checkpoint_starts_again(
    uninterrupted: Path, tmp_path: Path
) -> None:
    out, process = interrupt_in_mid_epoch(tmp_path, signal.SIGKILL, epoch=0)
    assert process.returncode == -signal.SIGKILL, process.stderr
    train(*load_run(out), out, resume=True)
    assert (out / WEIGHTS_FILE).read_bytes() == (uninterrupted / WEIGHTS_FILE).read_bytes()


def test_a_finished_run_that_lacks_its_network_is_completed(
    uninterrupted: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(uninterrupted, tmp_path / "run")
    (out / ONNX_FILE).unlink()
    for _ in range(2):
        assert train(*load_run(out), out, resume=True).exists()
    assert (out / WEIGHTS_FILE).read_bytes() == (uninterrupted / WEIGHTS_FILE).read_bytes()
    assert (out / METRICS_FILE).read_bytes() == (uninterrupted / METRICS_FILE).read_bytes()
    assert [file.name for file in (out / METRICS_FILE).parent.iterdir()] == ["metrics.csv"]


def test_a_finished_run_whose_log_was_lost_is_completed(
    uninterrupted: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(uninterrupted, tmp_path / "run")
    (out / ONNX_FILE).unlink()
    (out / METRICS_FILE).write_text("0")
    assert train(*load_run(out), out, resume=True).exists()


def test_dropout_is_the_same_after_a_resume(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"model": "baseline", "loss": "smooth_l1", "epochs": 2})
    out, process = interrupt_in_mid_epoch(tmp_path, signal.SIGKILL, epoch=1, recipe=recipe)
    assert process.returncode == -signal.SIGKILL, process.stderr
    train(*load_run(out), out, resume=True)
    train(recipe, DATA, tmp_path / "uninterrupted")
    assert (out / WEIGHTS_FILE).read_bytes() == (
        tmp_path / "uninterrupted" / WEIGHTS_FILE
    ).read_bytes()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_leave_a_usable_run(tmp_path: Path, number: int, status: int) -> None:
    out, process = interrupt_in_mid_epoch(tmp_path, number, epoch=1)
    assert process.returncode == status, process.stderr
    assert "--resume" in process.stderr
    assert "Epoch 1/3" in process.stderr
    assert not process.stdout  # whose disk may be full, which says nothing of the run
    assert (out / ONNX_FILE).exists()


def test_ctrl_c_in_the_first_epoch_says_one_thing(tmp_path: Path) -> None:
    out, process = interrupt_in_mid_epoch(tmp_path, signal.SIGINT, epoch=0)
    assert "faces: 48 to train on, " in process.stderr
    assert "before its first epoch ended; `facedots train --resume" in process.stderr
    assert "stopped early" not in process.stderr
    assert (train(*load_run(out), out, resume=True)).exists()


def test_the_onnx_file_holds_its_provenance(uninterrupted: Path) -> None:
    provenance = Session(uninterrupted).provenance
    assert provenance["sources"] == [DATA]
    assert provenance["terms"] == {"code": "Apache-2.0", "weights": "Apache-2.0"}
    record = json.loads((uninterrupted / "provenance.json").read_text())
    assert provenance["data_sha256"] == record["fingerprint"]
    recipe = (uninterrupted / "recipe.yaml").read_bytes()
    assert provenance["recipe_sha256"] == hashlib.sha256(recipe).hexdigest()


def test_no_product_in_the_onnx_file_is_multiplied_by_its_own_factor(uninterrupted: Path) -> None:
    """OpenVINO 2025.4 fuses such a MatMul and Mul wrongly, and then refuses the network."""
    nodes = load_model(uninterrupted / ONNX_FILE).graph.node
    factors = {node.output[0]: node.input[1] for node in nodes if node.op_type == "MatMul"}
    assert factors
    scaled = [node for node in nodes if node.op_type == "Mul" and node.input[0] in factors]
    assert not [node.name for node in scaled if node.input[1] == factors[node.input[0]]]


@pytest.mark.parametrize("change", ["train", "validation", "schema"])
def test_a_run_is_not_resumed_with_other_labels(uninterrupted: Path, change: str) -> None:
    split = load_split(DATA, (), "official")
    check_same_faces(uninterrupted, split)
    if change == "schema":
        split = replace(split, schema=replace(split.schema, name="other"))
    else:
        face = getattr(split, change)[3]
        points = face.points.copy()
        points[7, 0] += 1
        getattr(split, change)[3] = replace(face, points=points)
    names = {"train": "training faces", "validation": "validation faces", "schema": "schema"}
    with pytest.raises(TrainingError, match=f"^the {names[change]} changed since the run began; "):
        check_same_faces(uninterrupted, split)


def test_a_run_is_never_overwritten(uninterrupted: Path) -> None:
    with pytest.raises(RecipeError, match="already holds a run"):
        train(RECIPE, DATA, uninterrupted)


@pytest.mark.parametrize("part", ["test", "faces"])
def test_faces_for_testing_alone_are_not_trained_on(tmp_path: Path, part: str) -> None:
    write_image(tmp_path / "a.png", np.zeros((20, 30, 3), np.uint8))
    header = "image,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y"
    (tmp_path / f"{part}.csv").write_text(f"{header}\na.png,1,2,11,2,6,8\n")
    with pytest.raises(DataError, match=r"nothing to train on, only 0 faces .*, 1 to test on"):
        train(RECIPE.model_copy(update={"sources": ("custom",)}), tmp_path, tmp_path / "run")
    assert not (tmp_path / "run" / RECIPE_FILE).exists()


def test_a_run_that_could_not_begin_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    recipe = RECIPE.model_copy(update={"epochs": 1})
    for name in ("schema.json", "provenance.json", "recipe.yaml"):

        def fail(path: Path, data: str, name: str = name) -> None:
            if path.name == name:
                raise OutputError(f"{path}: cannot be written: No space left on device")
            atomic_write(path, data)

        monkeypatch.setattr("facedots.training.run_folder.atomic_write", fail)
        with pytest.raises(OutputError, match=r"mend that, then start the training again$"):
            train(recipe, DATA, out)
        with pytest.raises(RecipeError, match="holds no run"):
            load_run(out)
    monkeypatch.undo()
    assert train(recipe, DATA, out).exists()


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no run"):
        load_run(tmp_path)


def test_two_epochs_on_real_frames_learn(data_dir: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        Path(__file__).parents[2] / "recipes" / "small.yaml",
        {"epochs": 2, "sources": "youtube-faces", "augmentation": 0.5},
    )
    train(recipe, str(data_dir), tmp_path / "run")
    errors = [float(row["val_nme"]) for row in epochs_of(tmp_path / "run")]
    # The mean face in the middle of every box scores 20 %.
    assert errors[-1] < 10
    assert errors[-1] < errors[0]
