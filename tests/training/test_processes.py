"""Trainings of two processes, started by torchrun as users start them."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from facedots.data.crops import CropDataset
from facedots.data.splits import load_split
from facedots.evaluation.metrics import nme
from facedots.evaluation.result import METRICS_FILE
from facedots.training.recipe import Recipe
from facedots.training.run import load_checkpoint

pytestmark = pytest.mark.scale

DATA = "synthetic:70"  # 7 faces to validate: two processes share them 4 to 3
RECIPE = Recipe(model="tiny", loss="heatmap_wing", optimizer="muon", epochs=2, batch_size=8)

WORKER = """
import hashlib, os, signal, sys, time
from datetime import timedelta
from pathlib import Path
from facedots.data import processes
from facedots.training import run, task
from facedots.training.recipe import load_recipe

recipe, data, out, fault = sys.argv[1:]
processes.TIMEOUT = run.TIMEOUT = timedelta(seconds=20)

def write_state(self):  # the averages, which WarmupEma leaves at the end
    state = b"".join(value.numpy().tobytes() for value in self.state_dict().values())
    Path(f"{out}.rank{self.global_rank}").write_text(hashlib.sha256(state).hexdigest())

def step_that_fails(self, batch, index, step=task.KeypointTask.training_step):
    if fault and self.current_epoch == 1 and index == 2 and self.global_rank == 1:
        os.kill(os.getpid(), getattr(signal, fault))
    return step(self, batch, index)

task.KeypointTask.on_fit_end = write_state
task.KeypointTask.training_step = step_that_fails
run.train(load_recipe(recipe), data, out, resume=Path(out).exists())
"""


def start(
    folder: Path,
    name: str,
    *,
    processes: int = 2,
    fault: str = "",
    data: str = DATA,
    recipe: Recipe = RECIPE,
    options: tuple[str, ...] = ("--standalone",),
) -> subprocess.Popen[str]:
    """A training in ``folder/name`` by torchrun."""
    (folder / "worker.py").write_text(WORKER)
    (folder / f"{name}.yaml").write_text(recipe.to_yaml())
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    command += [*options, "worker.py", f"{name}.yaml", data, name, fault]
    return subprocess.Popen(
        command,
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What a training says until it ends."""
    try:
        return process.communicate(timeout=600)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def column(run: Path, name: str) -> list[float]:
    """The values of a column of a run's metrics, one an epoch."""
    with (run / METRICS_FILE).open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def two(folder: Path) -> Path:
    """A run of two machines of one process each, by their own addresses."""
    nodes = [
        start(
            folder,
            "two",
            processes=1,
            options=(
                "--nnodes=2",
                f"--node-rank={rank}",
                f"--local-addr=127.0.0.{2 + rank}",
                "--master-addr=127.0.0.2",
                "--master-port=29517",
            ),
        )
        for rank in range(2)
    ]
    texts = [finish(node) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], texts
    assert "Epoch 2/2" in texts[0]
    assert "Epoch" not in texts[1]
    return folder / "two"


def test_both_machines_end_with_the_same_network(two: Path) -> None:
    first, second = (two.with_name(f"two.rank{rank}").read_text() for rank in range(2))
    assert first == second


def test_every_validation_face_counts_once(two: Path) -> None:
    net, faces = load_checkpoint(two, "last"), load_split(DATA, (), "official").validation
    crops = CropDataset(faces, net.spec)
    batch = torch.stack([crops[0, i]["crop"] for i in range(len(crops))])
    target = torch.stack([crops[0, i]["points"] for i in range(len(crops))])
    with torch.no_grad():
        logits = net(net.normalize(batch)).logits[:, 0]
        points = net.decode(logits)[0]
    expected = nme(points.numpy(), target.numpy(), net.spec.schema).mean()
    assert column(two, "val_nme")[-1] == pytest.approx(expected, rel=1e-4)


def test_the_loss_is_that_of_one_process(two: Path, folder: Path) -> None:
    process = start(folder, "one", processes=1)
    text = finish(process)
    assert process.returncode == 0, text
    ours, alone = column(two, "train_loss_epoch"), column(folder / "one", "train_loss_epoch")
    assert ours == pytest.approx(alone, rel=0.05)
    assert ours != alone  # batch norm sees half a batch


def test_a_killed_process_ends_all_and_one_process_goes_on(folder: Path) -> None:
    process = start(folder, "killed", fault="SIGKILL")
    text = finish(process)
    assert process.returncode != 0
    assert "SIGKILL" in text
    assert not (folder / "killed/model.onnx").exists()
    process = start(folder, "killed", processes=1)
    text = finish(process)
    assert process.returncode == 0, text
    assert "began with 2 processes and goes on with 1: by the same recipe, but not to the" in text
    assert len(column(folder / "killed", "val_nme")) == 2


def test_a_process_that_hangs_is_given_up(folder: Path) -> None:
    started = time.monotonic()
    process = start(folder, "hangs", fault="SIGSTOP")
    text = finish(process)
    assert process.returncode != 0
    assert "another process of this training ended, or does not answer" in text
    assert "goes on" in text
    assert time.monotonic() - started < 240


def test_a_fault_of_one_process_is_told_by_all(folder: Path) -> None:
    process = start(folder, "odd", recipe=RECIPE.model_copy(update={"batch_size": 7}))
    text = finish(process)
    assert process.returncode != 0
    assert "batch_size 7 cannot be divided among 2 processes; set it to 6 or 8" in text
