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
    for _ in range(halvings):
        image = _halve(image)
    # Pixel centres: a point x of the halved picture lies at step * (x + 0.5) - 0.5 of the whole one.
    step = 2.0**halvings
    matrix = compose(matrix, np.array([[step, 0, step / 2 - 0.5], [0, step, step / 2 - 0.5]]))
    warped = cv2.warpAffine(image, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, np.uint8).reshape(*size, *image.shape[2:])  # OpenCV drops a single channel's axis.


def _halve(image: Image) -> Image:
    """Each 2x2 block's mean; a black row or column makes odd sides even, which OpenCV averages ten times as fast."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.asarray(cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_CONSTANT), np.uint8)
    half = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
