"""What ends a training is told in one line; checkpoints carry a hash; a run has a lock."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from facedots.errors import FacedotsError, ImageError, OutputError, TrainingError, WeightsError
from facedots.io.locks import LOCK_FILE
from facedots.training import checkpoints
from facedots.training.checkpoints import (
    AtomicCheckpointIO,
    last_checkpoint,
    read_checkpoint,
    whole_checkpoint,
)
from facedots.training.faults import explain_faults
from facedots.training.recipe import Recipe
from facedots.training.run import train
from facedots.training.run_folder import lock_run

TINY = Recipe(model="tiny", epochs=2, batch_size=8, precision="float32")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def run_with_checkpoints(folder: Path) -> Path:
    """A folder with two checkpoints, saved after one and two epochs."""
    (folder / "checkpoints").mkdir(parents=True)
    for epoch, name in enumerate(("best", "last")):
        content = {"state_dict": {"a": torch.full((500,), epoch)}, "epoch": epoch}
        AtomicCheckpointIO().save_checkpoint(content, folder / f"checkpoints/{name}.ckpt")
    return folder


def test_a_loss_that_is_not_a_number_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"run: the .*loss is not a number after step \d+ of epoch 1; lower lr"
    ) as caught:
        train(
            TINY.model_copy(update={"lr": 1e9, "batch_size": 4}), "synthetic:24", tmp_path / "run"
        )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run/model.onnx").exists()
    assert not list((tmp_path / "run").glob("checkpoints/*"))


def test_a_checkpoint_is_read_by_torch_as_ever(tmp_path: Path) -> None:
    file = run_with_checkpoints(tmp_path) / "checkpoints/last.ckpt"
    assert read_checkpoint(file)["epoch"] == torch.load(file, weights_only=True)["epoch"] == 1
    assert [path.name for path in sorted(file.parent.iterdir())] == ["best.ckpt", "last.ckpt"]


def empty(_data: bytes) -> bytes:
    return b""


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def one_bit(data: bytes) -> bytes:
    return data[:700] + bytes([data[700] ^ 1]) + data[701:]


def bit_of_the_hash(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("damage", [empty, cut, one_bit, bit_of_the_hash])
def test_a_damaged_checkpoint_is_refused_and_the_other_named(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    run = run_with_checkpoints(tmp_path)
    last, best = run / "checkpoints/last.ckpt", run / "checkpoints/best.ckpt"
    last.write_bytes(damage(last.read_bytes()))
    advice = r"last\.ckpt: damaged.*delete it, and `facedots train --resume .*best\.ckpt.*epoch 1$"
    with pytest.raises(WeightsError, match=advice):
        last_checkpoint(run)
    with pytest.raises(WeightsError, match=r"last\.ckpt: damaged.*--checkpoint best"):
        whole_checkpoint(run, "last")
    last.unlink()
    assert last_checkpoint(run) == best
    best.write_bytes(damage(best.read_bytes()))
    with pytest.raises(WeightsError, match=r"best\.ckpt: damaged.*train again"):
        last_checkpoint(run)
    best.unlink()
    assert last_checkpoint(run) is None


def test_what_torch_refuses_is_a_damaged_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    whole = BytesIO()
    torch.save({"state_dict": {}}, whole)
    file.write_bytes(whole.getvalue())  # as facedots wrote them before it kept hashes
    assert read_checkpoint(file) == {"state_dict": {}}
    for data in (b"not a checkpoint", os.urandom(4000)):
        file.write_bytes(data)
        with pytest.raises(WeightsError, match=r"a\.ckpt: damaged"):
            read_checkpoint(file)
    torch.save({"weights": 1}, file)
    with pytest.raises(WeightsError, match="not a checkpoint of a training"):
        read_checkpoint(file)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(tmp_path)


def test_two_runs_in_one_folder_are_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from facedots.training.run_folder import lock_run\n"
        "with lock_run(Path(sys.argv[1])): print('locked', flush=True); time.sleep(100)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(TrainingError, match=f"^{tmp_path}: another `facedots train`"):
            train(TINY, "synthetic:24", tmp_path)
        other.send_signal(signal.SIGKILL)
    with lock_run(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputError, "delete files.*--resume"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
            TrainingError,
            "workers or cache_gb lower.*--resume",
        ),
        (torch.OutOfMemoryError("CUDA out of memory"), TrainingError, "batch_size lower"),
        (
            ImageError(
                "Caught ImageError in DataLoader worker process 0.\nOriginal Traceback:\n  File\n"
                "facedots.errors.ImageError: a.jpg: damaged\n"
            ),
            ImageError,
            r"^a\.jpg: damaged$",
        ),
    ],
)
def test_what_torch_and_the_system_raise_becomes_one_line(
    error: Exception, kind: type[FacedotsError], words: str, tmp_path: Path
) -> None:
    (tmp_path / "recipe.yaml").touch()
    with pytest.raises(kind, match=words) as caught, explain_faults(tmp_path):
        raise error
    assert "\n" not in str(caught.value)


def test_a_training_that_is_terminated_tells_it_by_its_status(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught, explain_faults(tmp_path):
        raise SIGTERMException  # as Lightning does, also where nothing is exported
    assert caught.value.code == 143


def test_other_errors_stay(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a fault of facedots"), explain_faults(tmp_path):
        raise RuntimeError("a fault of facedots")


def test_a_full_disk_while_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _data: bytes) -> None:
        raise OutputError(f"{path}: cannot be written: No space left") from OSError(
            errno.ENOSPC, "No space left"
        )

    monkeypatch.setattr(checkpoints, "atomic_write", full)
    with pytest.raises(OutputError, match=r"best\.ckpt: .*No space left \(delete files.*--resume"):
        train(TINY, "synthetic:24", tmp_path / "run")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the worker in /proc")
def test_a_killed_worker_ends_the_training(tmp_path: Path) -> None:
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "run"
    recipe.write_text(TINY.model_copy(update={"workers": 2, "epochs": 500}).to_yaml())
    command = [sys.executable, "-m", "facedots", "train", str(recipe), "--data", "synthetic:24"]
    with subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.PIPE, text=True) as run:
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        while run.poll() is None and not (out / "checkpoints/last.ckpt").exists():
            time.sleep(0.2)
        for child in children.read_text().split():
            if b"facedots" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
                break
        _, messages = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "Traceback" not in messages
    assert "a process that reads images ended" in messages
