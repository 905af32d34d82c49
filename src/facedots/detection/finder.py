"""The finder: this project's own network for faces at any angle, with the tilt of each."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.detection.base import Detections, Detector, SearchRange, square_boxes
from facedots.detection.candidates import first_of_alike, shares_inside
from facedots.detection.search import FaceSizes, Search, checked_score, smallest_face
from facedots.errors import WeightsError
from facedots.geometry import Floats, Image, box_iou, check_shape, tight_boxes
from facedots.io.pinned import pinned_weights, read_weights_file
from facedots.runtime import Providers, open_session, run_session
from facedots.types import Keypoints, check_image

SIDES = (10.0, 32.0)
"""Sides of the faces that the network is trained for, in pixels as it sees them."""

STRIDE = 8
"""Pixels of a view per cell of the network's output."""

UNIT = 32.0
"""Side of a square, in pixels, whose logarithm is 0 in the output."""

WEIGHTS = pinned_weights(Path(__file__).parents[1] / "assets" / "detectors")
"""The finder that comes with facedots, by the name ``finder``."""

PORTS = ("images", "scores", "squares")
"""Input and outputs of a finder's ONNX file."""

_MIN_FACES: FaceSizes = {"fast": (32, 1 / 11), "default": (16, 1 / 64), "thorough": (12, 0.0)}

_MAX_ZOOM = 2.0
_WHOLE_VIEW = 200
"""Long side of images up to which none is reduced."""
_PAIR_SCORE = 0.5
"""Least product of the scores of finder and keypoints: docs/experiments.md, Detection."""
_VIEW_SCORE = 0.3
"""Score from which on what a view says of a face counts beside better views."""
_TILE, _MARGIN = 2048, 128
"""Side of the parts in which large views are seen, and what is seen around each: four faces."""
_MOST = 1000
"""Proposals of a view; each is compared with each."""
_VIEW_MULTIPLE = 32
_VIEW_FACTOR = 2
_SMALLEST_VIEW = 40
_NMS_IOU, _PART_INSIDE = 0.4, 0.8

FinderRun = Callable[[Image], tuple[Floats, Floats]]
"""From a view ``uint8 (S, T, 3)``, S and T multiples of 32, to scores ``(H, W)``, 0 where a
neighboring cell's is higher, and to squares ``(5, H, W)``: center relative to the cell's, in cells
(x, y); logarithm of the side over :data:`UNIT`; cosine and sine of the roll, of any length.
"""


class Finder(Detector):
    """Finds faces at any angle in a pyramid of views, each half the size of the one before.

    Args:
        network: The path of an ONNX file that ``facedots export`` wrote from a run of
            ``recipes/finder.yaml``, or the open network; default: the one of facedots.
        min_score: Faces with a lower score, in [0, 1], are dropped; from the default downwards,
            :meth:`accepts` takes as low products with the score of the keypoints, too.
        search: ``"fast"``: faces from 32 pixels or 1/11 of the long side; ``"default"``: from 16
            pixels or 1/64 of it; ``"thorough"``: from 12 pixels in images of any size.
        min_face: Side in pixels of the smallest face to look for, instead.
        threads: Threads of the network; with one, results repeat to the last bit.
        providers: The hardware, as for :class:`~facedots.inference.session.Session`.

    Raises:
        WeightsError: The file is missing, damaged, or is not a finder's.
        ValueError: There is no such search, ``min_face`` is not above 0, ``min_score`` not in
            [0, 1], or ``threads`` below 1.

    Example:
        >>> from facedots import Pipeline, read_image, sample_portrait
        >>> len(Pipeline(Finder())(read_image(sample_portrait())))
        1
    """

    def __init__(
        self,
        network: str | Path | FinderRun | None = None,
        min_score: float = _PAIR_SCORE,
        search: Search = "default",
        min_face: float | None = None,
        threads: int = 1,
        *,
        providers: Providers = "cpu",
    ) -> None:
        self._min_score = checked_score(min_score)
        self._min_face = smallest_face(_MIN_FACES, search, min_face)
        self._run = network if callable(network) else open_finder(network, threads, providers)

    def search_range(self, width: int, height: int) -> SearchRange:
        """What is looked for in an image of this size."""
        pixels, share = self._min_face
        return SearchRange(max(pixels, share * max(width, height), SIDES[0] / _MAX_ZOOM))

    def views(self, width: int, height: int) -> list[int]:
        """The long sides, in pixels, of the views of an image, the largest first.

        >>> Finder(lambda view: (view, view), min_face=12).views(640, 480)
        [533, 266, 133, 66, 40]
        """
        long_side = max(width, height)
        largest = long_side * SIDES[0] / self.search_range(width, height).smallest
        views = [round(max(largest, min(long_side, _WHOLE_VIEW), _SMALLEST_VIEW))]
        while views[-1] > 1.25 * SIDES[1]:
            views.append(max(round(views[-1] / _VIEW_FACTOR), _SMALLEST_VIEW))
        return views

    def accepts(self, found: Floats, keypoints: Keypoints) -> NDArray[np.bool_]:
        """Which faces hold, by their scores here and those of their keypoints; of those that turn
        out to be one face, the best.
        """
        judged = np.where(np.isnan(keypoints.score), 1.0, keypoints.score)
        least = min(_PAIR_SCORE, self._min_score)
        holds = np.isnan(keypoints.score) | (found * judged >= least)
        boxes = tight_boxes(keypoints.points)
        alike = (box_iou(boxes, boxes) > _NMS_IOU) & holds
        best = first_of_alike(alike, np.argsort(-found * judged, kind="stable"))
        return np.asarray(holds & np.isin(np.arange(len(found)), best))

    def __call__(self, image: Image) -> Detections:
        """The faces in an RGB image ``uint8 (H, W, 3)``, best first.

        Raises:
            ShapeError: Not such an image.
        """
        height, width = check_image(image).shape[:2]
        found, view = [], image
        for long_side in self.views(width, height):
            view = _shrunk(view, width, height, long_side)
            found.append(self._candidates(view, width, height))
        squares, scores = _distinct(*map(np.concatenate, zip(*found, strict=True)))
        sure = scores >= self._min_score
        return Detections(square_boxes(squares[sure]), scores[sure], squares[sure])

    def _candidates(self, view: Image, width: int, height: int) -> tuple[Floats, Floats]:
        """Squares (N, 5) as decoded, in pixels of an image of this size, and scores (N,)."""
        parts = [self._in_tile(view, *tile) for tile in _tiles(*view.shape[:2])]
        decoded, scores = map(np.concatenate, zip(*parts, strict=True))
        if len(scores) > _MOST:
            best = np.argsort(-scores, kind="stable")[:_MOST]
            decoded, scores = decoded[best], scores[best]
        grow = np.array([width / view.shape[1], height / view.shape[0]], np.float32)
        middles = (decoded[:, :2] + 0.5) * grow - 0.5
        # The more pixels of a face a view shows, the better it knows the roll.
        direction = decoded[:, 3:] * np.minimum(decoded[:, 2:3], SIDES[1]) ** 2
        found = np.column_stack([middles, decoded[:, 2] * grow.mean(), direction])
        return found.astype(np.float32), scores

    def _in_tile(
        self, view: Image, top: int, bottom: int, left: int, right: int
    ) -> tuple[Floats, Floats]:
        """The squares (N, 5) and scores (N,) in a tile of a view, which is seen with a margin."""
        first_row, first_column = max(0, top - _MARGIN), max(0, left - _MARGIN)
        seen = view[first_row : bottom + _MARGIN, first_column : right + _MARGIN]
        scores, squares = self._run(_padded(seen))
        rows, columns = np.nonzero((scores >= min(self._min_score, _VIEW_SCORE)) & (scores > 0))
        y, x = rows * STRIDE + first_row, columns * STRIDE + first_column
        inside = (top <= y) & (y < bottom) & (left <= x) & (x < right)
        rows, columns, y, x = rows[inside], columns[inside], y[inside], x[inside]
        decoded = decode_squares(squares[:, rows, columns], y / STRIDE, x / STRIDE)
        return decoded, scores[rows, columns]


def open_finder(
    path: str | Path | None = None, threads: int = 1, providers: Providers = "cpu"
) -> FinderRun:
    """The network in an ONNX file, by default in that of facedots.

    Raises:
        WeightsError: The file is missing, damaged, or is not a finder's.
    """
    if path is None and "finder" not in WEIGHTS:
        raise WeightsError("no finder comes with this copy; install facedots again")
    file = WEIGHTS["finder"].path if path is None else Path(path)
    data = read_weights_file(file, WEIGHTS, "`facedots export RUN --out FILE` writes the file")
    session = open_session(data, str(file), providers, threads)
    ports = tuple(port.name for port in (*session.get_inputs(), *session.get_outputs()))
    if ports != PORTS:
        raise WeightsError(f"{file}: not a finder: its ports are {', '.join(ports)}")

    def run(view: Image) -> tuple[Floats, Floats]:
        rows, columns = (side // STRIDE for side in view.shape[:2])
        scores, squares = run_session(session, str(file), {PORTS[0]: view[None]})
        check_shape(scores, f"1 {rows} {columns}", "the finder's scores")
        check_shape(squares, f"1 5 {rows} {columns}", "the finder's squares")
        if not (np.isfinite(scores).all() and np.isfinite(squares).all()):
            raise WeightsError(f"{file}: gives numbers that are not finite; train or load it again")
        return scores[0], squares[0]

    return run


def decode_squares(output: Floats, rows: ArrayLike, columns: ArrayLike) -> Floats:
    """Squares ``float32 (N, 5)`` from the network's output ``(5, N)`` in the cells of these rows
    and columns: center x, center y and side in pixels; cosine and sine of the roll, shorter than 1
    where the network is not sure of it.

    >>> decode_squares(np.array([[0], [0.5], [0], [0], [1]]), [1], [2]).tolist()
    [[19.5, 15.5, 32.0, 0.0, 1.0]]
    """
    right, down, log_side, cos, sin = np.asarray(output, np.float32)
    middle = (STRIDE - 1) / 2
    x, y = (right + np.asarray(columns)) * STRIDE, (down + np.asarray(rows)) * STRIDE
    squares = np.column_stack([x + middle, y + middle, UNIT * np.exp(log_side), cos, sin])
    return squares.astype(np.float32)


def tilted_squares(decoded: Floats) -> Floats:
    """Center x, center y, side and roll in degrees ``(N, 4)`` of decoded squares (N, 5).

    >>> tilted_squares(np.array([[20, 15, 32, 0, 0.5]], np.float32)).tolist()
    [[20.0, 15.0, 32.0, 90.0]]
    """
    return np.column_stack([decoded[:, :3], np.degrees(np.arctan2(decoded[:, 4], decoded[:, 3]))])


def _shrunk(view: Image, width: int, height: int, long_side: int) -> Image:
    """A coarser view of an image of this size, from a finer one or the image itself."""
    zoom = long_side / max(width, height)
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    # Down to a half, linear interpolation skips no pixel; by area is as good and ten times slower.
    while view.shape[1] > 2 * size[0]:
        view = cv2.resize(view, (round(view.shape[1] / 2), max(1, round(view.shape[0] / 2))))
    return np.asarray(cv2.resize(view, size), np.uint8)


def _tiles(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """Top, bottom, left and right of the tiles of a view: memory stays bounded."""
    for top, left in product(range(0, height, _TILE), range(0, width, _TILE)):
        yield top, min(top + _TILE, height), left, min(left + _TILE, width)


def _padded(image: Image) -> Image:
    """The image with black below and to the right, up to sides that the network takes."""
    bottom, right = (-side % _VIEW_MULTIPLE for side in image.shape[:2])
    if not bottom and not right:
        return image
    return np.asarray(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT), np.uint8)


def _distinct(squares: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Tilted squares (N, 4) and scores (N,) of decoded ones (M, 5): each face once, best first,
    without squares that overlap a better one or lie within it. Where several views show a face, the
    square is their mean, weighted by the scores (Gidaris and Komodakis 2015, arXiv:1505.01749).
    """
    boxes = square_boxes(squares)
    alike = box_iou(boxes, boxes) > _NMS_IOU
    same = alike | (shares_inside(boxes, boxes) > _PART_INSIDE)
    kept = first_of_alike(same, np.argsort(-scores, kind="stable"))
    weights = alike[kept] * scores
    return tilted_squares(weights @ squares / weights.sum(axis=1, keepdims=True)), scores[kept]
