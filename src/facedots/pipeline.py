"""The whole way: an image in, faces with their keypoints out."""

from facedots.detection.base import Detector
from facedots.detection.retinaface import RetinaFace
from facedots.geometry import Image
from facedots.inference.predictor import KeypointPredictor
from facedots.types import Face


class Pipeline:
    """Finds the faces in an image and the keypoints of each.

    Args:
        detector: Finds the boxes; by default :class:`~facedots.detection.retinaface.RetinaFace`.
        predictor: Finds the keypoints in them; by default the network ``small``.
    """

    def __init__(
        self, detector: Detector | None = None, predictor: KeypointPredictor | None = None
    ) -> None:
        self.detector = RetinaFace() if detector is None else detector
        self.predictor = KeypointPredictor() if predictor is None else predictor

    def __call__(self, image: Image) -> list[Face]:
        """The faces in an RGB image ``uint8 (H, W, 3)``, the most certain first; none found is an
        empty list.

        Raises:
            ShapeError: Not such an image.
        """
        found = self.detector(image)
        keypoints = self.predictor.predict(image, found.boxes)
        faces = keypoints.faces(found.boxes, found.scores)
        return sorted(faces, key=lambda face: -face.score)
