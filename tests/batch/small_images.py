"""Collections of drawn faces, and what a batch makes of them."""

from pathlib import Path

import cv2
import numpy as np

from facedots.batch.sources import list_parts
from facedots.batch.work import Job, PartWorker
from facedots.data.synthetic import draw_face
from facedots.io.images import write_image
from facedots.pipeline_options import PipelineOptions


def make_images(folder: Path, count: int) -> list[Path]:
    """Drawn faces of 64 to 100 pixels; every tenth image is gray."""
    faces = [draw_face(np.random.default_rng(seed))[0] for seed in range(min(count, 20))]
    files = []
    for i in range(count):
        side = int(np.random.default_rng(i).integers(64, 101))
        image = cv2.resize(faces[i % len(faces)], (side, side), interpolation=cv2.INTER_AREA)
        files.append(folder / f"{i:05d}.jpg")
        write_image(files[-1], np.full_like(image, 128) if i % 10 == 9 else image)
    return files


def work_through(out: Path, networks: PipelineOptions, sources: list[str], part_size: int) -> None:
    """The parts of a batch, one after the other in this process."""
    (out / "attempts").mkdir(parents=True)
    worker = PartWorker(Job(out, networks))
    for number, part in enumerate(list_parts(sources, part_size)):
        worker(number, part)


def begun_parts(out: Path) -> list[Path]:
    """The parts at work, and those whose process was killed: each begin has a name of its own, of
    which the first nine characters are those of its part.
    """
    return list(out.glob("parts/.*.part.parquet"))


def part_bytes(out: Path) -> dict[str, bytes]:
    """The content of each finished part."""
    return {file.name: file.read_bytes() for file in sorted(out.glob("parts/part-*.parquet"))}
