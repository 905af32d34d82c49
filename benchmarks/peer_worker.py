"""The worker's half of a peer's run. NumPy only: it is imported inside the peer's own environment.

A worker is called as ``python peer_<who>.py FACES JOB``, with two folders (``peer_face_api.cjs``
speaks the same, in Node):

* ``FACES/faces.json``: a list of ``{"start", "height", "width", "box"}``; ``FACES/pixels.bin``: all
  images one after the other, RGB bytes, each from its ``start``; boxes are tight ones, ``x0 y0 x1
  y1`` in pixels, (0, 0) the center of the top-left pixel.
* ``JOB/job.json``: ``{"model": name, "crops": [[scale, up], …], "rounds": R}``.
* The worker adds ``JOB/points.f32``, float32 (crops, faces, 68, 2) in pixels, NaN where nothing was
  predicted; ``JOB/times.f32``, float32 (crops, rounds, faces, 2), milliseconds of processor time of
  the whole call and of the network in it (NaN where it cannot be timed alone); and
  ``JOB/answer.json``: ``{"version", "weights": [paths], "peak_mb"}``.

A crop ``(scale, up)`` is the square whose side is ``scale`` times the mean side of the box, with
its center ``up`` box heights above that of the box; a scale of 0 means the whole image.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

POINTS = 68

Box = Sequence[float]
PeerCrop = Sequence[float]
Predict = Callable[[Any, Box, PeerCrop], tuple[Any, float]]
"""(image, tight box, crop) -> points (68, 2) or ``None``, and milliseconds of the network or
NaN.
"""


def serve(prepare: Callable[[str], tuple[Predict, str, list[str]]]) -> None:
    """Do the job that the command line names.

    Args:
        prepare: From the model's name to what predicts, a version to print, and the files of the
            weights.
    """
    faces, job = Path(sys.argv[1]), Path(sys.argv[2])
    task = json.loads((job / "job.json").read_text())
    predict, version, weights = prepare(task["model"])
    images = read_faces(faces)
    rounds, crops = task["rounds"], task["crops"]
    points = np.full((len(crops), len(images), POINTS, 2), np.nan, np.float32)
    times = np.full((len(crops), rounds, len(images), 2), np.nan, np.float32)
    for f, crop in enumerate(crops):
        for r in range(rounds):
            for i, (image, box) in enumerate(images):
                start = time.process_time()
                predicted, network = predict(image, box, crop)
                times[f, r, i] = (time.process_time() - start) * 1000, network
                if predicted is not None:
                    points[f, i] = predicted
    points.tofile(job / "points.f32")
    times.tofile(job / "times.f32")
    (job / "answer.json").write_text(
        json.dumps({"version": version, "weights": weights, "peak_mb": peak_mb()})
    )


def read_faces(folder: Path) -> list[tuple[Any, list[float]]]:
    """The images ``uint8 (H, W, 3)`` and their boxes."""
    pixels = np.memmap(folder / "pixels.bin", np.uint8, "r")
    faces = []
    for face in json.loads((folder / "faces.json").read_text()):
        shape = (face["height"], face["width"], 3)
        faces.append(
            (np.array(pixels[face["start"] :][: np.prod(shape)]).reshape(shape), face["box"])
        )
    return faces


def square(box: Box, crop: PeerCrop) -> tuple[float, float, float]:
    """Left, top and side of the square that a crop cuts out, in pixels."""
    left, top, right, bottom = box
    scale, up = crop
    side = scale * (right - left + bottom - top) / 2
    return (left + right) / 2 - side / 2, (top + bottom) / 2 - up * (bottom - top) - side / 2, side


def cut(image: Any, box: Box, crop: PeerCrop) -> tuple[Any, int, int]:
    """The square of a crop at the image's own resolution, black beyond its border, and its left
    and top in whole pixels.
    """
    if not crop[0]:
        return image, 0, 0
    x, y, side = (round(value) for value in square(box, crop))
    height, width = image.shape[:2]
    top, left, bottom, right = max(0, y), max(0, x), min(height, y + side), min(width, x + side)
    pixels = np.zeros((side, side, 3), np.uint8)
    if top < bottom and left < right:
        pixels[top - y : bottom - y, left - x : right - x] = image[top:bottom, left:right]
    return pixels, x, y


def peak_mb() -> float | None:
    """The largest resident size of this process so far, in MB; ``None`` where the system does not
    say.

    Linux' ``ru_maxrss`` will not do: a child inherits that of its parent.
    """
    status = Path("/proc/self/status")
    predicted = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    return int(predicted[1]) / 1024 if predicted else None
