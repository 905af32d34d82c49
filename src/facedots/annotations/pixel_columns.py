"""Images whose pixels are a column of a CSV file, as in Kaggle's Facial Keypoints Detection."""

import hashlib
import os
from math import isqrt
from pathlib import Path

import numpy as np

from facedots.errors import AnnotationError
from facedots.io.images import write_image


def cached_image(pixels: str, where: str) -> Path:
    """The PNG file of a square gray image, written once below ``$XDG_CACHE_HOME/facedots``, by
    default ``~/.cache/facedots``.

    Args:
        pixels: Gray values 0 to 255, row by row, with blanks between.
        where: Named in errors.

    Raises:
        AnnotationError: They are no such image.
        OutputError: The cache cannot be written.
    """
    key = hashlib.sha256(pixels.encode()).hexdigest()[:24]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    file = cache / "facedots" / "pixel-columns" / key[:2] / f"{key}.png"
    if file.is_file():
        return file
    try:
        values = np.array(pixels.split(), np.int64)
    except (ValueError, OverflowError):
        values = np.array([-1])
    side = isqrt(len(values))
    if side**2 != len(values) or values.min(initial=0) < 0 or values.max(initial=255) > 255:
        fault = f"{len(values)} pixels are no square image of gray values 0 to 255"
        raise AnnotationError(where, [fault])
    write_image(file, values.reshape(side, side).astype(np.uint8))
    return file
