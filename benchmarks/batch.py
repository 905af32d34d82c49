"""CPU time of `facedots batch` beside a plain loop's, its results, and the memory of its processes.

python benchmarks/batch.py                                           # 2,000 images of 64–100 pixels
python benchmarks/batch.py --images 100000 --workers 2 --folder DIR  # half an hour an engine

Every fourth image shows a drawn face. The loop is one process that does the same parts, of many
images a sample, before and after each run. Ray is measured where it is installed; its own processes
are all but the driver and the actors. Memory is that of all processes, as PSS.
"""

import argparse
import hashlib
import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import psutil
from common import machine, markdown_table

import facedots
from facedots.batch import Job, PartWorker, list_parts
from facedots.data import draw_face

PART, LOOP_PARTS = 128, 16
HEAD = (
    "processes",
    "CPU of the loop's: workers",
    "with the driver",
    "images per CPU second: workers",
    "CPU seconds of Ray itself",
    "seconds",
    "MB at tenths of the time",
)


@dataclass
class Usage:
    """What a process and its descendants used.

    Attributes:
        cpu: CPU seconds by the process.
        roles: Driver, worker, or Ray, by the process.
        memory: MB of all of them, over time.
        seconds: From begin to end.
    """

    cpu: dict[int, float] = field(default_factory=dict)
    roles: dict[int, str] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def sample(self, root: psutil.Process) -> None:
        """Note the CPU seconds of each process so far, and the memory of all."""
        total = 0.0
        for process in [root, *root.children(recursive=True)]:
            try:
                times, words = process.cpu_times(), " ".join(process.cmdline())
                self.cpu[process.pid] = times.user + times.system
                if process == root:
                    self.roles[process.pid] = "driver"
                elif "spawn_main" in words or "ray::Map" in words:
                    self.roles[process.pid] = "worker"
                total += process.memory_full_info().pss / 1e6
            except psutil.Error:
                continue
        self.memory.append(total)

    def seconds_of(self, role: str) -> float:
        """CPU seconds of the processes in a role."""
        return sum(time for pid, time in self.cpu.items() if self.roles.get(pid, "Ray") == role)

    def tenths(self) -> str:
        """The memory at ten moments, evenly spread."""
        moments = np.linspace(0, len(self.memory) - 1, 11)[1:].astype(int)
        return " ".join(f"{self.memory[moment]:.0f}" for moment in moments)


def make_images(folder: Path, count: int) -> None:
    """Drawn faces and patches of color, a thousand in a folder; those of an earlier call stay."""
    faces = [draw_face(np.random.default_rng(seed))[0] for seed in range(40)]
    for i in range(count):
        file, rng = folder / f"{i // 1000:05d}" / f"{i:08d}.jpg", np.random.default_rng(i)
        side, patches = int(rng.integers(64, 101)), rng.integers(0, 256, (8, 8, 3), np.uint8)
        if file.exists():
            continue
        image, way = (patches, cv2.INTER_CUBIC) if i % 4 else (faces[i // 4 % 40], cv2.INTER_AREA)
        facedots.write_image(file, cv2.resize(image, (side, side), interpolation=way))


def run_batch(command: list[str], interval: float) -> Usage:
    """Run `facedots batch` and watch it."""
    usage, started = Usage(), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        root = psutil.Process(run.pid)
        while run.poll() is None:
            usage.sample(root)
            time.sleep(interval)
    usage.seconds = time.monotonic() - started
    return usage


def work_through(folder: Path, out: Path, model: str) -> None:
    """The plain loop: parts, evenly spread, one after the other in this process."""
    (out / "attempts").mkdir(parents=True, exist_ok=True)
    worker = PartWorker(Job(out, facedots.PipelineOptions(model=model)))
    parts = list(enumerate(list_parts([str(folder)], PART, recursive=True)))
    for number, part in parts[:: -(-len(parts) // LOOP_PARTS)]:
        worker(number, part)


def loop_seconds(folder: Path, out: Path, model: str) -> float:
    """CPU seconds per image of the plain loop as a process, its start included."""
    before = os.times()
    arguments = (folder, out, model)
    process = multiprocessing.get_context("spawn").Process(target=work_through, args=arguments)
    process.start()
    process.join()
    after = os.times()
    seconds = after.children_user + after.children_system
    seconds -= before.children_user + before.children_system
    parts = len(list((out / "parts").iterdir()))
    return seconds / (parts * PART)


def check(out: Path, loop: Path, images: int) -> str:
    """The SHA-256 of all parts; those of the loop must be among them."""
    counts = json.loads((out / "summary.json").read_text())
    assert counts["images"] == images, counts
    assert not counts["errors"], counts
    for file in (loop / "parts").iterdir():
        assert file.read_bytes() == (out / "parts" / file.name).read_bytes(), file.name
    digest = hashlib.sha256()
    for file in sorted((out / "parts").iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def measure(given: argparse.Namespace, folder: Path) -> None:
    """Run each engine with each number of workers; print a table."""
    images, loop = folder / "images", folder / "loop"
    make_images(images, given.images)
    rows, digests = list[list[str]](), set[str]()
    plain = loop_seconds(images, loop, given.model)
    print(machine(), f"plain loop: {1 / plain:.1f} images per CPU second", sep="\n", flush=True)
    for engine in given.engines:
        for workers in given.workers:
            out = Path(tempfile.mkdtemp(dir=folder))
            command = [sys.executable, "-m", "facedots", "batch", str(images), "--recursive"]
            command += ["--out", str(out), "--model", given.model, "--part-size", str(PART)]
            command += ["--engine", engine, "--workers", str(workers)]
            usage = run_batch(command, 0.5 if given.images < 10_000 else 5)
            digests.add(check(out, loop, given.images))
            again = loop_seconds(images, loop, given.model)
            beside, plain = given.images * (plain + again) / 2, again
            work, driver = usage.seconds_of("worker"), usage.seconds_of("driver")
            values = [work / beside, (work + driver) / beside, given.images / work]
            rows.append([f"{engine}, {workers}", *(f"{value:.2f}" for value in values)])
            rows[-1] += [f"{usage.seconds_of('Ray'):.0f}", f"{usage.seconds:.0f}", usage.tenths()]
            print(" · ".join(rows[-1]), flush=True)
    print(markdown_table(HEAD, rows))
    assert len(digests) == 1, digests
    print(f"{given.images} images and the same parts in all runs: SHA-256 {digests.pop()}")


def main() -> None:
    """Measure in a folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--model", default="tiny")
    has_ray = importlib.util.find_spec("ray") is not None
    parser.add_argument("--engines", nargs="*", default=["local", *["ray"] * has_ray])
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--folder", type=Path, help="for the images and the results; stays")
    given = parser.parse_args()
    if given.folder:
        measure(given, given.folder)
    else:
        with tempfile.TemporaryDirectory() as name:
            measure(given, Path(name))


if __name__ == "__main__":
    main()
