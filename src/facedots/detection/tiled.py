"""The search that must miss nobody: a large image is looked at whole, and tile by tile as it is."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from facedots.detection.base import Detector
from facedots.geometry import Floats, Image, box_iou
from facedots.types import Detections, check_image

_SAME_FACE_IOU = 0.4
_CUT_INSIDE = 0.5
"""Share of a box at a tile's edge within another box above which it is the same face, cut."""

_EDGE = 3.0
"""Pixels from its tile's edge within which a box is cut."""


class TiledDetector:
    """Every face that a detector finds in the whole image or in one of its tiles.

    A large image is searched at full size in constant memory. A face up to ``overlap`` pixels lies
    whole in some tile; larger ones are for the looks at the whole. An image no larger than a tile
    is only looked at whole.

    Args:
        detector: Looks at the tiles, and at the whole.
        whole: Further detectors that look at the whole.
        side: Side of a tile in pixels.
        overlap: Pixels that neighboring tiles share.

    Example:
        >>> from facedots.detection.base import PrecomputedBoxes
        >>> tiled = TiledDetector(PrecomputedBoxes([[10, 10, 40, 40]]), side=100, overlap=20)
        >>> tiled(np.zeros((100, 150, 3), np.uint8)).boxes.tolist()  # once in each tile
        [[10.0, 10.0, 40.0, 40.0], [60.0, 10.0, 90.0, 40.0]]
    """

    def __init__(
        self,
        detector: Detector,
        whole: Sequence[Detector] = (),
        side: int = 1024,
        overlap: int = 256,
    ) -> None:
        self._detector, self._whole = detector, (detector, *whole)
        self._side, self._overlap = side, overlap

    def __call__(self, image: Image) -> Detections:
        """The faces in an RGB image ``uint8 (H, W, 3)``, best first.

        Raises:
            ShapeError: Not such an image.
        """
        check_image(image)
        found = [detector(image) for detector in self._whole]
        cut = [np.zeros(len(one), bool) for one in found]
        height, width = image.shape[:2]
        if max(height, width) > self._side:
            for left, top in self._corners(width, height):
                tile = np.ascontiguousarray(image[top : top + self._side, left : left + self._side])
                one = self._detector(tile)
                offset = np.array([left, top, left, top], np.float32)
                found.append(Detections(one.boxes + offset, one.scores))
                ends = (left, top, left + tile.shape[1], top + tile.shape[0])
                cut.append(_at_edge(found[-1].boxes, ends, width, height))
        boxes = np.concatenate([one.boxes for one in found])
        scores = np.concatenate([one.scores for one in found])
        kept = _distinct(boxes, scores, np.concatenate(cut))
        return Detections(boxes[kept], scores[kept])

    def face_sizes(self, width: int, height: int) -> tuple[float, float]:
        """See :func:`~facedots.detection.base.search_limits`."""
        tile = (min(self._side, width), min(self._side, height))
        smallest = _sizes(self._detector, *tile)[0]
        return smallest, max(_sizes(detector, width, height)[1] for detector in self._whole)

    def _corners(self, width: int, height: int) -> Iterator[tuple[int, int]]:
        """Left and top of each tile; they cover the image evenly."""
        step = self._side - self._overlap

        def starts(length: int) -> list[int]:
            room = max(0, length - self._side)
            return np.linspace(0, room, -(-room // step) + 1).astype(int).tolist()

        for top in starts(height):
            for left in starts(width):
                yield left, top


def _sizes(detector: Detector, width: int, height: int) -> tuple[float, float]:
    sizes = getattr(detector, "face_sizes", None)
    return sizes(width, height) if sizes else (0.0, math.inf)


def _at_edge(
    boxes: Floats, ends: tuple[int, int, int, int], width: int, height: int
) -> NDArray[np.bool_]:
    """Which boxes ``(N, 4)`` touch an edge of their tile that is none of the image."""
    inner = np.array([ends[0] > 0, ends[1] > 0, ends[2] < width, ends[3] < height])
    near = np.abs(boxes - np.array(ends)) < _EDGE
    beyond = (boxes - np.array(ends)) * np.array([-1, -1, 1, 1]) > 0
    return np.asarray(((near | beyond) & inner).any(axis=1))


def _distinct(boxes: Floats, scores: Floats, cut: NDArray[np.bool_]) -> list[int]:
    """Indices of boxes, best first, without repetitions; a whole box beats a cut one."""
    overlaps = box_iou(boxes, boxes)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    kept: list[int] = []
    for i in np.lexsort((-scores, cut)).tolist():
        shared = overlaps[i, kept] * (areas[i] + areas[kept]) / (1 + overlaps[i, kept])
        same = overlaps[i, kept] > _SAME_FACE_IOU
        if not (same | (cut[i] & (shared > _CUT_INSIDE * areas[i]))).any():
            kept.append(i)
    return sorted(kept, key=lambda i: -float(scores[i]))
