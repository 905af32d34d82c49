"""What travels between this machine and the one of `tools/gpu_run.py`: folders as archives, in
parts that the way back accepts.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from facedots.inference.weights import ONNX_FILE
from facedots.io.files import atomic_write
from facedots.training.checkpoints import CHECKPOINTS, read_checkpoint, with_hash

CARRIED = Path(".gpu")
"""What travels to the device machine, below the root of the repository."""
WORK = Path(tempfile.gettempdir(), "facedots-gpu")
"""Data and runs lie here on both machines: checkpoints and scenes hold whole paths."""

TEACHER_FILE = "teacher.txt"
"""In a pack: what a card says of the labels that a teacher moved."""

_THERE, _BACK, _PART = 64 << 20, 60 << 20, 15 << 20
"""Bytes of all that may travel there; of all that may come back, and of one file of it."""
_RUNS = "runs.tar"
_LARGE = ("tensorboard", CHECKPOINTS, "model.safetensors")
"""What comes back of no run as it is."""


def check_size() -> None:
    """Print the size of all that travels there.

    Raises:
        SystemExit: It is too much.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    files = [*map(Path, filter(None, names)), *CARRIED.rglob("*")]
    size = sum(file.stat().st_size for file in files if file.is_file())
    print(f"{size / 2**20:.1f} of {_THERE / 2**20:.0f} MiB travel")
    if size > _THERE:
        raise SystemExit(f"too much: remove from {CARRIED} what this call does not need")


def save_runs(runs: Sequence[Path], out: Path) -> None:
    """Write runs as the parts of one archive: their small files, the averaged weights of the best
    epoch and, of an unfinished run, the checkpoint to go on from, as far as there is room.
    """
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for run in runs:
            tar.add(run, f"runs/{run.name}", filter=_small)
        for run in runs:
            for name, content in checkpoints(run).items():
                if whole.tell() + len(content) > _BACK:
                    print(f"{run.name}: no room for {name}; queue fewer networks")
                    continue
                entry = tarfile.TarInfo(f"runs/{run.name}/{CHECKPOINTS}/{name}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    content = whole.getvalue()
    starts = range(0, len(content), _PART)
    for name, start in zip(part_names(len(starts)), starts, strict=True):
        atomic_write(out / name, content[start : start + _PART])


def part_names(count: int) -> list[str]:
    """The names of the parts of one archive, which tell whether one is missing."""
    return [f"{_RUNS}.{number}-of-{count}" for number in range(1, count + 1)]


def checkpoints(run: Path) -> dict[str, bytes]:
    """The checkpoints of a run to bring back: the best one without the optimizer's state and, if
    it is unfinished, the last one whole.
    """
    best, last = (run / CHECKPOINTS / name for name in ("best.ckpt", "last.ckpt"))
    kept = {}
    if best.exists():
        state = read_checkpoint(best)
        buffer = io.BytesIO()
        torch.save({name: state[name] for name in ("state_dict", "epoch", "global_step")}, buffer)
        kept[best.name] = with_hash(buffer.getvalue())
    if last.exists() and not (run / ONNX_FILE).exists():
        kept[last.name] = last.read_bytes()
    return kept


def join_parts(folder: Path, carried: Path, work: Path) -> None:
    """Unpack the runs that came back, in ``work/runs``, and carry them in the next call.

    Raises:
        SystemExit: The folder has not all parts of one archive; nothing is written.
    """
    parts = sorted(folder.rglob(f"{_RUNS}.*"))
    if not parts or [part.name for part in parts] != part_names(len(parts)):
        found = ", ".join(part.name for part in parts) or "no runs"
        raise SystemExit(f"{folder}: {found}; give the whole folder that `run` names as files_at")
    archive, content = carried / _RUNS, b"".join(part.read_bytes() for part in parts)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:  # before the last ones are replaced
        tar.extractall(work, filter="data")
    atomic_write(archive, content)
    print(f"{len(parts)} parts: {work / 'runs'}; {archive} goes along with the next call")


def unpack_carried(archives: Iterable[Path], work: Path) -> None:
    """Unpack what was carried."""
    for archive in archives:
        with tarfile.open(archive) as tar:
            tar.extractall(work, filter="data")


def _small(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(entry.name).name in _LARGE else entry
