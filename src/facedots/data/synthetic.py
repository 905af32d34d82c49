"""Faces that the project draws itself: to see the whole loop without any data, and to test against
exact keypoints.

They teach nothing about real faces; whatever was trained on them says so.
"""

import hashlib
import operator
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.csv_table import CsvFile
from facedots.data.dataset import Sample, Transform
from facedots.data.synthetic_face import draw_face
from facedots.geometry import Floats, Image
from facedots.io.files import atomic_write
from facedots.io.images import write_image
from facedots.schema import IBUG68

__all__ = ["SyntheticDataset", "cached_synthetic", "draw_face", "write_synthetic"]


class SyntheticDataset(Dataset[Sample]):
    """Drawn faces as samples, made when asked for; sample ``i`` depends on ``seed`` and ``i``
    alone.

    Args:
        count: How many.
        seed: Another one gives other faces.
        transform: Applied to each sample.
    """

    def __init__(self, count: int, seed: int = 0, transform: Transform | None = None) -> None:
        self.count = count
        self.seed = seed
        self.transform = transform

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        """The sample at ``index``, with the keys of :data:`facedots.data.dataset.Sample`; negative
        ones count from the end.
        """
        number = range(self.count)[operator.index(index)]
        image, points = _drawn(self.seed, number)
        sample: Sample = {
            "image": image,
            "keypoints": points,
            "name": _name(number),
            "label_bias_x": 0.0,
        }
        return self.transform(sample) if self.transform else sample


def write_synthetic(folder: str | Path, count: int, seed: int = 0) -> list[FaceAnnotation]:
    """Drawn faces as files: JPEGs of quality 95 and ``faces-<count>.csv``, written last; what is
    there already is kept.

    Returns:
        One annotation a face, read back from the CSV; each face is a group of its own.

    Raises:
        OutputError: The folder cannot be written.
    """
    root = Path(folder)
    table = root / f"faces-{count}.csv"
    files = [root / f"{number:06}.jpg" for number in range(count)]
    if not all(file.is_file() for file in (*files, table)):
        rows = ["name," + ",".join(f"{axis}{i}" for i in range(IBUG68.count) for axis in "xy")]
        for number, file in enumerate(files):
            image, points = _drawn(seed, number)
            if not file.is_file():
                write_image(file, image)
            rows.append(f"{file.name}," + ",".join(str(value) for value in points.ravel()))
        atomic_write(table, "\n".join(rows) + "\n")
    faces = CsvFile(table).faces(root)
    return [
        replace(face, name=_name(number), group=_name(number)) for number, face in enumerate(faces)
    ]


def cached_synthetic(count: int, seed: int = 0) -> list[FaceAnnotation]:
    """The same in ``$XDG_CACHE_HOME/facedots`` (``~/.cache/facedots``), in a folder named after
    what the painter draws.

    Raises:
        OutputError: The cache cannot be written.
    """
    image, points = _drawn(seed, 0)
    drawing = hashlib.sha256(image.tobytes() + points.tobytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return write_synthetic(cache / "facedots" / f"synthetic-{drawing}", count, seed)


def _drawn(seed: int, number: int) -> tuple[Image, Floats]:
    return draw_face(np.random.default_rng((seed, number)))


def _name(number: int) -> str:
    return f"synthetic/{number:06}"
