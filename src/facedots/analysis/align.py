"""Faces brought into the same place, size and upright, as recognition networks and collections of
faces expect them.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from facedots.errors import PointsError
from facedots.geometry import Image, Matrix, check_shape, fit_similarity, invert, warp_image
from facedots.schema import IBUG68
from facedots.types import Face, check_image

Template = Literal["eyes", "arcface112", "ffhq"]
"""Where the parts of a face go.

``eyes``: facedots' own. The eyes' centers lie on a level 40 % from the top, 35 % and 65 % from the
    left; below them a frontal
face then reaches to its chin.

``arcface112``: eyes' centers, nose tip and mouth corners go nearest, in least squares, to the five
    points that networks after
ArcFace (Deng et al., CVPR 2019) were trained on, a published fact of InsightFace's
``face_align.py``, for an image of 112 px.

``ffhq``: the square of the FFHQ collection (Karras et al., CVPR 2019; ``download_ffhq.py``), from
    eyes and mouth corners. What
lies outside the image is black here, where FFHQ mirrors and blurs.
"""

TEMPLATES: tuple[Template, ...] = get_args(Template)

EYES = ((0.35, 0.4), (0.65, 0.4))
"""Centers of the subject's right and left eye in the template ``eyes``, in sides of the image from
its edges.
"""

ARCFACE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Right eye, left eye, nose tip, right and left mouth corner in the template ``arcface112``, in
pixels of 112.
"""

FFHQ_EYES, FFHQ_MOUTH, FFHQ_DOWN = 2.0, 1.8, 0.1
"""Half of the side of FFHQ's square: this often the distance of the eyes, or from eyes to mouth if
that is more; and how far from the eyes to the mouth its middle lies.
"""


@dataclass(frozen=True)
class Aligned:
    """A face cut out, upright.

    Attributes:
        image: ``uint8 (size, size, 3)`` RGB; black where the image ended.
        matrix: Affine map ``float64 (2, 3)`` from pixels of the image to pixels of ``image``: a
            turn, a zoom and a shift.
    """

    image: Image
    matrix: Matrix

    @property
    def inverse(self) -> Matrix:
        """The affine map ``float64 (2, 3)`` back, from ``image`` to the image."""
        return invert(self.matrix)


def align_face(image: Image, face: Face, size: int = 112, template: Template = "eyes") -> Aligned:
    """One face of an image, cut out so that it stands upright in a square.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        face: Found in it; its keypoints are in the order of IBUG68.
        size: Side of the result in pixels.
        template: Where the parts of the face go.

    Raises:
        PointsError: Points that the template needs are missing, or lie on each other.
    """
    matrix = alignment_matrix(face.points, size, template)
    return Aligned(warp_image(check_image(image), matrix, (size, size)), matrix)


def alignment_matrix(points: ArrayLike, size: int, template: Template) -> Matrix:
    """The affine map ``float64 (2, 3)`` that :func:`align_face` uses, for points ``(68, 2)`` in pixels.

    Raises:
        ShapeError: Not (68, 2).
        PointsError: Points that the template needs are missing, or lie on each other.
        ValueError: No template is called so, or the size is not positive.
    """
    given = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    if size < 1 or template not in TEMPLATES:
        raise ValueError(
            f"{template!r} at {size} px: the template is one of {', '.join(TEMPLATES)}, the size positive"
        )
    right, left = (
        given[list(IBUG68.regions[eye])].mean(axis=0) for eye in ("right_eye", "left_eye")
    )
    corners = given[[IBUG68.index("mouth_0"), IBUG68.index("mouth_6")]]
    if template == "eyes":
        return fit_similarity([right, left], np.array(EYES) * size - 0.5)
    if template == "arcface112":
        # The edges of pixels scale, and they lie half a pixel off the centers.
        target = (np.array(ARCFACE) + 0.5) * size / 112 - 0.5
        return fit_similarity([right, left, given[IBUG68.index("nose_3")], *corners], target)
    return fit_similarity(
        _ffhq_square(right, left, corners.mean(axis=0)),
        np.array([(0, 0), (0, 1), (1, 1), (1, 0)]) * size - 0.5,
    )


def _ffhq_square(right: Matrix, left: Matrix, mouth: Matrix) -> Matrix:
    """The corners ``(4, 2)`` of FFHQ's square: top left, bottom left, bottom right, top right of
    the upright face.
    """
    eyes, across = (right + left) / 2, left - right
    down = mouth - eyes
    # The mean of two estimates of the face's horizontal: from eye to eye, and at right angles to
    # the line from eyes to mouth.
    side = across + np.array([down[1], -down[0]])
    length = np.hypot(*side)
    if not length > 0:
        raise PointsError("the template ffhq needs all points of both eyes and the mouth's corners")
    side *= max(FFHQ_EYES * np.hypot(*across), FFHQ_MOUTH * np.hypot(*down)) / length
    upright = np.array([-side[1], side[0]])
    middle = eyes + FFHQ_DOWN * down
    return np.stack(
        [
            middle - side - upright,
            middle - side + upright,
            middle + side + upright,
            middle + side - upright,
        ]
    )
