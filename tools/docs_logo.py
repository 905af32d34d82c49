"""Draw ``docs/images/logo.svg``: the 68 dots of the mean shape, colored by region.

python tools/docs_logo.py [--out docs/images/logo.svg]
"""

import argparse
from pathlib import Path

import numpy as np

from facedots import IBUG68
from facedots.analysis import MEAN_SHAPE
from facedots.io import atomic_write
from facedots.plots import region_colors

SIDE, MARGIN, RADIUS = 256, 14, 7.5


def logo() -> str:
    """The image as SVG."""
    points = np.asarray(MEAN_SHAPE, np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    zoom = (SIDE - 2 * MARGIN) / (high - low).max()
    placed = (points - (low + high) / 2) * zoom + SIDE / 2
    colors = region_colors(IBUG68)
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" fill="rgb{colors[region]}"/>'
        for (x, y), region in zip(placed, IBUG68.region_of, strict=True)
    ]
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">',
                *dots,
                "</svg>",
            ]
        )
        + "\n"
    )


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "logo.svg"
    )
    atomic_write(parser.parse_args().out, logo())


if __name__ == "__main__":
    main()
