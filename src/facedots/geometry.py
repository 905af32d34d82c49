"""Boxes, points, affine maps, and the crop of an image that a network sees.

Points are ``(x, y)`` in pixels; (0, 0) is the center of the top-left pixel, so an image of width W
reaches from -0.5 to W - 0.5. Boxes are ``x0 y0 x1 y1`` in the same coordinates. Affine maps are
``float64 (2, 3)``: ``p' = A[:, :2] p + A[:, 2]``.
"""

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
    """The array, after its shape has been checked.

    Args:
        array: Any array.
        shape: One word per axis; numbers must match, letters match any size, as in ``"N 68 2"``.
        what: The array's name in an error message.

    Raises:
        ShapeError: The shape does not match.

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
    corners = array.reshape(-1, 2, 2)
    ordered = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    bad = ~np.isfinite(ordered).all(axis=1) | (ordered[:, 2:] <= ordered[:, :2]).any(axis=1)
    if bad.any():
        first = int(bad.argmax())
        raise ValueError(
            f"box {first} is {array[first].tolist()}: a box needs four finite numbers and an area"
        )
    return ordered


def tight_boxes(points: ArrayLike) -> Floats:
    """The tight boxes ``float32 (N, 4)`` around points ``(N, K, 2)``; missing points (NaN) are
    ignored.

    >>> tight_boxes([[[1, 5], [3, 2]]]).tolist()
    [[1.0, 2.0, 3.0, 5.0]]
    """
    array = check_shape(points, "N K 2", "points").astype(np.float32)
    return np.concatenate([np.nanmin(array, axis=1), np.nanmax(array, axis=1)], axis=1)


def box_iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of every box of ``first`` (N, 4) with every box of ``second`` (M, 4):
    ``float32 (N, M)``.

    >>> box_iou([[0, 0, 2, 2]], [[0, 0, 2, 1], [5, 5, 6, 6]]).tolist()
    [[0.5, 0.0]]
    """
    a, b = np.asarray(first, np.float32)[:, None], np.asarray(second, np.float32)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    overlap = sides.clip(min=0).prod(axis=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (a, b)]
    return np.asarray(overlap / (areas[0] + areas[1] - overlap), np.float32)


def pixel_box(
    points: ArrayLike, size: tuple[int, int], margin: float = 0.0
) -> tuple[int, int, int, int]:
    """The pixels around points ``(N, 2)`` in an image of this height and width.

    Returns:
        Left, top, and the first column and row beyond; empty where the points lie outside.

    >>> pixel_box([[1.5, 2], [3, 9]], (8, 6))
    (1, 2, 4, 8)
    """
    limit, places = (size[1], size[0]), np.asarray(points, np.float64)
    left, top = np.floor(places.min(axis=0) - margin).clip(0, limit).astype(int).tolist()
    end = np.ceil(places.max(axis=0) + margin) + 1
    right, bottom = end.clip(0, limit).astype(int).tolist()
    return left, top, right, bottom


@dataclass(frozen=True)
class CropSpec:
    """The square of an image that a network sees.

    Example:
        >>> CropSpec("box", 1.5).crop_squares([[10, 20, 30, 60]], (100, 100)).tolist()
        [[20.0, 40.0, 60.0]]

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
                f"crop {self.mode!r} x {self.scale}: "
                "the mode is 'box' or 'frame', the scale positive"
            )

    def crop_squares(self, boxes: ArrayLike, image_size: tuple[int, int]) -> Matrix:
        """Squares ``float64 (N, 3)``: center x, center y and side, in pixels.

        Args:
            boxes: Tight boxes (N, 4); in mode ``"frame"`` only their number matters.
            image_size: Height and width of the image.
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
    """The least-squares similarity (rotation, zoom and shift, never a mirror) from ``source`` to
    ``target``.

    Pairs of points of which either is missing (NaN) are ignored. Umeyama's fit (IEEE PAMI 13(4),
    1991) in the plane.

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
    valid = (np.isfinite(start) & np.isfinite(end)).all(axis=-1, keepdims=True)
    lowest = np.where(valid, start, np.inf).min(axis=-2)
    solvable = (np.where(valid, start, -np.inf).max(axis=-2) > lowest).any(axis=-1)
    if not many and not solvable:
        raise PointsError(
            "a similarity needs two different points, "
            f"and only {valid.sum()} of {valid.size} pairs are known"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        count = valid.sum(axis=-2, keepdims=True)
        start_middle = np.where(valid, start, 0).sum(axis=-2, keepdims=True) / count
        end_middle = np.where(valid, end, 0).sum(axis=-2, keepdims=True) / count
        s_x, s_y = np.moveaxis(np.where(valid, start - start_middle, 0), -1, 0)
        t_x, t_y = np.moveaxis(np.where(valid, end - end_middle, 0), -1, 0)
        power = np.where(solvable, _dot(s_x, s_x) + _dot(s_y, s_y), np.nan)
        cos = (_dot(s_x, t_x) + _dot(s_y, t_y)) / power
        sin = (_dot(s_x, t_y) - _dot(s_y, t_x)) / power
    linear = np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)
    shift = end_middle.swapaxes(-1, -2) - linear @ start_middle.swapaxes(-1, -2)
    return np.concatenate([linear, shift], axis=-1)


def _dot(first: Matrix, second: Matrix) -> Matrix:
    """The scalar products ``(...)`` of vectors ``(..., K)``."""
    return (first[..., None, :] @ second[..., None])[..., 0, 0]


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """The affine map that applies ``inner``, then ``outer``."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.concatenate([linear, (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]], axis=1)


def invert(matrix: Matrix) -> Matrix:
    """The inverse of an affine map.

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
    mapped = np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(mapped, np.float32)


def warp_image(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """The image under an affine map, sampled bilinearly; what lies outside the image is black.

    The image is first halved, by area, until the map shrinks it by less than two, so that no pixels
    are skipped.

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
    # Pixel centers: a point x of the halved image lies at step * (x + 0.5) - 0.5 of the original.
    step = 2.0**halvings
    matrix = compose(matrix, np.array([[step, 0, step / 2 - 0.5], [0, step, step / 2 - 0.5]]))
    warped = cv2.warpAffine(image, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)
    # OpenCV drops the axis of a single channel.
    return np.asarray(warped, np.uint8).reshape(*size, *image.shape[2:])


def _halve(image: Image) -> Image:
    """The mean of each 2x2 block; odd sides get a black row or column, since OpenCV averages even
    sides ten times faster.
    """
    bottom, right = image.shape[0] % 2, image.shape[1] % 2
    if bottom or right:
        padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        image = np.asarray(padded, np.uint8)
    half = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
