"""Regions of a face as closed polygons and as masks, from its keypoints.

Besides the schema's own regions there are ``face`` (the hull of all points, brows to chin), and for
faces of the iBUG order ``lips`` (the mouth without its opening) and ``inner_mouth`` (the opening).
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.drawing import draw_polygons
from facedots.errors import PointsError
from facedots.geometry import Floats, Matrix, check_shape
from facedots.schema import IBUG68, KeypointSchema

Mask = NDArray[np.bool_]

BROW_HALF = 0.045
"""Half the thickness of a brow, in outer-eye distances; its points lie along its middle."""

_LOOPS: Mapping[str, tuple[tuple[int, ...], ...]] = {
    "jaw": (tuple(range(17)),),
    "nose": ((27, 31, 32, 33, 34, 35),),
    "right_eye": (tuple(range(36, 42)),),
    "left_eye": (tuple(range(42, 48)),),
    "mouth": (tuple(range(48, 60)),),
    "inner_mouth": (tuple(range(60, 68)),),
    "lips": (tuple(range(48, 60)), tuple(range(60, 68))),
}
"""Points around each region of an iBUG face; a second loop is a hole."""


def region_names(schema: KeypointSchema) -> tuple[str, ...]:
    """The names of all regions, beyond the schema's.

    >>> " ".join(region_names(IBUG68))
    'face jaw right_brow left_brow nose right_eye left_eye mouth inner_mouth lips'
    """
    extra = ("inner_mouth", "lips") if schema == IBUG68 else ()
    return ("face", *schema.regions, *extra)


def region_polygons(points: ArrayLike, name: str, schema: KeypointSchema = IBUG68) -> list[Floats]:
    """The closed polygons ``float32 (n, 2)`` around a region (see :func:`region_names`) of a face
    from its points ``(K, 2)``, in pixels; a second polygon is a hole in the first.

    Brows are strips around their points. Regions of other schemas than iBUG's are hulls.

    Raises:
        PointsError: There is no such region, or a point of it is missing.
    """
    array = check_shape(points, f"{schema.count} 2", "points").astype(np.float32)
    if name not in region_names(schema):
        names = ", ".join(region_names(schema))
        raise PointsError(f"no region is called {name!r}; there are {names}")
    loops = _LOOPS.get(name, ()) if schema == IBUG68 else ()
    if not loops:
        loops = (tuple(range(schema.count)) if name == "face" else schema.regions[name],)
    missing = [i for loop in loops for i in loop if not np.isfinite(array[i]).all()]
    if missing:
        raise PointsError(f"region {name!r}: points {missing} are missing, so it has no outline")
    if schema == IBUG68 and name.endswith("_brow"):
        return [_strip(array[list(loops[0])], BROW_HALF * _eye_distance(array, schema))]
    if schema == IBUG68 and name != "face":
        return [array[list(loop)] for loop in loops]
    return [convex_hull(array[list(loops[0])])]


def region_mask(
    points: ArrayLike, name: str, size: tuple[int, int], schema: KeypointSchema = IBUG68
) -> Mask:
    """The pixels of a region in an image of size (H, W): ``bool (H, W)``, true where a pixel's
    center lies in its polygons (see :func:`region_polygons`) or on a left or upper line of them, so
    that no pixel belongs to both sides of a line.

    Raises:
        PointsError: There is no such region, or a point of it is missing.
    """
    polygons, mask = region_polygons(points, name, schema), np.zeros(size, bool)
    left, top, right, bottom = pixel_box(np.concatenate(polygons), size)
    crossed = np.zeros((bottom - top, right - left + 1), bool)
    for polygon in polygons:
        corners: Matrix = np.asarray(polygon, np.float64) - (left, top)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            ends = np.ceil([min(y0, y1), max(y0, y1)]).clip(0, bottom - top).astype(int)
            rows = np.arange(*ends)
            places = x0 + (rows - y0) * ((x1 - x0) / (y1 - y0 or 1.0))
            crossed[rows, np.ceil(places).clip(0, right - left).astype(int)] ^= True
    mask[top:bottom, left:right] = np.logical_xor.accumulate(crossed, axis=1)[:, :-1]
    return mask


def fill_polygons(polygons: Sequence[ArrayLike], size: tuple[int, int]) -> Mask:
    """The pixels that closed polygons (n, 2) cover or touch: ``bool (H, W)``. Where two overlap is
    a hole.

    >>> fill_polygons([[(1, 0), (3, 0), (3, 1), (1, 1)]], (2, 5)).astype(int).tolist()
    [[0, 1, 1, 1, 0], [0, 1, 1, 1, 0]]
    """
    mask = np.zeros(size, np.uint8)
    draw_polygons(mask, polygons, (1,), smooth=False)
    return mask.astype(bool)


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


def convex_hull(points: ArrayLike) -> Floats:
    """The convex hull ``float32 (m, 2)`` of points (n, 2); missing ones (NaN) are ignored.

    >>> sorted(convex_hull([[0, 0], [4, 0], [1, 1], [0, 4]]).tolist())
    [[0.0, 0.0], [0.0, 4.0], [4.0, 0.0]]
    """
    array = check_shape(points, "N 2", "points").astype(np.float32)
    array = array[np.isfinite(array).all(axis=1)]
    return np.asarray(cv2.convexHull(array), np.float32).reshape(-1, 2) if len(array) else array


def _eye_distance(points: Floats, schema: KeypointSchema) -> float:
    """The distance of the schema's ``norm_pair`` in pixels, or half the width of the known points
    where one of the pair is missing.
    """
    first, second = schema.norm_pair
    distance = float(np.linalg.norm(points[first] - points[second]))
    if np.isfinite(distance):
        return distance
    return float(np.nanmax(points[:, 0]) - np.nanmin(points[:, 0])) / 2


def _strip(line: Floats, half: float) -> Floats:
    """A closed polygon around an open line (n, 2), ``half`` pixels to each side, pointed at the
    ends.
    """
    along: Matrix = np.gradient(np.asarray(line, np.float64), axis=0)
    lengths = np.linalg.norm(along, axis=1, keepdims=True)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.maximum(lengths, 1e-6) * half
    across[[0, -1]] *= 0.5
    return np.asarray(np.concatenate([line + across, (line - across)[::-1]]), np.float32)
