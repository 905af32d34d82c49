"""The search in tiles: every place is looked at, nothing is found twice, cut boxes give way."""

import math

import numpy as np
import pytest
from numpy.typing import ArrayLike

from facedots.detection.base import PrecomputedBoxes, search_limits
from facedots.detection.haar import Haar
from facedots.detection.retinaface import RetinaFace
from facedots.detection.tiled import TiledDetector
from facedots.geometry import Image
from facedots.types import Detections


class Spots:
    """Finds each white rectangle of an image, or the part of it that a tile shows."""

    def __call__(self, image: Image) -> Detections:
        rows, columns = (np.flatnonzero((image[..., 0] > 0).any(axis=axis)) for axis in (1, 0))
        if not len(rows) or image.shape[0] > 100:
            return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        box: ArrayLike = [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
        share = len(rows) * len(columns) / 400
        return Detections(np.array(box, np.float32), np.array([1.1 - share / 2], np.float32))


@pytest.mark.parametrize("left", range(0, 230, 11))
@pytest.mark.parametrize("top", [0, 70, 180])
def test_a_face_is_found_once_wherever_it_is(left: int, top: int) -> None:
    image = np.zeros((200, 250, 3), np.uint8)
    image[top : top + 20, left : left + 20] = 255
    found = TiledDetector(Spots(), side=100, overlap=30)(image)
    assert found.boxes.tolist() == [[left, top, left + 20, top + 20]]


def test_a_small_image_is_looked_at_once() -> None:
    boxes = TiledDetector(PrecomputedBoxes([[1, 2, 30, 40]]), side=100)(
        np.zeros((80, 90, 3), np.uint8)
    )
    assert boxes.boxes.tolist() == [[1, 2, 30, 40]]


def test_detectors_say_what_they_do_not_look_for() -> None:
    assert search_limits(RetinaFace(), 1024, 700) == ""
    assert search_limits(RetinaFace(), 3000, 4000) == "faces below 125 pixels were not looked for"
    assert search_limits(TiledDetector(RetinaFace()), 3000, 4000) == ""
    assert "only upright frontal faces" in search_limits(Haar(), 100, 100)


class Narrow(PrecomputedBoxes):
    """Finds faces of 10 to 300 pixels in its view, as YuNet does."""

    def __init__(self, view: int) -> None:
        super().__init__([[1, 1, 2, 2]])
        self._view = view

    def face_sizes(self, width: int, height: int) -> tuple[float, float]:
        zoom = max(1.0, max(width, height) / self._view)
        return 10 * zoom, 300 * zoom


def test_a_coarse_look_finds_what_is_too_large_for_a_fine_one() -> None:
    limits = search_limits(Narrow(1024), 2048, 2048)
    assert limits == (
        "faces below 20 pixels were not looked for, faces above 600 pixels were not looked for"
    )
    tiled = TiledDetector(Narrow(1024), [Narrow(320)])
    assert search_limits(tiled, 2048, 2048) == "faces above 1920 pixels were not looked for"
    assert math.isclose(tiled.face_sizes(320, 320)[1], 300)
