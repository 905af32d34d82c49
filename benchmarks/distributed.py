"""A training by two processes beside one: samples a CPU second, and the curves of the loss.

Each number is the difference of two trainings of different length, so that starting and exporting
do not count.

python benchmarks/distributed.py [--faces 480] [--epochs 4] [--recipe recipes/small.yaml]
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def train(options: argparse.Namespace, out: Path, processes: int, epochs: int, seed: int) -> float:
    """Train in a folder; the processor seconds of all processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *launcher, "-m", "facedots", "train", str(options.recipe)]
    command += ["--data", f"synthetic:{options.faces}", "--out", str(out), "--threads", "1"]
    fields = {"epochs": epochs, "seed": seed, "batch-size": 32, "precision": "float32"}
    command += [word for name, value in fields.items() for word in (f"--{name}", str(value))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def losses(run: Path) -> list[float]:
    """The mean training loss of each epoch."""
    with (run / "logs" / "metrics.csv").open(newline="") as file:
        rows = [row["train_loss_epoch"] for row in csv.DictReader(file)]
    return [float(value) for value in rows if value]


def main() -> None:
    """Print the rates, their ratio, and three curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=480)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "small.yaml")
    options = parser.parse_args()
    samples = options.faces * 8 // 10 // 32 * 32 * (options.epochs - 1)
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        for processes in (1, 2):
            short = train(options, Path(folder, f"short{processes}"), processes, 1, 0)
            run = Path(folder, f"long{processes}")
            rates.append(samples / (train(options, run, processes, options.epochs, 0) - short))
            print(f"{processes} processes: {rates[-1]:.1f} samples a CPU second; loss", losses(run))
        other = Path(folder, "other")
        train(options, other, 1, options.epochs, 1)
        print("one process, another seed: loss", losses(other))
    print(f"ratio: {rates[1] / rates[0]:.2f}")


if __name__ == "__main__":
    main()
