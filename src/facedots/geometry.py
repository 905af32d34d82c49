"""Boxes, points, affine maps, and the crop of an image that a network sees.

Points are ``(x, y)`` in pixels; (0, 0) is the center of the top-left pixel, so an image of width W
reaches from -0.5 to W - 0.5. Boxes are ``x0 y0 x1 y1`` in the same coordinates. Affine maps are
``float64 (2, 3)``: ``p' = A[:, :2] p + A[:, 2]``.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.errors import PointsError, ShapeError

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]


def check_shape(array: ArrayLike, shape: str, what: str = "array") -> NDArray[Any]:
    """The array, checked for its shape: a word per axis, where letters match any size.

    Raises:
        ShapeError: The shape does not match; ``what`` is the array's name in the message.

    >>> check_shape(np.zeros((3, 68, 2)), "N 68 2").shape
    (3, 68, 2)
    """
    result: NDArray[Any] = np.asarray(array)
    expected = shape.split()
    matches = result.ndim == len(expected) and all(
        not axis.isdigit() or int(axis) == n for axis, n in zip(expected, result.shape, strict=True)
    )
    if not matches:
        raise ShapeError(f"{what} must have the shape ({', '.join(expected)}), not {result.shape}")
    return result


def check_boxes(boxes: ArrayLike) -> Floats:
    """Boxes ``float32 (N, 4)`` as ``x0 y0 x1 y1``, from any two opposite corners.

    Raises:
        ShapeError: Not (N, 4).
        ValueError: A box holds NaN or infinity, or has no width or no height.

    >>> check_boxes([[30, 40, 10, 20]]).tolist()
    [[10.0, 20.0, 30.0, 40.0]]
    """
    array = np.asarray(boxes, np.float32)
    array = check_shape(array if array.size else array.reshape(0, 4), "N 4", "boxes")
    first, second = array[:, :2], array[:, 2:]
    ordered = np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=1)
    bad = ~np.isfinite(ordered).all(axis=1) | (first == second).any(axis=1)
    if bad.any():
        row = int(bad.argmax())
        box = f"box {row} is {array[row].tolist()}"
        raise ValueError(f"{box}: a box needs four finite numbers and an area")
    return ordered


def tight_boxes(points: ArrayLike) -> Floats:
    """The boxes ``float32 (N, 4)`` around points ``(N, K, 2)``; missing points (NaN) are ignored.

    >>> tight_boxes([[[1, 5], [3, 2]]]).tolist()
    [[1.0, 2.0, 3.0, 5.0]]
    """
    array = check_shape(points, "N K 2", "points").astype(np.float32)
    return np.concatenate([np.fmin.reduce(array, axis=1), np.fmax.reduce(array, axis=1)], axis=1)


def upright_square(points: ArrayLike, across: tuple[int, int] | None) -> Matrix:
    """The square ``float64 (4,)`` around points ``(K, 2)``, tilted with them: center x, center y,
    side, roll in degrees. ``across``: the object's right and left point that are level if upright.
    """
    array = check_shape(points, "K 2", "points").astype(np.float64)
    step = array[across[1]] - array[across[0]] if across else np.array([1.0, 0.0])
    roll = np.degrees(np.arctan2(step[1], step[0]))
    back = similarity(roll, 1.0, (0.0, 0.0), (0.0, 0.0))[:, :2]
    low, high = (array @ back).min(axis=0), (array @ back).max(axis=0)
    return np.array([*back @ (low + high) / 2, max(*(high - low), 1.0), roll])


def box_iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of every box (N, 4) with every other (M, 4): ``float32 (N, M)``.

    >>> box_iou([[0, 0, 2, 2]], [[0, 0, 2, 1], [5, 5, 6, 6]]).tolist()
    [[0.5, 0.0]]
    """
    a, b = np.asarray(first, np.float32)[:, None], np.asarray(second, np.float32)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    overlap = sides.clip(min=0).prod(axis=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (a, b)]
    return np.asarray(overlap / (areas[0] + areas[1] - overlap), np.float32)


def spans_box(points: Floats) -> bool:
    """Whether the box around the known points ``(K, 2)`` has an area.

    >>> spans_box(np.array([[1, 1], [3, 2]])), spans_box(np.array([[1, 1], [3, 1]]))
    (True, False)
    """
    known = points[np.isfinite(points).all(axis=1)]
    return len(known) > 0 and bool((np.ptp(known, axis=0) > 0).all())


def is_inside(points: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Which points ``(..., 2)`` lie on a pixel of an image of this size: ``bool (...)``.

    >>> is_inside(np.array([[-0.5, 0], [9.5, 0]]), 5, 10).tolist()
    [True, False]
    """
    inside = (points >= -0.5) & (points < np.array([width - 0.5, height - 0.5]))
    return np.asarray(inside.all(axis=-1))


@dataclass(frozen=True)
class CropSpec:
    """The square of an image that a network sees.

    Attributes:
        mode: ``"box"``: a square around the center of the face's tight box; ``"frame"``: the middle
            of the whole image.
        scale: Side of the square over the longer side of the box, or over the shorter side of the
            image.

    Example:
        >>> CropSpec("box", 1.5).crop_squares([[10, 20, 30, 60]], (100, 100)).tolist()
        [[20.0, 40.0, 60.0]]
    """

    mode: Literal["box", "frame"]
    scale: float

    def __post_init__(self) -> None:
        if self.mode not in ("box", "frame") or not self.scale > 0:
            fault = "the mode is 'box' or 'frame', the scale positive"
            raise ValueError(f"crop {self.mode!r} x {self.scale}: {fault}")

    def crop_squares(self, boxes: ArrayLike, image_size: tuple[int, int]) -> Matrix:
        """Squares ``float64 (N, 3)``, center x, center y and side in pixels, of tight boxes (N, 4)
        in an image of this height and width.
        """
        tight = check_shape(boxes, "N 4", "boxes").astype(np.float64)
        if self.mode == "frame":
            height, width = image_size
            square = [(width - 1) / 2, (height - 1) / 2, min(height, width) * self.scale]
            return np.tile(np.array(square), (len(tight), 1))
        centers = (tight[:, :2] + tight[:, 2:]) / 2
        sides = (tight[:, 2:] - tight[:, :2]).max(axis=1, keepdims=True) * self.scale
        return np.concatenate([centers, sides], axis=1)


def crop_matrix(square: ArrayLike, size: int) -> Matrix:
    """The affine map from an image to the ``size`` x ``size`` crop of one square: center x, center
    y, side and, of a tilted one, which the crop shows upright, roll in degrees.

    >>> apply_affine(crop_matrix((9.5, 9.5, 20), 10), [[-0.5, -0.5], [9.5, 19.5]]).tolist()
    [[-0.5, -0.5], [4.5, 9.5]]
    """
    x, y, side, *roll = np.asarray(square, np.float64)
    zoom, middle = size / side, (size - 1) / 2
    matrix = np.array([[zoom, 0, middle - zoom * x], [0, zoom, middle - zoom * y]])
    return compose(matrix, similarity(-roll[0], 1.0, (0.0, 0.0), (x, y))) if roll else matrix


def similarity(
    angle: float, zoom: float, shift: tuple[float, float], center: tuple[float, float]
) -> Matrix:
    """The affine map that rotates about ``center`` by ``angle`` degrees (positive: clockwise as
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
    """The least-squares similarity (rotation, zoom, shift, never a mirror) from source to target:
    Umeyama's fit (IEEE PAMI 13(4), 1991) in the plane. Pairs with a missing point (NaN) are
    ignored.

    Args:
        source: The points of one face ``(K, 2)`` or of many ``(N, K, 2)``.
        target: Points of the same shape, or ``(K, 2)`` for all faces.

    Returns:
        ``float64 (2, 3)`` or ``(N, 2, 3)``; of many, NaN where fewer than two different points of
        a face are known.

    Raises:
        ShapeError: The shapes do not match.
        PointsError: Fewer than two different points of the one face are known.

    >>> fit_similarity([[0, 0], [2, 0]], [[5, 5], [5, 9]]).round(6).tolist()
    [[0.0, -2.0, 5.0], [2.0, 0.0, 5.0]]
    """
    many = np.ndim(source) == 3
    start = check_shape(source, "N K 2" if many else "N 2", "source points").astype(np.float64)
    shape = start.shape if np.ndim(target) == 3 else start.shape[-2:]
    end = check_shape(target, " ".join(map(str, shape)), "target points").astype(np.float64)
    # Points as x + iy: a similarity is w = zoom * z + shift.
    z, w = (np.ascontiguousarray(points).view(np.complex128)[..., 0] for points in (start, end))
    missing = ~(np.isfinite(z) & np.isfinite(w))
    if missing.any():
        z, w = np.where(missing, 0, z), np.where(missing, 0, w)
    count = missing.shape[-1] - missing.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        z_mean, w_mean = z.sum(-1, keepdims=True) / count, w.sum(-1, keepdims=True) / count
        arm = np.where(missing, 0, z - z_mean).conj()
        power, size = ((a * a.conj()).real.sum(axis=-1) for a in (arm, z))
        zoom = (arm * (w - w_mean)).sum(axis=-1) / np.where(power > 1e-24 * size, power, np.nan)
    if not many and np.isnan(zoom):
        pairs = f"{count[0]} of {missing.size} pairs"
        raise PointsError(f"a similarity needs two different points, and only {pairs} are known")
    shift = w_mean[..., 0] - zoom * z_mean[..., 0]
    rows = np.array([[zoom.real, -zoom.imag, shift.real], [zoom.imag, zoom.real, shift.imag]])
    return np.moveaxis(rows, (0, 1), (-2, -1)) if many else rows


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """The affine map that applies ``inner``, then ``outer``."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.concatenate([linear, (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]], axis=1)


def invert(matrix: Matrix) -> Matrix:
    """The inverse of an affine map.

    >>> invert(crop_matrix((50, 40, 20), 128)) @ [63.5, 63.5, 1]
    array([50., 40.])
    """
    return np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def apply_affine(matrix: Matrix, points: ArrayLike) -> Floats:
    """Points ``float32 (..., 2)`` under an affine map.

    >>> apply_affine(similarity(0, 1, (2, 3), (0, 0)), [[1, 1]]).tolist()
    [[3.0, 4.0]]
    """
    mapped = np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(mapped, np.float32)


def warp_image(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """The image under an affine map, sampled bilinearly; what lies outside the image is black.

    The image is first halved, by area, until the map shrinks it by less than two, so that no pixels
    are skipped.

    Args:
        image: ``uint8 (H, W, C)`` or ``(H, W)``.
        matrix: Affine map ``(2, 3)`` from the image to the result.
        size: Height and width of the result, which has the channels of the image.
    """
    zoom = math.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))
    halvings = math.floor(math.log2(1 / zoom)) if zoom < 0.5 else 0
    step, left, top = 2**halvings, 0, 0
    if halvings or max(image.shape) >= 2**15:  # more than OpenCV's warp takes
        left, top, right, bottom = _source_box(image, matrix, size, step)
        image = image[top:bottom, left:right]
    for _ in range(halvings):
        image = _halve(image)
    # Pixel centers: a point x of the halved image lies at step * (x + 0.5) - 0.5 of the original.
    edge = (step - 1) / 2
    matrix = compose(matrix, np.array([[step, 0, left + edge], [0, step, top + edge]]))
    warped = cv2.warpAffine(image, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)
    # OpenCV drops the axis of a single channel.
    return np.asarray(warped, np.uint8).reshape(*size, *image.shape[2:])


def _source_box(
    image: Image, matrix: Matrix, size: tuple[int, int], step: int
) -> tuple[int, int, int, int]:
    """What a warp reads: left, top, right, bottom; left and top are multiples of ``step``."""
    (height, width), ends = size, []
    for (a, b, c), side in zip(invert(matrix).tolist(), image.shape[1::-1], strict=True):
        places = [a * x + b * y + c for x in (-1, width) for y in (-1, height)]
        start = min(max(int(min(places) // step) - 1, 0), (side - 1) // step)
        ends.append((start * step, max(int(max(places) // step) + 2, start + 1) * step))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def _halve(image: Image) -> Image:
    """The mean of each 2x2 block; odd sides are padded with black, which is ten times faster."""
    bottom, right = image.shape[0] % 2, image.shape[1] % 2
    if bottom or right:
        padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        image = np.asarray(padded, np.uint8)
    half = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
