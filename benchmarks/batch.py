"""Images per CPU second of `facedots batch` beside a plain loop, and the memory of its processes.

python benchmarks/batch.py                                  # 600 drawn images
python benchmarks/batch.py --images 100000 --engines local  # by hand, hours
python benchmarks/batch.py --images 100000 --only-make DIR  # the images, for `facedots batch DIR`

Ray is measured where it is installed. Memory is that of all processes, as PSS.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import psutil
from common import machine

import facedots
from facedots.batch import Job, PartWorker, list_parts
from facedots.data import draw_face

PART = 64


@dataclass
class Usage:
    """What a process and its descendants used."""

    seconds: float = 0.0
    cpu: dict[int, float] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)

    def sample(self, root: psutil.Process) -> None:
        """Note the CPU seconds of each process so far, and the memory of all in MB."""
        total = 0.0
        for process in [root, *root.children(recursive=True)]:
            try:
                times = process.cpu_times()
                self.cpu[process.pid] = times.user + times.system
                total += process.memory_full_info().pss / 1e6
            except psutil.Error:
                continue
        self.memory.append(total)


def make_images(folder: Path, count: int) -> None:
    """Drawn faces of 64 to 100 pixels, a thousand in a folder."""
    faces = [draw_face(np.random.default_rng(seed))[0] for seed in range(40)]
    for i in range(count):
        side = int(np.random.default_rng(i).integers(64, 101))
        image = cv2.resize(faces[i % len(faces)], (side, side), interpolation=cv2.INTER_AREA)
        facedots.write_image(folder / f"{i // 1000:05d}" / f"{i:08d}.jpg", image)


def measure(command: list[str]) -> Usage:
    """Run a command and watch it."""
    usage, started = Usage(), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        root = psutil.Process(run.pid)
        while run.poll() is None:
            try:
                usage.sample(root)
            except psutil.Error:
                break
            time.sleep(0.5)
    usage.seconds = time.monotonic() - started
    return usage


def loop(folder: Path, out: Path, model: str) -> float:
    """CPU seconds of the same work in this process, networks loaded."""
    (out / "attempts").mkdir(parents=True)
    worker = PartWorker(Job(out, facedots.PipelineOptions(model=model)))
    started = time.process_time()
    for number, part in enumerate(list_parts([str(folder)], PART, recursive=True)):
        worker(number, part)
    return time.process_time() - started


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--model", default="small")
    has_ray = importlib.util.find_spec("ray") is not None
    parser.add_argument("--engines", nargs="*", default=["local", *["ray"] * has_ray])
    parser.add_argument("--only-make", type=Path, metavar="DIR")
    given = parser.parse_args()
    if given.only_make:
        make_images(given.only_make, given.images)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder / "images", given.images)
        plain = loop(folder / "images", folder / "loop", given.model)
        print(machine())
        print("| | images per CPU second | CPU of the loop's | seconds | MB | MB, middle to end |")
        print("|---|---|---|---|---|---|")
        print(f"| plain loop | {given.images / plain:.1f} | 1.00 | | | |")
        for engine in given.engines:
            for workers in (1, 2):
                out = folder / f"{engine}{workers}"
                command = [sys.executable, "-m", "facedots", "batch", str(folder / "images")]
                command += ["--recursive", "--out", str(out), "--model", given.model]
                command += ["--engine", engine, "--workers", str(workers)]
                usage = measure([*command, "--part-size", str(PART)])
                cpu = sum(usage.cpu.values())
                growth = usage.memory[-3] - usage.memory[len(usage.memory) // 2]
                print(
                    f"| {engine}, {workers} | {given.images / cpu:.1f} | {cpu / plain:.2f} | "
                    f"{usage.seconds:.0f} | {max(usage.memory):.0f} | {growth:+.0f} |"
                )


if __name__ == "__main__":
    main()
