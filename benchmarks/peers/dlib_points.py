"""dlib's 68 points of the faces in a file; runs inside the peer's own environment, which ``benchmarks/latency.py`` makes.

    python dlib_points.py faces.npz answer.npz ROUNDS

``faces.npz`` holds ``boxes`` (N, 4), tight boxes, and ``image_0`` … in RGB. The answer holds ``points`` (N, 68, 2) in pixels and
``milliseconds`` (ROUNDS, N) of processor time.
"""

import importlib.util
import sys
import time
from pathlib import Path

import dlib  # type: ignore[import-not-found]
import numpy as np

SIDE, UP = 1.15, 0.15
"""The square that dlib likes best: side over the mean side of the tight box, and how far up in heights of the box.

Chosen by the NME on 289 training frames of YouTube Faces on 2026-11-22, from sides 0.9 to 1.2 and shifts -0.05 to 0.2.
"""


def square(box: list[float]) -> dlib.rectangle:
    """The framing that dlib wants of a face with this tight box."""
    left, top, right, bottom = box
    half = SIDE * (right - left + bottom - top) / 4
    x, y = (left + right) / 2, (top + bottom) / 2 - UP * (bottom - top)
    return dlib.rectangle(round(x - half), round(y - half), round(x + half), round(y + half))


def main() -> None:
    """Predict every face of the file in every round."""
    source, target, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    package = importlib.util.find_spec("face_recognition_models")  # importing it would need an old setuptools
    if package is None or package.origin is None:
        sys.exit("face_recognition_models is not installed")
    model = Path(package.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"
    predictor = dlib.shape_predictor(str(model))
    faces = np.load(source)
    images = [faces[f"image_{i}"] for i in range(len(faces["boxes"]))]
    milliseconds = np.zeros((rounds, len(images)))
    points = np.zeros((len(images), 68, 2), np.float32)
    for row in milliseconds:
        for i, (image, box) in enumerate(zip(images, faces["boxes"].tolist(), strict=True)):
            start = time.process_time()
            shape = predictor(image, square(box))
            row[i] = (time.process_time() - start) * 1000
            points[i] = [(part.x, part.y) for part in shape.parts()]
    np.savez(target, points=points, milliseconds=milliseconds)


if __name__ == "__main__":
    main()
