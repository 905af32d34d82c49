"""Draw ``docs/images/filters.jpg``: what ``facedots filter`` and ``facedots anonymize`` make of one
portrait.

    python tools/draw_filters_image.py [--out docs/images/filters.jpg]

The portrait is matplotlib's sample image, Rear Admiral Grace Hopper, a work of the United States
Navy in the public domain.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from facedots import Anonymizer, Pipeline, named_effects, read_image, sample_portrait, write_image
from facedots.analysis import face_texture
from facedots.effects import Effect
from facedots.geometry import Image

CELL = (200, 200)
"""Width and height of each image."""

EFFECTS = (
    "sunglasses,mustache",
    "hat",
    "crown",
    "dog-ears,dog-nose",
    "party-mask",
    "blush,lips,brows",
    "mesh",
)


def titled(image: Image, title: str) -> Image:
    """The image at the size of a cell, with its title below."""
    small = np.asarray(cv2.resize(image, CELL, interpolation=cv2.INTER_AREA), np.uint8)
    strip = np.full((26, CELL[0], 3), 255, np.uint8)
    cv2.putText(strip, title, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (30, 30, 30), 1, cv2.LINE_AA)
    return np.concatenate([small, strip])


def main() -> None:
    """Find the face, apply everything, write the sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "filters.jpg"
    )
    out = parser.parse_args().out
    image = np.ascontiguousarray(read_image(sample_portrait())[:400, 56:456])
    faces = Pipeline()(image)
    cells = []
    for names in EFFECTS:
        result = image
        for effect in named_effects(names):
            result = effect(result, faces)
        cells.append(titled(result, names))
    covers: list[tuple[str, Effect]] = [
        ("blur", Anonymizer("blur")),
        ("pixelate", Anonymizer("pixelate")),
    ]
    cells += [titled(cover(image, faces), f"anonymize: {name}") for name, cover in covers]
    cells.append(titled(face_texture(image, faces[0], 300).image, "on the mean shape"))
    half = len(cells) // 2
    write_image(
        out, np.concatenate([np.concatenate(row, axis=1) for row in (cells[:half], cells[half:])])
    )


if __name__ == "__main__":
    main()
