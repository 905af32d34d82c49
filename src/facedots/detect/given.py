"""Boxes that somebody else found."""

import numpy as np
from numpy.typing import ArrayLike

from facedots.geometry import check_boxes
from facedots.types import Detections, check_image
from facedots.warp import Image


class GivenBoxes:
    """A detector that answers with the boxes it was made with: from labels, another program, or a person.

    Args:
        boxes: Tight boxes around the keypoints (N, 4), ``x0 y0 x1 y1`` in pixels, any two opposite corners.

    Raises:
        ShapeError: Not (N, 4).
        ValueError: A box is not finite or has no area.

    >>> import numpy as np
    >>> GivenBoxes([[30, 40, 10, 20]])(np.zeros((50, 50, 3), np.uint8)).boxes.tolist()
    [[10.0, 20.0, 30.0, 40.0]]
    """

    def __init__(self, boxes: ArrayLike) -> None:
        self._boxes = check_boxes(boxes)

    def __call__(self, image: Image) -> Detections:
        """The given boxes in the given order, each with the score 1."""
        check_image(image)
        return Detections(self._boxes.copy(), np.ones(len(self._boxes), np.float32))
