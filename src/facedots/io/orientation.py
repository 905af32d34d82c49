"""Pictures that are stored otherwise than they are seen: cameras note in EXIF how to turn them.

Annotation tools show pictures turned, so their points lie in the turned picture; annotated data are used as stored
(:mod:`facedots.io.annotations`), so that points and pixels agree without EXIF.
"""

from pathlib import Path

import numpy as np

from facedots.errors import ImageError
from facedots.geometry import Floats, Matrix, apply_affine
from facedots.io.images import decode_image

_MARKS = (b"Exif\0\0", b"eXIf", b"EXIF")
"""What a JPEG, a PNG or a WebP file with EXIF data holds near its beginning."""

_NEAR = 1 << 18


def stored_points(points: Floats, picture: str | Path) -> Floats:
    """Points of a picture as it is seen, as points of the picture as it is stored.

    Both are pixels with (0, 0) at the centre of the top-left one. A picture without EXIF data is not decoded. Which of the eight
    ways it was turned is found out by comparing what the decoder gives with and without EXIF.

    Args:
        points: ``(..., 2)``.
        picture: Its file.

    Raises:
        ImageError: It cannot be read or decoded.
    """
    try:
        data = Path(picture).read_bytes()
    except OSError as error:
        raise ImageError(f"{picture}: cannot be read: {error.strerror}") from error
    if not any(mark in data[:_NEAR] for mark in _MARKS):
        return points
    seen, stored = decode_image(data, source=picture), decode_image(data, orient=False, source=picture)
    for turns in range(4):
        for mirrored in (False, True):
            candidate = np.rot90(stored[:, ::-1] if mirrored else stored, turns)
            if candidate.shape == seen.shape and (candidate == seen).all():
                return apply_affine(_back(turns, mirrored, (stored.shape[0], stored.shape[1])), points)
    raise ImageError(f"{picture}: shown in another way than turned or mirrored; write it anew without EXIF data")


def _back(turns: int, mirrored: bool, size: tuple[int, int]) -> Matrix:
    """The affine map to a picture of ``size`` (height, width) from what mirroring and then ``turns`` quarter turns make of it.

    ``np.rot90`` turns counter-clockwise: the pixel (x, y) of a picture of width W goes to (y, W - 1 - x).
    """
    height, width = size
    linear, offset = np.eye(2), np.zeros(2)
    for _ in range(turns):
        linear = np.array([[0.0, 1], [-1, 0]]) @ linear
        offset = np.array([[0.0, 1], [-1, 0]]) @ offset + (0, width - 1)
        height, width = width, height
    inverse = np.linalg.inv(linear)
    matrix = np.concatenate([inverse, (-inverse @ offset)[:, None]], axis=1)
    if mirrored:
        matrix[0] = (0, 0, size[1] - 1) - matrix[0]
    return matrix
