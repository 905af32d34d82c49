"""OpenCV's cascade of Haar features, whose file comes with OpenCV."""

import threading
from pathlib import Path

import cv2
import cv2.data
import numpy as np

from facedots.detection.base import Adjustment, Detections, Detector, SearchRange
from facedots.geometry import Image
from facedots.types import check_image

_CASCADE = "haarcascade_frontalface_alt2.xml"


class Haar(Detector):
    """Viola and Jones' cascade (2001, doi:10.1109/CVPR.2001.990517) for frontal faces, over a gray
    pyramid. Threads that share a detector wait for each other: OpenCV's cascade is for one.

    Args:
        step: Factor between two sizes of the pyramid, above 1; smaller is slower and finds more.
        neighbors: Overlapping hits that a face needs; more mean fewer false faces.

    Example:
        >>> Haar()(np.zeros((100, 100, 3), np.uint8)).boxes.shape
        (0, 4)
    """

    adjustment = Adjustment(left=0.054, top=0.237, right=-0.075, bottom=0.09)
    """Median over frames of YouTube Faces: docs/experiments.md, Detection."""

    def __init__(self, step: float = 1.1, neighbors: int = 3) -> None:
        self._cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / _CASCADE))
        self._lock = threading.Lock()
        self._step = step
        self._neighbors = neighbors

    def search_range(self, width: int, height: int) -> SearchRange:
        """What is looked for in an image of any size."""
        return SearchRange(max_roll=0, kind="upright frontal faces")

    def __call__(self, image: Image) -> Detections:
        """The faces in an RGB image ``uint8 (H, W, 3)``, best first; n hits score
        n / (n + neighbors).

        Raises:
            ShapeError: Not such an image.
        """
        gray = cv2.cvtColor(check_image(image), cv2.COLOR_RGB2GRAY)
        with self._lock:
            squares, hits = self._cascade.detectMultiScale2(
                gray, scaleFactor=self._step, minNeighbors=self._neighbors
            )
        corners = np.asarray(squares, np.float32).reshape(-1, 4)
        counts = np.asarray(hits, np.float32).ravel()
        order = np.argsort(-counts, kind="stable")
        boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1) - 0.5
        scores = counts / (counts + self._neighbors)
        return Detections(self.adjustment.tight(boxes[order]), scores[order])
