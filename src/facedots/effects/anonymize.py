"""Anonymization: faces blurred, pixelated or painted over, forehead and chin included.

The covered area is never less than the hull of the keypoints and the forehead, grown by the points'
uncertainty; where a face's place is uncertain, more. A blurred or pixelated face may still be
recognized by a network trained for that; only ``solid`` leaves nothing.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import cv2
import numpy as np

from facedots.analysis.shapes import compare_shape, forehead
from facedots.drawing import Color
from facedots.errors import FacedotsError, PointsError
from facedots.geometry import Floats, Image, box_iou, tight_boxes
from facedots.regions import Mask, convex_hull, fill_polygons
from facedots.schema import IBUG68
from facedots.types import Face, check_image
from facedots.uncertainty import principal_axes

AnonymizeMethod = Literal["blur", "pixelate", "solid"]
OnNoFace = Literal["error", "copy", "cover"]

MIN_DETECTION_SCORE, MIN_SCORE, MAX_SIGMA, MIN_IOU = 0.9, 0.5, 0.06, 0.5
"""Limits of a certain face: the scores of detector and network, the mean sigma in sides of its box,
and the overlap of box and points.
"""

CELLS = 5
"""Cells of blur and pixelate along a face: few enough that RetinaFace finds none, see
docs/experiments.md.
"""

_BOX_GROWTH = 1 / 3  # of an uncertain face's box, in its longer side; twice as much upwards
_FOREHEAD_RADIUS = 0.5  # of the discs there, over the largest of the points
_ANGLES = np.arange(16) * np.pi / 8
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


class Anonymizer:
    """Effect: covers every face.

    Args:
        method: ``"blur"``, ``"pixelate"`` or ``"solid"``.
        sigmas: Standard deviations of each point by which the hull grows.
        margin: Least growth, in sides of the face's box.
        color: RGB, for ``"solid"``.
        on_no_face: What an image without a face becomes: an ``"error"``, a ``"copy"`` as it is,
            or ``"cover"``: all of it covered.

    Raises:
        FacedotsError: The method or ``on_no_face`` is unknown.
        ValueError: ``sigmas`` or ``margin`` is negative or not finite, or ``color`` is not RGB.

    Example:
        >>> anonymous = Anonymizer("pixelate")(image, Pipeline()(image))  # doctest: +SKIP
    """

    def __init__(
        self,
        method: AnonymizeMethod = "blur",
        sigmas: float = 3.0,
        margin: float = 0.08,
        color: Color = (0, 0, 0),
        on_no_face: OnNoFace = "copy",
    ) -> None:
        for value, choice in ((method, AnonymizeMethod), (on_no_face, OnNoFace)):
            if value not in get_args(choice):
                raise FacedotsError(f"choose one of {', '.join(get_args(choice))}, not {value!r}")
        if not (0 <= sigmas < np.inf and 0 <= margin < np.inf):
            raise ValueError(f"sigmas={sigmas}, margin={margin}: finite, and at least 0")
        if len(color) != 3 or not all(0 <= value <= 255 for value in color):
            raise ValueError(f"color={color}: red, green and blue from 0 to 255")
        self._method, self._on_no_face = method, on_no_face
        self._sigmas, self._margin, self._color = sigmas, margin, color

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with all given faces covered; a face that was not detected stays.

        Raises:
            FacedotsError: There is no face, and ``on_no_face`` is ``"error"``.
        """
        if not faces and self._on_no_face == "error":
            hint = "choose --on-no-face copy or cover to go on"
            raise FacedotsError(f"no face found, so nothing was written; {hint}")
        if not faces and self._on_no_face == "cover":
            return self.cover_all(image)
        result = np.array(check_image(image))
        for face in faces:
            self._cover(result, cover_polygons(face, self._sigmas, self._margin))
        return result

    def mask(self, face: Face, size: tuple[int, int]) -> Mask:
        """The pixels covered for one face: ``bool (H, W)``."""
        return _filled(cover_polygons(face, self._sigmas, self._margin), size)

    def cover_all(self, image: Image) -> Image:
        """A copy of the image, all of it covered: for an undetected face."""
        result = np.array(check_image(image))
        self._cover(result, [_rectangle(-1, -1, image.shape[1], image.shape[0])])
        return result

    def _cover(self, image: Image, polygons: Sequence[Floats]) -> None:
        """Cover the polygons' pixels in place."""
        mask = _filled(polygons, (image.shape[0], image.shape[1]))
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        window, mask = image[part], mask[part]
        if self._method == "solid":
            window[mask] = self._color
            return
        # Cells are sized by the whole face, also where the frame cuts it.
        cell = max(float(np.ptp(polygon, axis=0).max()) for polygon in polygons) / CELLS
        height, width = mask.shape
        cells = (max(1, round(width / cell)), max(1, round(height / cell)))
        coarse = cv2.resize(window, cells, interpolation=cv2.INTER_AREA)
        upsampling = cv2.INTER_NEAREST if self._method == "pixelate" else cv2.INTER_CUBIC
        window[mask] = cv2.resize(coarse, (width, height), interpolation=upsampling)[mask]


def _filled(polygons: Sequence[Floats], size: tuple[int, int]) -> Mask:
    """The pixels in any of the polygons: ``bool (H, W)``."""
    mask = np.zeros(size, bool)
    for polygon in polygons:
        mask |= fill_polygons([polygon], size)
    return mask


def cover_polygons(face: Face, sigmas: float = 3.0, margin: float = 0.08) -> list[Floats]:
    """Convex polygons ``float32 (N, 2)`` that together hide a face, in pixels.

    The first is the hull of the forehead and of discs around the points, with the larger radius of
    ``margin`` in sizes of the face and ``sigmas`` standard deviations along the longest axis. A
    face that :func:`is_uncertain`, or without a known forehead, gets a second: its box, a third
    larger on each side and two thirds upwards.
    """
    valid = np.isfinite(face.points).all(axis=1)
    points, longest = face.points[valid], principal_axes(face.covariance[valid])[0][:, 0]
    polygons, boxed = [], face.schema != IBUG68 or is_uncertain(face)
    if valid.any():
        size = float(np.ptp(points, axis=0).max())
        radii = np.maximum(sigmas * np.nan_to_num(longest, nan=0.0), margin * size)
        try:
            above = forehead(face.points) if face.schema == IBUG68 else points[:0]
        except PointsError:
            above, boxed = points[:0], True
        centers = np.concatenate([points, above])
        radii = np.concatenate([radii, np.full(len(above), _FOREHEAD_RADIUS * radii.max())])
        discs = centers[:, None] + radii[:, None, None] * _CIRCLE / np.cos(np.pi / 16)
        polygons.append(convex_hull(discs.reshape(-1, 2)))
    if boxed or not polygons:
        x0, y0, x1, y1 = face.box.tolist()
        growth = max(x1 - x0, y1 - y0) * _BOX_GROWTH
        polygons.append(_rectangle(x0 - growth, y0 - 2 * growth, x1 + growth, y1 + growth))
    return polygons


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> Floats:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


def is_uncertain(face: Face) -> bool:
    """Whether a face's place is uncertain: a low score, missing points, a large sigma, points that
    do not fit the box, or are unlike a face.
    """
    detection_score = face.score if face.detection_score is None else face.detection_score
    if detection_score < MIN_DETECTION_SCORE or face.score < MIN_SCORE:
        return True
    if not np.isfinite(face.points).all():
        return True
    tight = tight_boxes(face.points[None])
    side = float((tight[0, 2:] - tight[0, :2]).max())
    if np.isfinite(face.sigma).any() and float(np.nanmean(face.sigma)) > MAX_SIGMA * side:
        return True
    if not box_iou(tight, face.box[None])[0, 0] >= MIN_IOU:
        return True
    fit = compare_shape(face.points) if face.schema == IBUG68 else None
    return face.schema == IBUG68 and not (fit and fit.plausible)
