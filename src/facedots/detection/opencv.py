"""Detectors that OpenCV runs: the cascade of Haar features that comes with it, and YuNet, from a
weight file of the user.
"""

import threading
from pathlib import Path

import cv2
import cv2.data
import numpy as np

from facedots.detection.base import Adjustment, Detections, Detector, SearchRange
from facedots.detection.candidates import Candidates
from facedots.detection.search import Search, SearchingDetector
from facedots.errors import WeightsError
from facedots.geometry import Image
from facedots.io.files import protect
from facedots.io.text import is_utf8
from facedots.types import check_image

_CASCADE = "haarcascade_frontalface_alt2.xml"
_NMS_IOU, _MOST_BOXES = 0.3, 5000


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
        ValueError: There is no such search, ``min_face`` is not above 0, or ``min_score`` not in
            [0, 1].

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
