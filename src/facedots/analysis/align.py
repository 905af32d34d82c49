"""Face alignment: faces cut out upright, at one place and size, as recognition networks expect."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from facedots.errors import PointsError
from facedots.geometry import Image, Matrix, check_shape, fit_similarity, invert, warp_image
from facedots.schema import IBUG68
from facedots.types import Face, check_image

Template = Literal["eyes", "arcface112", "ffhq"]
"""Where the features of a face go.

``eyes``: facedots' own; the eyes' centers lie 40 % from the top, 35 % and 65 % from the left.

``arcface112``: least squares to the five points of 112 px crops that ArcFace (Deng et al., CVPR
2019) and its successors are trained on, from InsightFace's ``face_align.py``.

``ffhq``: the square of FFHQ (Karras et al., CVPR 2019; ``download_ffhq.py``), but black outside the
image, where FFHQ mirrors and blurs.
"""

TEMPLATES: tuple[Template, ...] = get_args(Template)

EYES = ((0.35, 0.4), (0.65, 0.4))
"""Centers of the right and left eye in ``eyes``, in sides of the crop from its top-left corner."""

# fmt: off
ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655),
           (70.7299, 92.2041))
# fmt: on
"""Right eye, left eye, nose tip, right and left mouth corner in ``arcface112``, in pixels."""

FFHQ_EYES, FFHQ_MOUTH, FFHQ_DOWN = 2.0, 1.8, 0.1
"""Half of the side of FFHQ's square: the larger of these multiples of the distance between the eyes
and from eyes to mouth; its center lies ``FFHQ_DOWN`` of the way from eyes to mouth.
"""


@dataclass(frozen=True)
class Aligned:
    """An upright crop of a face.

    Attributes:
        image: RGB, ``uint8 (size, size, 3)``; black outside the source image.
        matrix: Similarity ``float64 (2, 3)`` from pixels of the source to pixels of ``image``.

    Example:
        >>> align_face(image, face).image.shape  # doctest: +SKIP
        (112, 112, 3)
    """

    image: Image
    matrix: Matrix

    @property
    def inverse(self) -> Matrix:
        """Affine map ``float64 (2, 3)`` from ``image`` back to the source."""
        return invert(self.matrix)


def align_face(image: Image, face: Face, size: int = 112, template: Template = "eyes") -> Aligned:
    """Cut a face of IBUG68 out of an RGB image ``uint8 (H, W, 3)``, upright in a square of ``size``
    pixels.

    Raises:
        PointsError: Points that the template needs are missing or coincide.
    """
    matrix = alignment_matrix(face.points, size, template)
    return Aligned(warp_image(check_image(image), matrix, (size, size)), matrix)


def alignment_matrix(points: ArrayLike, size: int, template: Template) -> Matrix:
    """The similarity ``float64 (2, 3)`` that :func:`align_face` applies, from points ``(68, 2)``.

    Raises:
        ShapeError: The points are not (68, 2).
        PointsError: Points that the template needs are missing or coincide.
        ValueError: The template is unknown or the size not positive.
    """
    points = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    if size < 1 or template not in TEMPLATES:
        names = ", ".join(TEMPLATES)
        raise ValueError(
            f"{template!r} at {size} px: the template is one of {names}, the size positive"
        )
    eyes = [list(IBUG68.regions[name]) for name in ("right_eye", "left_eye")]
    right, left = (points[eye].mean(axis=0) for eye in eyes)
    corners = points[[IBUG68.index("mouth_0"), IBUG68.index("mouth_6")]]
    if template == "eyes":
        return fit_similarity([right, left], np.array(EYES) * size - 0.5)
    if template == "arcface112":
        # Pixel edges scale, and they lie half a pixel off the centers.
        target = (np.array(ARCFACE) + 0.5) * size / 112 - 0.5
        return fit_similarity([right, left, points[IBUG68.index("nose_3")], *corners], target)
    square = _ffhq_square(right, left, corners.mean(axis=0))
    return fit_similarity(square, np.array([(0, 0), (0, 1), (1, 1), (1, 0)]) * size - 0.5)


def _ffhq_square(right: Matrix, left: Matrix, mouth: Matrix) -> Matrix:
    """Corners ``(4, 2)`` of FFHQ's square: top left, bottom left, bottom right, top right."""
    eyes, across = (right + left) / 2, left - right
    down = mouth - eyes
    # The mean of two horizontals: from eye to eye, and perpendicular to that from eyes to mouth.
    side = across + np.array([down[1], -down[0]])
    length = np.hypot(*side)
    if not length > 0:
        raise PointsError("the template ffhq needs all points of both eyes and the mouth's corners")
    side *= max(FFHQ_EYES * np.hypot(*across), FFHQ_MOUTH * np.hypot(*down)) / length
    up = np.array([side[1], -side[0]])
    center = eyes + FFHQ_DOWN * down
    start, end = center - side, center + side
    return np.stack([start + up, start - up, end - up, end + up])
