"""Draw ``docs/images/reading.jpg``: what ``facedots pose`` and ``facedots align`` make of one
portrait.

    python tools/draw_reading_image.py [--out docs/images/reading.jpg]

The portrait is matplotlib's sample image, Rear Admiral Grace Hopper, a work of the United States
Navy in the public domain.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from facedots import (
    Camera,
    FaceAnalyzer,
    Pipeline,
    draw_axes,
    read_image,
    sample_portrait,
    write_image,
)
from facedots.analysis import TEMPLATES, align_face
from facedots.geometry import Image

SIDE = 240


def titled(image: Image, title: str) -> Image:
    """A square image with its title below."""
    small = np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    strip = np.full((26, SIDE, 3), 255, np.uint8)
    cv2.putText(strip, title, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (30, 30, 30), 1, cv2.LINE_AA)
    return np.concatenate([small, strip])


def main() -> None:
    """Find the face, read and align it, write the row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "reading.jpg"
    )
    out = parser.parse_args().out
    image = read_image(sample_portrait())
    camera = Camera.guess((image.shape[0], image.shape[1]))
    (face,) = FaceAnalyzer(camera)(image, Pipeline()(image))
    if face.pose is None:
        raise SystemExit("the portrait's face was not read")
    axes = draw_axes(image, [face.pose], camera)[:400, 56:456]
    cells = [
        titled(
            axes,
            f"yaw {round(face.pose.yaw):+}, pitch {round(face.pose.pitch):+}, roll "
            f"{round(face.pose.roll):+}",
        )
    ]
    cells += [
        titled(align_face(image, face, SIDE, template).image, template) for template in TEMPLATES
    ]
    write_image(out, np.concatenate(cells, axis=1))


if __name__ == "__main__":
    main()
