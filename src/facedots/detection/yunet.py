"""YuNet through OpenCV, from a weight file of the user."""

import threading
from pathlib import Path

import cv2
import numpy as np

from facedots.detection.base import Adjustment
from facedots.detection.candidates import Candidates
from facedots.detection.search import Search, SearchingDetector
from facedots.errors import WeightsError
from facedots.geometry import Image
from facedots.io.files import protect
from facedots.io.text import is_utf8

_NMS_IOU, _MOST_BOXES = 0.3, 5000


class YuNet(SearchingDetector):
    """YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y) as OpenCV's ``FaceDetectorYN`` runs it;
    threads that share a detector wait for each other.

    Args:
        model_file: The file ``face_detection_yunet_2023mar.onnx`` of the OpenCV Zoo.
        min_score: Faces with a lower score, in [0, 1], are dropped.
        search: ``"fast"``, ``"default"`` or ``"thorough"``, see
            :class:`~facedots.detection.search.SearchingDetector`.
        min_face: Longer side in pixels of the smallest face to look for, instead.
        any_angle: Look for heads on their side and upside down too.

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

    view_faces = (24, 300)
    """Within the 10 to 300 pixels for which YuNet is trained (OpenCV Zoo)."""
    gives_hints = False

    def __init__(
        self,
        model_file: str | Path,
        min_score: float = 0.8,
        search: Search = "default",
        min_face: float | None = None,
        any_angle: bool = False,
    ) -> None:
        super().__init__(min_score, search, min_face, any_angle)
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

    def candidates(self, view: Image, min_score: float) -> Candidates:
        """The faces in a view ``uint8 (H, W, 3)``, best first."""
        with self._lock:
            self._network.setInputSize((view.shape[1], view.shape[0]))
            self._network.setScoreThreshold(min_score)
            faces = self._network.detect(cv2.cvtColor(view, cv2.COLOR_RGB2BGR))[1]
        rows = np.zeros((0, 15), np.float32) if faces is None else np.asarray(faces, np.float32)
        rows = rows[np.argsort(-rows[:, 14], kind="stable")]
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1) - 0.5
        unknown = np.full((len(rows), 5, 2), np.nan)
        return Candidates.of(self.adjustment.tight(boxes), rows[:, 14], unknown)
