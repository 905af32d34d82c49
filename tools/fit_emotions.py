"""Fit what tells emotions apart, ``assets/emotions.json``, to all labeled faces of
``data/expressions`` with the points that a network finds.

    python tools/fit_emotions.py [--data ../shared/data --model small]

``benchmarks/emotions.py`` measures the same fit on people who had no part in it. To be run again
whenever the networks change.
"""

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from common import DATA, options_with_data
from emotions import choose, fit, read_faces

import facedots
from facedots.analysis import EMOTION_POINTS, EMOTIONS

FILE = Path(facedots.__file__).parent / "assets" / "emotions.json"
TERMS = {
    "title": "Linear discriminants of the emotions that a face shows, from its 68 points",
    "license": "Research only; docs/reading.md says what they must not be used for.",
}


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", default="small")
    options = options_with_data(parser)
    cv2.setNumThreads(1)
    faces = read_faces(options.data, options.model)
    faces = faces.rows(faces.known)
    shrinkage, temperature = choose(faces)
    fitted = fit(faces, shrinkage)
    mean = faces.points.mean(axis=0)
    shape = (len(EMOTIONS), len(EMOTION_POINTS), 2)
    bias = fitted.decision_function(mean.reshape(1, -1))[0]
    people = len(np.unique(faces.people))
    document = TERMS | {
        "trained_on": f"{len(faces.points)} faces of {people} people, one emotion each by "
        f"volunteers, and their mirror images; points of {options.model}; "
        f"shrinkage {shrinkage}, temperature {temperature:.3f}",
        "emotions": EMOTIONS,
        "mean": mean.round(4).tolist(),
        "weights": (fitted.coef_.reshape(shape) / temperature).round(3).tolist(),
        "bias": (bias / temperature).round(4).tolist(),
    }
    FILE.write_text(json.dumps(document, indent=None) + "\n", "utf-8")
    print(f"{FILE}: {FILE.stat().st_size / 1000:.1f} kB, {document['trained_on']}")


if __name__ == "__main__":
    main()
