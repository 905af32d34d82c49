"""Pose and expression signals of the faces in a picture, put into the faces themselves."""

from collections.abc import Sequence
from dataclasses import replace

from facedots.apps.expression import SIGNALS, expression
from facedots.apps.pose import Camera, head_pose
from facedots.errors import PointsError
from facedots.types import Face, check_image
from facedots.warp import Image


class FaceReader:
    """Reads head pose and expression signals off keypoints.

    Args:
        camera: What takes the pictures; guessed from the size of each where it is not given.
    """

    signals = SIGNALS

    def __init__(self, camera: Camera | None = None) -> None:
        self._camera = camera

    def __call__(self, image: Image, faces: Sequence[Face]) -> list[Face]:
        """The same faces with ``pose`` and ``signals``; a face with too few points for them stays as it is.

        Args:
            image: RGB, ``uint8 (H, W, 3)``; only its size matters.
            faces: Found in it; their keypoints are in the order of IBUG68.

        Raises:
            ShapeError: The picture or the points have another shape.
        """
        height, width = check_image(image).shape[:2]
        camera = self._camera or Camera.guess((height, width))
        return [_read(face, camera) for face in faces]


def _read(face: Face, camera: Camera) -> Face:
    try:
        pose = head_pose(face.points, camera)
        return replace(face, pose=pose, signals=expression(face.points, pose, camera))
    except PointsError:
        return face
