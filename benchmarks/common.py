"""Shared by the benchmarks: the data, the faces, Markdown tables, the machine."""

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
        boxes: ``float32 (N, 4)``, input boxes in pixels; by default the tight ones of the
            labels.
    """

    names: Sequence[str]
    images: Sequence[Image]
    points: Floats
    boxes: Floats

    @classmethod
    def of(cls, annotations: Sequence[FaceAnnotation]) -> "Faces":
        """Read the images; the boxes are those of the labels."""
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
        """The first ``count`` of them."""
        return Faces(
            self.names[:count], self.images[:count], self.points[:count], self.boxes[:count]
        )


def parser_with_data(description: str | None) -> argparse.ArgumentParser:
    """A parser of options that shows the docstring of a script; it takes ``--data``."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=raw)
    parser.add_argument("--data", type=Path, default=DATA)
    return parser


def options_with_data(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the options; exit with status 0 where the folder ``--data`` does not exist."""
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no data at {options.data}; nothing measured")
        sys.exit()
    return options


def machine() -> str:
    """Processor, cores and system."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.processor()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
