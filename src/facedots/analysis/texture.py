"""Face textures: an image warped triangle by triangle from one shape to another."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facedots.analysis.mesh import mesh_points, signed_areas
from facedots.analysis.shapes import MEAN_SHAPE, TRIANGLES, Triangles
from facedots.drawing import FRACTION_BITS, fixed_point
from facedots.errors import PointsError
from facedots.geometry import Floats, Image, Matrix, check_shape, pixel_box, tight_boxes
from facedots.regions import Mask
from facedots.types import Face, check_image

_MIN_AREA = 1e-3
"""Square pixels below which a triangle is not painted."""


@dataclass(frozen=True, eq=False)
class Texture:
    """A warped image, from :func:`warp_texture` or :func:`face_texture`.

    Attributes:
        image: RGB, ``uint8 (H, W, 3)``; black outside the mesh.
        mask: ``bool (H, W)``, pixels of the mesh.
        inside: ``bool (H, W)``, pixels of the mesh that lie within the source; in the others its
            border is replicated.

    Example:
        >>> from facedots import Pipeline, read_image, sample_portrait
        >>> image = read_image(sample_portrait())  # doctest: +SKIP
        >>> face_texture(image, Pipeline()(image)[0]).image.shape  # doctest: +SKIP
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
    warped = cv2.remap(
        piece, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    limit = np.array([piece.shape[1], piece.shape[0]]) - 0.5
    result.mask[window] = mask
    result.inside[window] = mask & ((places >= -0.5) & (places <= limit)).all(axis=-1)
    result.image[window] = np.where(mask[..., None], warped, 0)
    return result


def face_texture(image: Image, face: Face, size: int = 256, margin: float = 0.06) -> Texture:
    """The face's skin on the mean shape, ``size`` x ``size`` pixels, without pose and expression.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        face: A face in it.
        size: Side of the result in pixels.
        margin: Border on each side, in sides of the result.

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
    """The image around ``start``, shrunk to about the scale of ``end``, and the points in it.

    A warp that shrinks by more than two would skip pixels.
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
        cv2.fillConvexPoly(
            owners, fixed_point(end[triangles[triangle]]), triangle, cv2.LINE_8, FRACTION_BITS
        )
    mask = owners >= 0
    # One affine map per triangle: homogeneous corners of the target @ map = corners of the source.
    maps = np.zeros((len(triangles), 3, 2))
    corners = np.concatenate([end[triangles[shown]], np.ones((len(shown), 3, 1))], axis=2)
    maps[shown] = np.linalg.solve(corners, start[triangles[shown]])
    rows, columns = np.nonzero(mask)
    pixels = np.stack([columns, rows, np.ones(len(rows))], axis=1)
    places = np.zeros((*size, 2), np.float32)
    places[mask] = np.einsum("nc,ncd->nd", pixels, maps[owners[mask]])
    return places, mask
