"""Faces made unrecognizable: blurred, pixelated or painted over, forehead and chin included.

What is covered is never less than the hull of the keypoints and the forehead above them, grown by
what the points may be off. Where a face is in doubt, more is covered. A blurred or pixelated face
can still be recognized by a machine that was trained for it; only ``solid`` takes everything away.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import cv2
import numpy as np

from facedots.analysis.mesh import fit_shape, forehead
from facedots.analysis.shapes import MEAN_SHAPE
from facedots.drawing import Color
from facedots.errors import FacedotsError, PointsError
from facedots.geometry import Floats, Image, apply_affine, box_iou, tight_boxes
from facedots.regions import Mask, convex_hull, fill_polygons
from facedots.schema import IBUG68
from facedots.types import Face, check_image
from facedots.uncertainty import principal_axes

Method = Literal["blur", "pixelate", "solid"]
OnNoFace = Literal["error", "copy", "cover"]

SURE_DETECTION, SURE_SCORE, SURE_SIGMA, SURE_OVERLAP = 0.9, 0.5, 0.06, 0.5
"""A face is in doubt below these scores of the detector and of the network, above this mean sigma
(in sides of its box), or where box and points overlap less.
"""

SURE_SQUEEZE, SURE_MISFIT = 0.5, 0.3
"""It is in doubt, too, where its points do not lie as a face's do: squeezed to less than this share
by how the head is turned, or further than this from the mean shape so turned (root mean square,
outer-eye distances). Of the 6,246 labeled faces of YouTube Faces and 300-W none is squeezed below
0.63, and 99.9 % lie within 0.25.
"""

CELLS = 5
"""Cells along the longer side of a covered face, by blur and pixelate.

With 6, RetinaFace still sees a face in 30 % of blurred test frames; with 5, in none of 120.
"""

_CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], axis=1)


class Anonymizer:
    """Covers every face.

    Args:
        method: ``"blur"``, ``"pixelate"`` or ``"solid"``.
        sigmas: By how many standard deviations of each point the hull grows.
        margin: By how much it grows at least, in sides of the face's box.
        color: RGB, for ``"solid"``.
        on_no_face: What an image without a face becomes: an ``"error"``, a ``"copy"`` as it is,
            or ``"cover"``: all of it covered.

    Raises:
        FacedotsError: There is no such ``method`` or ``on_no_face``.
    """

    def __init__(
        self,
        method: Method = "blur",
        sigmas: float = 3.0,
        margin: float = 0.08,
        color: Color = (0, 0, 0),
        on_no_face: OnNoFace = "copy",
    ) -> None:
        for value, choices in ((method, get_args(Method)), (on_no_face, get_args(OnNoFace))):
            if value not in choices:
                raise FacedotsError(f"choose one of {', '.join(choices)}, not {value!r}")
        self._method = method
        self._on_no_face = on_no_face
        self._sigmas = sigmas
        self._margin = margin
        self._color = color

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with all the faces covered. What no detector found stays as it
        is: check ``faces``.

        Raises:
            FacedotsError: There is no face, and ``on_no_face`` is ``"error"``.
        """
        if not faces and self._on_no_face == "error":
            raise FacedotsError(
                "no face found, so nothing was written; choose on-no-face copy or cover to go on"
            )
        if not faces and self._on_no_face == "cover":
            return self.cover_all(image)
        result = np.array(check_image(image))
        for face in faces:
            self._cover(result, cover_polygons(face, self._sigmas, self._margin))
        return result

    def mask(self, face: Face, size: tuple[int, int]) -> Mask:
        """The pixels that are covered for one face: ``bool (H, W)``."""
        return _filled(cover_polygons(face, self._sigmas, self._margin), size)

    def cover_all(self, image: Image) -> Image:
        """A copy of the image with everything covered, for where a face must be but was not found."""
        result = np.array(check_image(image))
        height, width = image.shape[:2]
        self._cover(
            result, [np.array([(-1, -1), (width, -1), (width, height), (-1, height)], np.float32)]
        )
        return result

    def _cover(self, image: Image, polygons: Sequence[Floats]) -> None:
        """Cover what lies in the polygons, in place."""
        mask = _filled(polygons, (image.shape[0], image.shape[1]))
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        window, mask = image[part], mask[part]
        if self._method == "solid":
            window[mask] = self._color
            return
        # Detail is thrown away first, in a few cells over the face, whether or not all of it is in
        # the frame.
        cell = max(float(np.ptp(polygon, axis=0).max()) for polygon in polygons) / CELLS
        height, width = mask.shape
        coarse = cv2.resize(
            window,
            (max(1, round(width / cell)), max(1, round(height / cell))),
            interpolation=cv2.INTER_AREA,
        )
        finish = cv2.INTER_NEAREST if self._method == "pixelate" else cv2.INTER_CUBIC
        window[mask] = np.asarray(
            cv2.resize(coarse, (width, height), interpolation=finish), np.uint8
        )[mask]


def _filled(polygons: Sequence[Floats], size: tuple[int, int]) -> Mask:
    """The pixels in any of the polygons: ``bool (H, W)``."""
    mask = np.zeros(size, bool)
    for polygon in polygons:
        mask |= fill_polygons([polygon], size)
    return mask


def cover_polygons(face: Face, sigmas: float = 3.0, margin: float = 0.08) -> list[Floats]:
    """Convex polygons ``float32 (n, 2)`` that together hide a face, in pixels.

    The first is the hull of the points, each a disc whose radius is ``margin`` of the face's size
    or ``sigmas`` of its standard deviations where it is most unsure, whichever is more, and of the
    forehead. A face in doubt (:func:`is_doubtful`), or one whose forehead cannot be told, gets a
    second: the box that the detector gave, a third larger on each side and two thirds upwards.
    """
    known = np.isfinite(face.points).all(axis=1)
    points, sigma = (
        face.points[known],
        np.nan_to_num(principal_axes(face.covariance[known])[0][:, 0], nan=0.0),
    )
    polygons, doubtful = [], is_doubtful(face)
    if known.any():
        size = float(np.ptp(points, axis=0).max())
        radii = np.maximum(sigmas * sigma, margin * size)
        try:
            above = forehead(face.points) if face.schema == IBUG68 else points[:0]
        except PointsError:
            above, doubtful = points[:0], True
        centers = np.concatenate([points, above])
        radii = np.concatenate([radii, np.full(len(above), radii.max() / 2)])
        discs = centers[:, None] + radii[:, None, None] * _CIRCLE / np.cos(np.pi / 16)
        polygons.append(convex_hull(discs.reshape(-1, 2)))
    if doubtful or face.schema != IBUG68 or not polygons:
        x0, y0, x1, y1 = face.box.tolist()
        more = max(x1 - x0, y1 - y0) / 3
        corners = [
            (x0 - more, y0 - 2 * more),
            (x1 + more, y0 - 2 * more),
            (x1 + more, y1 + more),
            (x0 - more, y1 + more),
        ]
        polygons.append(np.array(corners, np.float32))
    return polygons


def is_doubtful(face: Face) -> bool:
    """Whether it is unsure where a face lies: a low score, missing points, large sigma, or points
    unlike the box or any face.
    """
    detected = face.score if face.detection_score is None else face.detection_score
    if detected < SURE_DETECTION or face.score < SURE_SCORE or not np.isfinite(face.points).all():
        return True
    tight = tight_boxes(face.points[None])
    side = float((tight[0, 2:] - tight[0, :2]).max())
    if np.isfinite(face.sigma).any() and float(np.nanmean(face.sigma)) > SURE_SIGMA * side:
        return True
    if not box_iou(tight, face.box[None])[0, 0] >= SURE_OVERLAP:
        return True
    return face.schema == IBUG68 and not _lies_as_a_face(face.points)


def _lies_as_a_face(points: Floats) -> bool:
    """Whether points are those of the mean shape, turned as a head can be, and not much else."""
    turn = fit_shape(MEAN_SHAPE, points)
    unit, squeezed = np.linalg.svd(turn[:, :2], compute_uv=False).tolist()
    misfit = float(np.sqrt(((apply_affine(turn, MEAN_SHAPE) - points) ** 2).sum(axis=1).mean()))
    mirrored = np.linalg.det(turn[:, :2]) < 0
    return not mirrored and squeezed >= SURE_SQUEEZE * unit and misfit <= SURE_MISFIT * unit
