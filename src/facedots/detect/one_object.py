"""A detector for whatever has keypoints but no detector of its own: the keypoint network looks, and looks again closer."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from facedots.geometry import tight_boxes
from facedots.types import Detections, Keypoints, check_image
from facedots.warp import Image


class Looker(Protocol):
    """What finds keypoints in a box; :class:`facedots.infer.keypointer.Keypointer` does."""

    def predict(self, image: Image, boxes: ArrayLike) -> Keypoints:
        """The keypoints in boxes ``(N, 4)`` of a picture."""
        ...


class OneObject:
    """Finds the one object of a picture by means of its keypoints.

    The first box is the middle of the picture, each next one the tight box around the points that were found in the box before.
    It always answers, also where there is nothing: the network's own score and sigma tell. The network must have been trained on
    boxes that are far off (``jitter`` of ``recipes/own.yaml``), and the object must fill a good part of the picture.

    Args:
        keypointer: The network that will also find the points.
        share: Side of the first box over the shorter side of the picture.
        looks: How often to look before the box is taken as found.
    """

    def __init__(self, keypointer: Looker, share: float = 0.8, looks: int = 3) -> None:
        self.keypointer, self.share, self.looks = keypointer, share, looks

    def __call__(self, image: Image) -> Detections:
        """One box, with the score 1."""
        height, width = check_image(image).shape[:2]
        middle, half = np.array([width - 1, height - 1]) / 2, self.share * min(height, width) / 2
        box = np.concatenate([middle - half, middle + half])[None].astype(np.float32)
        for _ in range(self.looks):
            box = tight_boxes(self.keypointer.predict(image, box).points)
        return Detections(box, np.ones(1, np.float32))
