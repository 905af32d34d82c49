"""The triangle mesh of the keypoints: triangulation, wireframe, and textures (images warped
triangle by triangle from one shape to another).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.analysis.shapes import MEAN_SHAPE, TRIANGLES, Triangles
from facedots.drawing import FRACTION_BITS, Color, draw_line, fixed_point
from facedots.errors import PointsError
from facedots.geometry import Floats, Image, Matrix, check_shape, tight_boxes
from facedots.regions import Mask, pixel_box
from facedots.schema import IBUG68
from facedots.types import Face, check_image

_MIN_AREA = 1e-3
"""Square pixels below which a triangle is not painted."""


def triangulate(points: ArrayLike) -> Triangles:
    """The Delaunay triangulation ``int32 (M, 3)`` of points (N, 2), clockwise in an image.

    Raises:
        PointsError: A point is missing, or there are fewer than three.

    >>> triangulate([[0, 0], [4, 0], [0, 3]]).tolist()
    [[0, 1, 2]]
    """
    points = np.asarray(check_shape(points, "N 2", "points"), np.float64)
    if len(points) < 3 or not np.isfinite(points).all():
        raise PointsError("a triangulation needs three points or more, none of them missing")
    # OpenCV takes an integer rectangle only, so the points are scaled into one. Its own corners
    # lie far away: near ones would cut slivers off the hull.
    scaled = (points - points.min(axis=0)) / max(float(np.ptp(points, axis=0).max()), 1e-9) * 1000
    plane = cv2.Subdiv2D((-10_000, -10_000, 21_000, 21_000))
    for x, y in scaled.tolist():
        plane.insert((x, y))
    corners = np.asarray(plane.getTriangleList(), np.float64).reshape(-1, 3, 2)
    gaps = np.linalg.norm(corners[:, :, None] - scaled, axis=-1)
    real = (gaps.min(axis=2) < 0.01).all(axis=1)
    triangles = np.sort(gaps[real].argmin(axis=2), axis=1)
    turned = signed_areas(scaled, triangles) < 0
    triangles[turned] = triangles[turned][:, [0, 2, 1]]
    return np.asarray(triangles[np.lexsort(triangles.T[::-1])], np.int32)


def signed_areas(points: ArrayLike, triangles: NDArray[np.integer]) -> Matrix:
    """The area of each triangle (M,) in square pixels; negative where it is seen from behind.

    >>> signed_areas([[0, 0], [4, 0], [0, 3]], np.array([[0, 1, 2], [0, 2, 1]])).tolist()
    [6.0, -6.0]
    """
    a, b, c = np.moveaxis(np.asarray(points, np.float64)[triangles], 1, 0)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return np.asarray((ux * vy - uy * vx) / 2)


def mesh_points(face: Face) -> Floats:
    """The points ``float32 (68, 2)`` of a face, if all of IBUG68 are there.

    Raises:
        PointsError: The face follows another schema, or points are missing.
    """
    if face.schema != IBUG68:
        raise PointsError(
            f"this needs the points of {IBUG68.name}, and the face has those of {face.schema.name}"
        )
    missing = np.flatnonzero(~np.isfinite(face.points).all(axis=1)).tolist()
    if missing:
        raise PointsError(f"points {missing} of the face are missing, and this needs all of them")
    return face.points


@dataclass(frozen=True)
class Mesh:
    """Effect: the wireframe over every face.

    Attributes:
        color: RGB.
        opacity: In [0, 1].

    Example:
        >>> result = Mesh(color=(255, 255, 255))(image, Pipeline()(image))  # doctest: +SKIP
    """

    color: Color = (120, 255, 220)
    opacity: float = 0.7

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with the meshes; edges to missing points are left out."""
        lines = np.array(check_image(image))
        for face in faces:
            draw_mesh(lines, face.points, self.color)
        mixed = cv2.addWeighted(lines, self.opacity, image, 1 - self.opacity, 0)
        return np.asarray(mixed, np.uint8)


def draw_mesh(image: Image, points: ArrayLike, color: Color) -> None:
    """Draw the wireframe of one face (68, 2) onto the image; lines thicken with the face."""
    points = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float32)
    valid = points[np.isfinite(points).all(axis=1)]
    width = max(1, round(float(np.ptp(valid, axis=0).max()) / 250)) if len(valid) else 1
    for edge in mesh_edges():
        if np.isfinite(points[edge]).all():
            draw_line(image, points[edge], color, width)


@lru_cache
def mesh_edges() -> NDArray[np.int32]:
    """Every edge of :data:`~facedots.analysis.shapes.TRIANGLES` once: ``int32 (E, 2)``."""
    pairs = np.concatenate([TRIANGLES[:, [0, 1]], TRIANGLES[:, [1, 2]], TRIANGLES[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


@dataclass(frozen=True, eq=False)
class Texture:
    """A warped image, from :func:`warp_texture` or :func:`face_texture`.

    Attributes:
        image: RGB, ``uint8 (H, W, 3)``; black outside the mesh.
        mask: ``bool (H, W)``, pixels of the mesh.
        inside: ``bool (H, W)``, pixels of the mesh that lie within the source; in the others its
            border is replicated.

    Example:
        >>> face_texture(image, face).image.shape  # doctest: +SKIP
        (256, 256, 3)
    """

    image: Image
    mask: Mask
    inside: Mask


def warp_texture(
    image: Image,
    source: ArrayLike,
    target: ArrayLike,
    size: tuple[int, int],
    triangles: Triangles = TRIANGLES,
) -> Texture:
    """Warp an image piecewise affinely so that the points of ``source`` come to lie on ``target``.

    Triangles of the target seen from behind, like the far cheek of a turned head, are not painted.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        source: Points (N, 2) in pixels of the image; they may lie outside it.
        target: Points (N, 2) in pixels of the result; they may lie outside it.
        size: Height and width of the result.
        triangles: Indices (M, 3) of the points, clockwise as seen from the front.

    Raises:
        PointsError: A point is missing.
    """
    check_image(image)
    start = np.asarray(check_shape(source, "N 2", "source points"), np.float64)
    end = np.asarray(check_shape(target, f"{len(start)} 2", "target points"), np.float64)
    if not (np.isfinite(start).all() and np.isfinite(end).all()):
        raise PointsError("a texture needs all points of both faces, and some are missing")
    result = Texture(np.zeros((*size, 3), np.uint8), np.zeros(size, bool), np.zeros(size, bool))
    left, top, right, bottom = pixel_box(end, size)
    if left >= right or top >= bottom:
        return result
    window = np.s_[top:bottom, left:right]
    piece, start = _at_scale_of(image, start, end, triangles)
    places, mask = _places(start, end - (left, top), (bottom - top, right - left), triangles)
    x, y = places[..., 0], places[..., 1]
    warped = cv2.remap(piece, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    limit = np.array([piece.shape[1], piece.shape[0]]) - 0.5
    result.mask[window] = mask
    result.inside[window] = mask & ((places >= -0.5) & (places <= limit)).all(axis=-1)
    result.image[window] = np.where(mask[..., None], warped, 0)
    return result


def face_texture(image: Image, face: Face, size: int = 256, margin: float = 0.06) -> Texture:
    """The face's skin on the mean shape, ``size`` x ``size`` pixels, without pose and expression;
    ``margin`` is the border on each side, in sides of the result.

    Raises:
        PointsError: Points of the face are missing, or of another schema than IBUG68.
    """
    return warp_texture(image, mesh_points(face), template_points(size, margin), (size, size))


def template_points(size: int, margin: float = 0.06) -> Floats:
    """:data:`~facedots.analysis.shapes.MEAN_SHAPE` in a square of ``size`` pixels."""
    x0, y0, x1, y1 = tight_boxes(MEAN_SHAPE[None])[0].tolist()
    zoom = size * (1 - 2 * margin) / max(x1 - x0, y1 - y0)
    centered = MEAN_SHAPE - ((x0 + x1) / 2, (y0 + y1) / 2)
    return np.asarray(centered * zoom + (size - 1) / 2, np.float32)


def _at_scale_of(
    image: Image, start: Matrix, end: Matrix, triangles: Triangles
) -> tuple[Image, Matrix]:
    """The image around ``start``, shrunk to about the scale of ``end`` lest the warp skip pixels,
    and the points in it.
    """
    left, top, right, bottom = pixel_box(start, (image.shape[0], image.shape[1]))
    if left >= right or top >= bottom:  # Outside the image, whose border is replicated.
        return image, start
    piece, moved = image[top:bottom, left:right], start - (left, top)
    areas = [np.abs(signed_areas(points, triangles)).sum() for points in (start, end)]
    zoom = float(np.sqrt(areas[1] / max(areas[0], _MIN_AREA)))
    if zoom > 0.5:
        return piece, moved
    size = (max(1, round(piece.shape[1] * zoom)), max(1, round(piece.shape[0] * zoom)))
    small = np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, (moved + 0.5) * (size[0] / piece.shape[1], size[1] / piece.shape[0]) - 0.5


def _places(
    start: Matrix, end: Matrix, size: tuple[int, int], triangles: Triangles
) -> tuple[Floats, Mask]:
    """Source coordinates ``float32 (H, W, 2)`` of the target's pixels, and the mesh's mask."""
    owners = np.full(size, -1, np.int32)
    shown = np.flatnonzero(signed_areas(end, triangles) > _MIN_AREA)
    for triangle in shown.tolist():
        corners = fixed_point(end[triangles[triangle]])
        cv2.fillConvexPoly(owners, corners, triangle, cv2.LINE_8, FRACTION_BITS)
    mask = owners >= 0
    # One affine map per triangle: homogeneous corners of the target @ map = corners of the source.
    maps = np.zeros((len(triangles), 3, 2))
    homogeneous = np.concatenate([end[triangles[shown]], np.ones((len(shown), 3, 1))], axis=2)
    maps[shown] = np.linalg.solve(homogeneous, start[triangles[shown]])
    rows, columns = np.nonzero(mask)
    pixels = np.stack([columns, rows, np.ones(len(rows))], axis=1)
    places = np.zeros((*size, 2), np.float32)
    places[mask] = np.einsum("nc,ncd->nd", pixels, maps[owners[mask]])
    return places, mask
