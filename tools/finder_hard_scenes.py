"""Scenes on which a finder errs, drawn more often from then on: hard-example mining.

    python tools/finder_hard_scenes.py SCENES --finder finder.onnx --out FOLDER
    facedots train recipes/finder.yaml --data FOLDER --out runs/finder-2

Each false box and each missed face of a training scene adds ``GAIN`` times its weight, up to
``MOST`` times.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from facedots import Finder, read_image
from facedots.data import load_scenes, write_scenes
from facedots.detection.base import Detections
from facedots.evaluation.detection import match_boxes

GAIN, MOST = 1.0, 5.0


def main() -> None:
    """Write the list with new weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--finder", type=Path, required=True)
    parser.add_argument("--min-score", type=float, default=0.4)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    finder, scenes, hard = Finder(options.finder, options.min_score), [], 0
    for scene in load_scenes(options.scenes):
        errors = 0
        if not scene.validation:
            detections: Detections = finder(read_image(scene.image, orient=False))
            hit, counted = match_boxes(detections, scene)
            errors = int((counted & ~hit).sum()) + len(scene.squares) - int(hit.sum())
        hard += errors > 0
        weight = scene.weight * min(1 + GAIN * errors, MOST)
        scenes.append(replace(scene, weight=round(weight, 3)))
    write_scenes(scenes, options.out)
    print(f"{hard} of {len(scenes)} scenes are hard")


if __name__ == "__main__":
    main()
