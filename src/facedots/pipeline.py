"""From an image to faces with keypoints."""

from facedots.detection.base import Detector, checked_count, predict_accepted
from facedots.detection.retinaface import RetinaFace
from facedots.geometry import Image
from facedots.inference.predictor import KeypointPredictor
from facedots.types import Face


class Pipeline:
    """Finds the faces in an image and the keypoints of each.

    Args:
        detector: Finds the boxes; by default :class:`~facedots.detection.retinaface.RetinaFace`.
        predictor: Finds the keypoints in them; by default the network ``small``.
        max_faces: The number of faces at most, the detector's best that hold; by default all.

    Raises:
        ValueError: ``max_faces`` is below 1.

    Example:
        >>> from facedots.io.images import read_image, sample_portrait
        >>> pipeline = Pipeline()
        >>> faces = pipeline(read_image(sample_portrait()))
        >>> faces[0].points.shape
        (68, 2)
    """

    def __init__(
        self,
        detector: Detector | None = None,
        predictor: KeypointPredictor | None = None,
        max_faces: int | None = None,
    ) -> None:
        self.detector = RetinaFace() if detector is None else detector
        self.predictor = KeypointPredictor() if predictor is None else predictor
        self.max_faces = checked_count(max_faces)

    def __call__(self, image: Image) -> list[Face]:
        """Find the faces in an RGB image ``uint8 (H, W, 3)``, highest score first.

        Raises:
            ShapeError: Not such an image.
        """
        found = self.detector(image)
        keypoints, best, rows = predict_accepted(
            image, found, self.detector, self.predictor, self.max_faces
        )
        faces = keypoints.faces(best.boxes, best.scores)
        return sorted((faces[row] for row in rows), key=lambda face: -face.score)
