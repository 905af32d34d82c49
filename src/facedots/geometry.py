"""Boxes, points and the way from an image to a crop and back. NumPy only.

Points are ``(x, y)`` in pixels; (0, 0) is the center of the top-left pixel, so an image of width W
reaches from -0.5 to W - 0.5. Boxes are ``x0 y0 x1 y1`` in the same coordinates. Affine maps are
``float64 (2, 3)``: ``p' = A[:, :2] p + A[:, 2]``.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.errors import PointsError, ShapeError

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]


def check_shape(array: ArrayLike, shape: str, what: str = "array") -> NDArray[np.generic]:
    """The array itself, once its shape is what ``shape`` says.

    Args:
        array: Any array.
        shape: One word an axis: a number must match, a letter matches anything, as in ``"N 68 2"``.
        what: How an error message calls the array.

    Raises:
        ShapeError: The shape is another one.

    >>> check_shape(np.zeros((3, 68, 2)), "N 68 2").shape
    (3, 68, 2)
    """
    result: NDArray[np.generic] = np.asarray(array)
    wanted = shape.split()
    fits = result.ndim == len(wanted) and all(
        not axis.isdigit() or int(axis) == n for axis, n in zip(wanted, result.shape, strict=True)
    )
    if not fits:
        raise ShapeError(f"{what} must have the shape ({', '.join(wanted)}), not {result.shape}")
    return result


def check_boxes(boxes: ArrayLike) -> Floats:
    """Boxes ``float32 (N, 4)`` with their corners in order, whichever two opposite corners were
    given.

    Raises:
        ShapeError: Not (N, 4).
        ValueError: A box holds NaN or infinity, or has no width or no height.

    >>> check_boxes([[30, 40, 10, 20]]).tolist()
    [[10.0, 20.0, 30.0, 40.0]]
    """
    given = np.asarray(boxes, np.float32)
    given = np.asarray(
        check_shape(given if given.size else given.reshape(0, 4), "N 4", "boxes"), np.float32
    )
    corners = given.reshape(-1, 2, 2)
    ordered = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    bad = ~np.isfinite(ordered).all(axis=1) | (ordered[:, 2:] <= ordered[:, :2]).any(axis=1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"box {first} is {given[first].tolist()}: a box needs four finite numbers and an area"
        )
    return ordered


def tight_boxes(points: ArrayLike) -> Floats:
    """The tight boxes ``float32 (N, 4)`` around points ``(N, K, 2)``; missing points (NaN) do not
    count.

    >>> tight_boxes([[[1, 5], [3, 2]]]).tolist()
    [[1.0, 2.0, 3.0, 5.0]]
    """
    given = np.asarray(check_shape(points, "N K 2", "points"), np.float32)
    return np.concatenate([np.nanmin(given, axis=1), np.nanmax(given, axis=1)], axis=1)


def box_iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of every box of ``first`` (N, 4) with every box of ``second`` (M, 4):
    ``float32 (N, M)``.

    >>> box_iou([[0, 0, 2, 2]], [[0, 0, 2, 1], [5, 5, 6, 6]]).tolist()
    [[0.5, 0.0]]
    """
    a, b = np.asarray(first, np.float32)[:, None], np.asarray(second, np.float32)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    overlap = sides.clip(min=0).prod(axis=-1)
    union = (
        (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - overlap
    )
    return np.asarray(overlap / union, np.float32)


@dataclass(frozen=True)
class CropSpec:
    """Which square of an image a network sees.

    Attributes:
        mode: ``"box"``: a square around the center of the face's tight box; ``"frame"``: the middle
            of the whole image.
        scale: Side of the square over the longer side of the box, or over the shorter side of the
            image.
    """

    mode: Literal["box", "frame"]
    scale: float

    def __post_init__(self) -> None:
        if self.mode not in ("box", "frame") or not self.scale > 0:
            raise ValueError(
                f"crop {self.mode!r} x {self.scale}: the mode is 'box' or 'frame', the scale positive"
            )

    def crop_squares(self, boxes: ArrayLike, image_size: tuple[int, int]) -> Matrix:
        """The squares ``float64 (N, 3)``, each center x, center y, side in pixels.

        Args:
            boxes: Tight boxes (N, 4); with the mode ``"frame"`` only their number matters.
            image_size: Height and width of the image.
        """
        tight = np.asarray(check_shape(boxes, "N 4", "boxes"), np.float64)
        if self.mode == "frame":
            height, width = image_size
            square = [(width - 1) / 2, (height - 1) / 2, min(height, width) * self.scale]
            return np.tile(np.asarray(square), (len(tight), 1))
        centers = (tight[:, :2] + tight[:, 2:]) / 2
        sides = (tight[:, 2:] - tight[:, :2]).max(axis=1, keepdims=True) * self.scale
        return np.concatenate([centers, sides], axis=1)


def crop_matrix(square: ArrayLike, size: int) -> Matrix:
    """The affine map from an image to the ``size`` x ``size`` crop of one square (center x, center
    y, side).

    >>> apply_affine(crop_matrix((9.5, 9.5, 20), 10), [[-0.5, -0.5], [9.5, 19.5]]).tolist()
    [[-0.5, -0.5], [4.5, 9.5]]
    """
    x, y, side = np.asarray(check_shape(square, "3", "square"), np.float64)
    zoom, middle = size / side, (size - 1) / 2
    return np.array([[zoom, 0, middle - zoom * x], [0, zoom, middle - zoom * y]])


def similarity(
    angle: float, zoom: float, shift: tuple[float, float], center: tuple[float, float]
) -> Matrix:
    """The affine map that turns about ``center`` by ``angle`` degrees (positive: clockwise as
    seen), zooms, then shifts.

    >>> apply_affine(similarity(90, 2, (0, 0), (0, 0)), [[1, 0]]).round(6).tolist()
    [[0.0, 2.0]]
    """
    turn = np.deg2rad(angle)
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]])
    offset = np.asarray(center) + np.asarray(shift) - linear @ np.asarray(center)
    return np.concatenate([linear, offset[:, None]], axis=1)


def fit_similarity(source: ArrayLike, target: ArrayLike) -> Matrix:
    """The similarity (turn, zoom and shift, never a mirror) that takes ``source`` (n, 2) closest to
    ``target`` (n, 2).

    Least squares over the pairs of which neither point is missing (NaN). Umeyama's fit (IEEE PAMI
    13(4), 1991) in the plane: with points as complex numbers about their means, turn and zoom are
    the factor ``sum(conj(s) t) / sum(conj(s) s)``.

    Raises:
        ShapeError: Not (n, 2), or not equally many.
        PointsError: Fewer than two different points are left.

    >>> fit_similarity([[0, 0], [2, 0]], [[5, 5], [5, 9]]).round(6).tolist()
    [[0.0, -2.0, 5.0], [2.0, 0.0, 5.0]]
    """
    start = np.asarray(check_shape(source, "N 2", "source points"), np.float64)
    end = np.asarray(check_shape(target, f"{len(start)} 2", "target points"), np.float64)
    known = np.isfinite(start).all(axis=1) & np.isfinite(end).all(axis=1)
    start, end = start[known], end[known]
    if len(start) < 2 or np.ptp(start, axis=0).max() == 0:
        raise PointsError(
            f"a similarity needs two different points, and only {len(start)} of {known.size} pairs are known"
        )
    middle, goal = start.mean(axis=0), end.mean(axis=0)
    (s_x, s_y), (t_x, t_y) = (start - middle).T, (end - goal).T
    power = s_x @ s_x + s_y @ s_y
    cos, sin = (s_x @ t_x + s_y @ t_y) / power, (s_x @ t_y - s_y @ t_x) / power
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([linear, (goal - linear @ middle)[:, None]], axis=1)


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """The affine map that applies ``inner`` first and ``outer`` then."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.concatenate([linear, (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]], axis=1)


def invert(matrix: Matrix) -> Matrix:
    """The affine map that undoes ``matrix``.

    >>> invert(crop_matrix((50, 40, 20), 128)) @ [63.5, 63.5, 1]
    array([50., 40.])
    """
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, (-linear @ matrix[:, 2])[:, None]], axis=1)


def apply_affine(matrix: Matrix, points: ArrayLike) -> Floats:
    """Points ``(..., 2)`` under an affine map, as float32.

    >>> apply_affine(similarity(0, 1, (2, 3), (0, 0)), [[1, 1]]).tolist()
    [[3.0, 4.0]]
    """
    given = np.asarray(points, np.float64)
    return np.asarray(given @ matrix[:, :2].T + matrix[:, 2], np.float32)


Image = NDArray[np.uint8]


def warp_image(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """The image under an affine map, sampled bilinearly; what lies outside the image is black.

    A map that shrinks by more than two would skip pixels, so the image is first halved, by area, as
    often as needed.

    Args:
        image: ``uint8 (H, W, C)`` or ``(H, W)``.
        matrix: Affine map ``(2, 3)`` from the image to the result.
        size: Height and width of the result.

    Returns:
        ``uint8`` of that size with the channels of ``image``.
    """
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    halvings = int(np.floor(np.log2(1 / zoom))) if zoom < 0.5 else 0
    for _ in range(halvings):
        image = _halve(image)
    # Pixel centers: a point x of the halved image lies at step * (x + 0.5) - 0.5 of the whole one.
    step = 2.0**halvings
    matrix = compose(matrix, np.array([[step, 0, step / 2 - 0.5], [0, step, step / 2 - 0.5]]))
    warped = cv2.warpAffine(image, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, np.uint8).reshape(
        *size, *image.shape[2:]
    )  # OpenCV drops a single channel's axis.


def _halve(image: Image) -> Image:
    """Each 2x2 block's mean; a black row or column makes odd sides even, which OpenCV averages ten
    times as fast.
    """
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.asarray(
            cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_CONSTANT), np.uint8
        )
    half = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
