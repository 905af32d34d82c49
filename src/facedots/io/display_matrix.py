"""The display matrix of a video: how its stored frames are turned and mirrored to be shown.

Phones and editors store frames as the sensor gives them, and the eight ways to show them upright
in a matrix. FFmpeg hands it out with each frame; OpenCV turns by it but never mirrors, so that
without PyAV it is read from the MP4 or MOV file itself.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Image

_MAX_BOXES = 10_000
"""Boxes of a file after which the search ends; videos have some dozens."""

_FOLDERS = (b"moov", b"trak", b"mdia")
_HEADERS = {b"mvhd": (36, 48), b"tkhd": (40, 52)}
"""Where the matrix begins in a box of version 0 and 1."""


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to turn and mirror an image by quarters: first transposed, then
    flipped.

    Attributes:
        transposed: Rows become columns.
        flip_x: Left becomes right.
        flip_y: Top becomes bottom.

    Example:
        >>> turned = Orientation(transposed=True, flip_x=True)  # a quarter clockwise
        >>> turned(np.array([[1, 2], [3, 4]], np.uint8)).tolist()
        [[3, 1], [4, 2]]
    """

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> "Orientation":
        """The nearest orientation for ``(9,)`` numbers ``a b u c d v x y w``, by which
        ``x' = a x + c y`` and ``y' = b x + d y``.

        >>> Orientation.from_matrix([0, 1, 0, -1, 0, 0, 0, 0, 1])
        Orientation(transposed=True, flip_x=True, flip_y=False)
        """
        a, b, c, d = (float(value) for value in np.ravel(matrix)[[0, 1, 3, 4]])
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    def __call__(self, image: Image) -> Image:
        """The image as it is to be shown."""
        if self.transposed:
            image = np.asarray(cv2.transpose(image), np.uint8)
        if self.flip_x or self.flip_y:
            code = {(True, True): -1, (True, False): 1, (False, True): 0}
            image = np.asarray(cv2.flip(image, code[self.flip_x, self.flip_y]), np.uint8)
        return image


def file_orientation(path: str | Path) -> Orientation | None:
    """The orientation that an MP4 or MOV file names for its first video; ``None`` where it is no
    such file or names none.
    """
    whole = np.eye(3)
    track = whole
    try:
        with Path(path).open("rb") as file:
            for kind, content in _boxes(file):
                if kind in _HEADERS:
                    start = _HEADERS[kind][content[0] == 1]
                    matrix = _affine(content[start : start + 36])
                    whole, track = (matrix, track) if kind == b"mvhd" else (whole, matrix)
                elif content[8:12] == b"vide":
                    return Orientation.from_matrix(track @ whole)
    except (OSError, struct.error, IndexError):
        return None
    return None


def _affine(data: bytes) -> NDArray[np.float64]:
    """The matrix of a header, ``float64 (3, 3)``, without its fixed-point scales."""
    return np.array(struct.unpack(">9i", data), np.float64).reshape(3, 3)


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and contents of the boxes that say how tracks are shown, in the file's order."""
    for _ in range(_MAX_BOXES):
        start, header = file.tell(), file.read(8)
        if len(header) < 8:
            return
        size, kind = struct.unpack(">I4s", header)
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
        if kind in _FOLDERS:
            continue
        if kind in _HEADERS or kind == b"hdlr":
            yield kind, file.read(100)
        if size < 8:
            return
        file.seek(start + size)
