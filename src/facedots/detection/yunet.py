"""YuNet through OpenCV, from a weight file of the user."""

import threading
from pathlib import Path

import cv2
import numpy as np

from facedots.detection.base import AdjustedDetector, Adjustment
from facedots.errors import WeightsError
from facedots.geometry import Floats, Image
from facedots.io.files import protect
from facedots.io.text import is_utf8

FACE_SIZES = (10, 300)
"""Sides of the faces that YuNet is trained for, in pixels as it sees them (OpenCV Zoo)."""

_NMS_IOU, _MOST_BOXES = 0.3, 5000


class YuNet(AdjustedDetector):
    """YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y) as OpenCV's ``FaceDetectorYN`` runs it;
    threads that share a detector wait for each other.

    Args:
        model_file: The file ``face_detection_yunet_2023mar.onnx`` of the OpenCV Zoo.
        min_score: Faces with a lower score, in [0, 1], are dropped.
        max_side: The long side, in pixels, to which larger images are reduced.

    Raises:
        WeightsError: The file is missing or is not YuNet's.

    Example:
        >>> YuNet("face_detection_yunet_2023mar.onnx")(image).boxes  # doctest: +SKIP
    """

    ORIGIN = (
        "YuNet's weights do not come with facedots: get face_detection_yunet_2023mar.onnx from the "
        "OpenCV Zoo (github.com/opencv/opencv_zoo, folder models/face_detection_yunet, MIT) and "
        "give its path"
    )

    adjustment = Adjustment(left=-0.045, top=0.241, right=0.019, bottom=0.01)
    """Median over frames of YouTube Faces: docs/experiments.md, Detection."""

    def __init__(
        self, model_file: str | Path, min_score: float = 0.8, max_side: int = 1024
    ) -> None:
        path = Path(model_file)
        if not path.is_file():
            raise WeightsError(f"{path}: no such file; {self.ORIGIN}")
        protect([path])
        if not is_utf8(path):
            raise WeightsError(f"{path}: OpenCV cannot open names that are not UTF-8; rename it")
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(path), "", (320, 320), min_score, _NMS_IOU, _MOST_BOXES
            )
            self._network.detect(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            raise WeightsError(f"{path}: OpenCV cannot open it as YuNet: {error.err}") from error
        self._lock = threading.Lock()
        self._max_side = max_side

    def face_sizes(self, width: int, height: int) -> tuple[float, float]:
        """See :func:`~facedots.detection.base.search_limits`."""
        reduction = max(1.0, max(width, height) / self._max_side)
        return FACE_SIZES[0] * reduction, FACE_SIZES[1] * reduction

    def native_boxes(self, image: Image) -> tuple[Floats, Floats]:
        """Boxes (N, 4) in the network's own framing and their scores (N,), best first."""
        height, width = image.shape[:2]
        zoom = min(1.0, self._max_side / max(height, width))
        size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        searched = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if zoom < 1:
            searched = cv2.resize(searched, size, interpolation=cv2.INTER_AREA)
        with self._lock:
            self._network.setInputSize(size)
            faces = self._network.detect(searched)[1]
        rows = np.zeros((0, 15), np.float32) if faces is None else np.asarray(faces, np.float32)
        rows = rows[np.argsort(-rows[:, 14], kind="stable")]
        grow = np.array([width / size[0], height / size[1]] * 2)
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1) * grow - 0.5
        return np.asarray(boxes, np.float32), rows[:, 14]
