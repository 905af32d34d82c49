"""Test faces in slices of increasing difficulty: by size, head turn, light and sharpness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.analysis.pose import Camera, head_pose
from facedots.errors import PointsError
from facedots.evaluation.metrics import finite_mean, norm_distances
from facedots.geometry import (
    CropSpec,
    Floats,
    Image,
    check_shape,
    crop_matrix,
    tight_boxes,
    warp_image,
)
from facedots.schema import IBUG68, KeypointSchema
from facedots.uncertainty import Doubles

_SIDE = 128  # px, at which light and sharpness are measured


@dataclass(frozen=True)
class Attribute:
    """A property of a labeled face that may make it easier or harder.

    Attributes:
        name: As in ``Evaluation.attributes``.
        title: For people.
        unit: Of the numbers, with a leading space, as in ``" px"``.
        meaning: How it is measured, in a sentence.
        edges: Between its slices; empty for four slices of equally many faces.
        signed: Whether the slices are of the numbers themselves, or of their magnitudes.
    """

    name: str
    title: str
    unit: str
    meaning: str
    edges: tuple[float, ...] = ()
    signed: bool = True


_QUARTERS = "in four slices of equally many faces."
ATTRIBUTES = (
    Attribute(
        "eye_distance",
        "Face size",
        " px",
        "Distance of the two points that scale the error (of 68 points: the outer corners of the "
        "eyes), in pixels.",
        (32, 48, 64, 96),
    ),
    Attribute(
        "yaw",
        "Head turn (yaw)",
        "°",
        "Turn of the head to either side, from the labeled points and a rigid model of a head; "
        "at 0 it faces the camera.",
        (10, 20, 30),
        signed=False,
    ),
    Attribute(
        "brightness",
        "Brightness",
        "",
        f"Mean gray level of the face's square, from 0 (black) to 255 (white), {_QUARTERS}",
    ),
    Attribute(
        "sharpness",
        "Sharpness",
        "",
        f"Variance of the Laplacian of the face's square at {_SIDE} px: edges make it high; blur, "
        f"darkness and low resolution make it low. {_QUARTERS.capitalize()}",
    ),
)
"""What the reports slice by."""


def face_attributes(image: Image, points: Floats, schema: KeypointSchema) -> dict[str, float]:
    """The value of each of :data:`ATTRIBUTES` for one face in an image ``uint8 (H, W, 3)``, labeled
    by points ``(K, 2)`` whose tight box has an area; NaN where unknown, as yaw of other schemas
    than :data:`~facedots.schema.IBUG68`.
    """
    size = (image.shape[0], image.shape[1])
    square = CropSpec("box", 1.0).crop_squares(tight_boxes(points[None]), size)[0]
    crop = warp_image(image, crop_matrix(square, _SIDE), (_SIDE, _SIDE))
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float64)
    return {
        "eye_distance": float(norm_distances(points[None], schema)[0]),
        "yaw": _yaw(points, size) if schema == IBUG68 else np.nan,
        "brightness": float(gray.mean()),
        "sharpness": float(cv2.Laplacian(gray, cv2.CV_64F).var()),
    }


def slice_edges(attribute: Attribute, values: ArrayLike) -> tuple[float, ...]:
    """The edges between the slices of an attribute: its own, or the quartiles of the values
    ``(N,)``; empty without a finite value.
    """
    numbers = np.asarray(check_shape(values, "N", "values"), np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return ()
    return attribute.edges or tuple(np.quantile(numbers, (0.25, 0.5, 0.75)).tolist())


def cut(
    attribute: Attribute, values: ArrayLike, edges: Sequence[float]
) -> dict[str, NDArray[np.bool_]]:
    """Cut faces with ``values (N,)`` into slices between edges, lowest first: label ->
    ``bool (N,)``. A face whose value is NaN is in none.

    >>> for label, members in cut(ATTRIBUTES[0], [20, 32, 70], (32, 64)).items():
    ...     print(label, members.tolist())
    under 32 px [True, False, False]
    32 to 64 px [False, True, False]
    64 px and more [False, False, True]
    """
    numbers = np.asarray(check_shape(values, "N", "values"), np.float64)
    numbers = numbers if attribute.signed else np.abs(numbers)
    return {
        _label(low, high, attribute.unit): (numbers >= low) & (numbers < high)
        for low, high in pairwise((-np.inf, *edges, np.inf))
        if edges
    }


def group_means(values: Doubles, groups: Sequence[str]) -> Mapping[str, float]:
    """The mean of the finite values ``(N,)`` of each group, largest first, without the group ``""``
    and those without a value.
    """
    of = np.array(groups, object)
    means = {group: finite_mean(values[of == group]) for group in sorted(set(groups) - {""})}
    finite = [item for item in means.items() if np.isfinite(item[1])]
    return dict(sorted(finite, key=lambda item: -item[1]))


def _yaw(points: Floats, size: tuple[int, int]) -> float:
    try:
        return head_pose(points, Camera.guess(size)).yaw
    except PointsError:
        return np.nan


def _label(low: float, high: float, unit: str) -> str:
    if not np.isfinite(low):
        return f"under {high:.0f}{unit}"
    return f"{low:.0f} to {high:.0f}{unit}" if np.isfinite(high) else f"{low:.0f}{unit} and more"
