"""MediaPipe's FaceMesh ("mesh") and its heavier sister with attention ("attention"), 468 vertices;
see ``peer_worker.py``.

Its own detector runs in every crop. The vertex that stands for a point is the one
that on average lay nearest to it, and mirrored to its mirror image, on 600 frames of YouTube Faces
and 600 photos of 300-W, training parts both (2026-11-22).
"""

import logging
import math
from pathlib import Path
from typing import Any

import mediapipe  # type: ignore[import-not-found]
import numpy as np
from peer_worker import Box, PeerCrop, Predict, cut, serve

VERTICES = [
    *(127, 234, 177, 215, 172, 136, 149, 176, 152, 400, 378, 365, 397, 435, 401, 454, 356),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 155, 153, 144, 382, 385, 387, 263, 373, 380),
    *(61, 74, 37, 11, 267, 304, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
]
LEAST_CONFIDENCE = 0.1
"""Of its detector; lower than the default 0.5, since each crop shows a face."""


def prepare(model: str) -> tuple[Predict, str, list[str]]:
    """The whole graph: its detector, its crop, its mesh."""
    settings = {
        "max_num_faces": 1,
        "refine_landmarks": model == "attention",
        "min_detection_confidence": LEAST_CONFIDENCE,
    }
    still = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, **settings)

    def predict(image: Any, box: Box, crop: PeerCrop) -> tuple[Any, float]:
        pixels, x, y = cut(image, box, crop)
        faces = still.process(pixels).multi_face_landmarks
        if not faces:
            return None, math.nan
        places = np.array(
            [(faces[0].landmark[vertex].x, faces[0].landmark[vertex].y) for vertex in VERTICES]
        )
        return places * (pixels.shape[1], pixels.shape[0]) + (x - 0.5, y - 0.5), math.nan

    folder = Path(mediapipe.__file__).parent / "modules"
    mesh = "face_landmark_with_attention" if model == "attention" else "face_landmark"
    weights = [
        folder / "face_detection" / "face_detection_short_range.tflite",
        folder / "face_landmark" / f"{mesh}.tflite",
    ]
    return predict, f"mediapipe {mediapipe.__version__}", [str(path) for path in weights]


if __name__ == "__main__":
    logging.disable()
    serve(prepare)
