"""An image turned, with the map back."""

from collections.abc import Iterator

import numpy as np

from facedots.geometry import Image, Matrix, compose, invert, similarity, warp_image


def quarter_turns(view: Image, back: Matrix) -> Iterator[tuple[Image, Matrix]]:
    """A view and the map back to the image, then the same turned by 90, 180 and 270 degrees."""
    for _ in range(4):
        yield view, back
        back = compose(back, np.array([[0, -1, view.shape[1] - 1], [1, 0, 0]]))
        view = np.ascontiguousarray(np.rot90(view))


def diagonal_view(image: Image) -> tuple[Image, Matrix]:
    """The image turned by 45 degrees in a square that holds all of it, and the map back."""
    height, width = image.shape[:2]
    side = int(np.ceil(np.hypot(height, width)))
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = similarity(45, 1, ((side - width) / 2, (side - height) / 2), middle)
    return warp_image(image, matrix, (side, side)), invert(matrix)
