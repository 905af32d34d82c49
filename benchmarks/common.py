"""What the benchmarks share: where the data lies, which faces are measured on, and what machine
this is.
"""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedots import read_image, tight_boxes
from facedots.annotations import FaceAnnotation
from facedots.geometry import Floats, Image

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("FACEDOTS_DATA") or ROOT.parent / "shared" / "data")


@dataclass(frozen=True)
class Faces:
    """The faces to measure on, one an image.

    Attributes:
        names: N names.
        images: N images, RGB ``uint8 (H, W, 3)``.
        points: ``float32 (N, K, 2)``, the labels in pixels.
        boxes: ``float32 (N, 4)``, the boxes that are given away, in pixels; by default the tight
            ones of the labels.
    """

    names: Sequence[str]
    images: Sequence[Image]
    points: Floats
    boxes: Floats

    @classmethod
    def of(cls, annotations: Sequence[FaceAnnotation]) -> "Faces":
        """The images read, the boxes from the labels."""
        points = np.stack([face.points for face in annotations])
        images = [read_image(face.image, orient=False) for face in annotations]
        return cls([face.name for face in annotations], images, points, tight_boxes(points))

    @classmethod
    def joined(cls, parts: Sequence["Faces"]) -> "Faces":
        """The faces of several, one after the other."""
        names = [name for part in parts for name in part.names]
        images = [image for part in parts for image in part.images]
        points, boxes = (
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.boxes for part in parts]),
        )
        return cls(names, images, points, boxes)

    def first(self, count: int) -> "Faces":
        """The first so many of them."""
        return Faces(
            self.names[:count], self.images[:count], self.points[:count], self.boxes[:count]
        )


def options_with_data(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options of a benchmark; where there is no folder ``--data``, it says so and ends, which
    is no failure.
    """
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no data at {options.data}; nothing measured")
        sys.exit()
    return options


def machine() -> str:
    """What this was measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, {platform.system()}"
