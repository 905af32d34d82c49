"""The whole way: a picture in, faces with their keypoints out."""

import numpy as np

from facedots.detection.base import Detector
from facedots.detection.retinaface import RetinaFace
from facedots.geometry import Image
from facedots.inference.predictor import Keypointer
from facedots.types import Face


class Pipeline:
    """Finds the faces in a picture and the keypoints of each.

    Args:
        detector: Finds the boxes; by default :class:`~facedots.detection.retinaface.RetinaFace`.
        keypointer: Finds the keypoints in them; by default the network ``small``.
    """

    def __init__(self, detector: Detector | None = None, keypointer: Keypointer | None = None) -> None:
        self.detector = RetinaFace() if detector is None else detector
        self.keypointer = Keypointer() if keypointer is None else keypointer

    def __call__(self, image: Image) -> list[Face]:
        """The faces in an RGB picture ``uint8 (H, W, 3)``, the most certain first; none found is an empty list.

        Raises:
            ShapeError: Not such a picture.
        """
        found = self.detector(image)
        keypoints = self.keypointer.predict(image, found.boxes)
        beliefs = np.where(np.isnan(keypoints.score), found.scores, keypoints.score)
        return [
            Face(
                points=keypoints.points[i],
                covariance=keypoints.covariance[i],
                confidence=keypoints.confidence[i],
                box=found.boxes[i],
                score=float(beliefs[i]),
                schema=keypoints.schema,
                detection_score=float(found.scores[i]),
            )
            for i in np.argsort(-beliefs, kind="stable")
        ]
