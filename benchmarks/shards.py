"""Images a second out of a folder and out of the tar shards of a pack, in a random order, on one
core: as bytes, and decoded, as a training reads them.

python benchmarks/shards.py [--data DIR] [--faces 1000] [--rounds 9]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facedots import load_annotations
from facedots.annotations import AnnotationSet, FaceAnnotation, pack
from facedots.io import read_image

DATA = Path(os.environ.get("FACEDOTS_DATA") or Path(__file__).parents[2] / "shared" / "data")


def seconds(work: Callable[[FaceAnnotation], Any], faces: list[FaceAnnotation]) -> float:
    """Processor time, of user and system, to do the work for all faces."""
    start = time.process_time()
    for face in faces:
        work(face)
    return time.process_time() - start


def read_bytes(face: FaceAnnotation) -> bytes:
    """The bytes of a face's image."""
    return face.image.read_bytes()


def decode(face: FaceAnnotation) -> Any:
    """The pixels of a face's image."""
    return read_image(face.image, orient=False)


def main() -> None:
    """Print a line for each kind of work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA / "youtube-faces")
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    data = load_annotations(options.data)
    some = data.faces[:: max(1, len(data.faces) // options.faces)][: options.faces]
    with tempfile.TemporaryDirectory() as folder:
        list(pack(AnnotationSet({"all": some}, data.schema), folder))
        packed = load_annotations(folder).faces
        order = np.random.default_rng(0).permutation(len(some))
        sources = {"folder": [some[i] for i in order], "shards": [packed[i] for i in order]}
        for name, work in {"read": read_bytes, "read and decoded": decode}.items():
            rounds = [
                {source: seconds(work, faces) for source, faces in sources.items()}
                for _ in range(options.rounds)
            ]
            ratio = statistics.median(each["folder"] / each["shards"] for each in rounds)
            rate = len(some) / statistics.median(each["shards"] for each in rounds)
            print(f"{name}: {rate:.0f} images a CPU second, {ratio:.2f} of the folder's rate")


if __name__ == "__main__":
    main()
