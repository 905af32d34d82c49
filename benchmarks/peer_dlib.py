"""dlib's 68 points, an ensemble of regression trees; see ``peer_worker.py``. Its answers are whole
pixels.
"""

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import dlib  # type: ignore[import-not-found]
from peer_worker import Box, PeerCrop, Predict, serve, square


def prepare(_model: str) -> tuple[Predict, str, list[str]]:
    """The only model there is."""
    package = importlib.util.find_spec(
        "face_recognition_models"
    )  # importing it would need an old setuptools
    if package is None or package.origin is None:
        sys.exit("face_recognition_models is not installed")
    weights = str(Path(package.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat")
    predictor = dlib.shape_predictor(weights)

    def predict(image: Any, box: Box, crop: PeerCrop) -> tuple[Any, float]:
        left, top, side = square(box, crop)
        shape = predictor(
            image, dlib.rectangle(*(round(value) for value in (left, top, left + side, top + side)))
        )
        return [(part.x, part.y) for part in shape.parts()], math.nan

    return predict, f"dlib {dlib.__version__}", [weights]


if __name__ == "__main__":
    serve(prepare)
