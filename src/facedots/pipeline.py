"""The whole way: a picture in, faces with their keypoints out."""

from facedots.detect.base import Detector
from facedots.detect.retinaface import RetinaFace
from facedots.infer.keypointer import Keypointer
from facedots.types import Face
from facedots.warp import Image


class Pipeline:
    """Finds the faces in a picture and the keypoints of each.

    Args:
        detector: Finds the boxes; by default :class:`~facedots.detect.retinaface.RetinaFace`.
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
        rows = zip(keypoints.points, keypoints.sigma, found.boxes, found.scores, strict=True)
        return [Face(points, sigma, box, float(score), keypoints.schema) for points, sigma, box, score in rows]
