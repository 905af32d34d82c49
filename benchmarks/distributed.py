"""Trainings by two processes beside trainings by one, in turn: samples a CPU second and a second,
and whether the curves of the loss differ more than those of two seeds.

The first epoch, starting and exporting do not count.

python benchmarks/distributed.py [--faces 400] [--epochs 4] [--optimizer adamw]
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from common import ROOT, machine

from facedots.data import load_split
from facedots.evaluation import training_history

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Training:
    """What a training took, and how it went.

    Attributes:
        cpu: Processor seconds of all processes, an epoch from the second on.
        seconds: The same by the clock.
        losses: The mean training loss of each epoch.
    """

    cpu: float
    seconds: float
    losses: np.ndarray


def cpu_seconds(root: psutil.Process) -> float:
    """Processor seconds of a process and its descendants so far."""
    times = [process.cpu_times() for process in [root, *root.children(recursive=True)]]
    return float(sum(each.user + each.system for each in times))


def train(options: argparse.Namespace, out: Path, processes: int, seed: int) -> Training:
    """Train in a folder; an epoch ends when its checkpoint appears."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *launcher, "-m", "facedots", "train", str(options.recipe)]
    command += ["--data", f"synthetic:{options.faces}", "--out", str(out), "--threads", "1"]
    command += ["--epochs", str(options.epochs), "--seed", str(seed), "--device", "cpu"]
    command += ["--batch-size", str(options.batch_size), "--optimizer", options.optimizer]
    checkpoint, ends = out / "checkpoints" / "last.ckpt", dict[int, tuple[float, float]]()
    with subprocess.Popen(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            if checkpoint.exists() and (epoch := checkpoint.stat().st_mtime_ns) not in ends:
                ends[epoch] = (cpu_seconds(psutil.Process(process.pid)), time.monotonic())
            time.sleep(POLL_SECONDS)
    if process.returncode:
        sys.exit(f"the training failed: {' '.join(command)}")
    cpu, seconds = np.diff(list(ends.values()), axis=0).mean(0)
    losses = training_history(out / "logs" / "metrics.csv")["train_loss"]
    return Training(cpu, seconds, np.array(list(losses.values())))


def main() -> None:
    """Print a line for each training, the ratios, and how far the curves are apart."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "small.yaml")
    parser.add_argument("--faces", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--optimizer", default="muon")
    options = parser.parse_args()
    faces = len(load_split(f"synthetic:{options.faces}", (), "official").train)
    samples = faces // options.batch_size * options.batch_size
    print(f"{machine()}; {options.optimizer}, batches of {options.batch_size}")
    print("| seed | processes | samples a CPU second | a second | loss of each epoch |")
    print("|---|---|---|---|---|")
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed, processes in itertools.product((0, 1), (1, 2)):
            run = train(options, Path(folder, f"{seed}-{processes}"), processes, seed)
            runs[seed, processes] = run
            losses = " ".join(f"{loss:.2f}" for loss in run.losses)
            rates = f"{samples / run.cpu:.1f} | {samples / run.seconds:.1f}"
            print(f"| {seed} | {processes} | {rates} | {losses} |", flush=True)
    for name in ("cpu", "seconds"):
        ratio = [getattr(runs[seed, 1], name) / getattr(runs[seed, 2], name) for seed in (0, 1)]
        print(f"two processes beside one, by {name}: {statistics.mean(ratio):.2f}")
    apart = [np.abs(runs[seed, 1].losses - runs[seed, 2].losses).mean() for seed in (0, 1)]
    seeds = np.abs(runs[0, 1].losses - runs[1, 1].losses).mean()
    print(f"mean difference of the loss: {np.mean(apart):.3f}; of two seeds: {seeds:.3f}")


if __name__ == "__main__":
    main()
