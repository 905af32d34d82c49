"""The one way from a picture to a network's crop; training and use share it, so a network never sees another sampling."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.geometry import Matrix, compose

Image = NDArray[np.uint8]


def warp_image(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """The picture under an affine map, sampled bilinearly; what lies outside the picture is black.

    A map that shrinks by more than two would skip pixels, so the picture is first halved, by area, as often as needed.

    Args:
        image: ``uint8 (H, W, C)`` or ``(H, W)``.
        matrix: Affine map ``(2, 3)`` from the picture to the result.
        size: Height and width of the result.

    Returns:
        ``uint8`` of that size with the channels of ``image``.
    """
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    halvings = int(np.floor(np.log2(1 / zoom))) if zoom < 0.5 else 0
    if halvings:
        height, width = image.shape[:2]
        step = 2**halvings
        small = (max(1, round(width / step)), max(1, round(height / step)))
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
        grow_x, grow_y = width / small[0], height / small[1]
        # Pixel centres: a point x of the small picture lies at grow * (x + 0.5) - 0.5 of the large one.
        matrix = compose(matrix, np.array([[grow_x, 0, grow_x / 2 - 0.5], [0, grow_y, grow_y / 2 - 0.5]]))
    return np.asarray(cv2.warpAffine(image, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR), np.uint8)
