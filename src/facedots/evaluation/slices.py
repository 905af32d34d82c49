"""Test faces cut into slices that are easier or harder: by size, turn of the head, light and
sharpness. Labels alone decide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.analysis.pose import Camera, head_pose
from facedots.errors import PointsError
from facedots.evaluation.metrics import Doubles, norm_distances
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

_CROP = 128


@dataclass(frozen=True)
class Attribute:
    """Something about a labeled face that may make it easier or harder.

    Attributes:
        name: As in ``Evaluation.attributes``.
        title: For people.
        unit: Of the numbers, with a leading space, as in ``" px"``.
        meaning: How it is measured, in a sentence.
        edges: Where its slices begin and end; empty for four slices of equally many faces.
        signed: Whether the slices are of the numbers themselves, not of their size without the
            sign.
    """

    name: str
    title: str
    unit: str
    meaning: str
    edges: tuple[float, ...] = ()
    signed: bool = True


ATTRIBUTES = (
    Attribute(
        "eye_distance",
        "Face size",
        " px",
        "Distance of the two points that scale the error (for 68 points: the outer corners of the eyes), in pixels.",
        (32, 48, 64, 96),
    ),
    Attribute(
        "yaw",
        "Turn of the head (yaw)",
        "°",
        "How far the head is turned to either side, from the labeled points and a rigid model of a head; 0 looks at the camera.",
        (10, 20, 30),
        signed=False,
    ),
    Attribute(
        "brightness",
        "Brightness",
        "",
        "Mean gray level of the face's square, from 0 (black) to 255 (white), in four slices of equally many faces.",
    ),
    Attribute(
        "sharpness",
        "Sharpness",
        "",
        f"Variance of the Laplacian of the face's square at {_CROP} px: edges make it high, blur, darkness and few pixels low. "
        "In four slices of equally many faces.",
    ),
)
"""What the reports slice by."""


def face_attributes(image: Image, points: Floats, schema: KeypointSchema) -> dict[str, float]:
    """The number of each of :data:`ATTRIBUTES` for one labeled face; NaN where it cannot be told.

    Args:
        image: RGB ``uint8 (H, W, 3)``.
        points: Its labels ``(K, 2)`` in pixels; their tight box must have an area.
        schema: What they mean; yaw is known for :data:`~facedots.schema.IBUG68` only.
    """
    size = (image.shape[0], image.shape[1])
    square = CropSpec("box", 1.0).crop_squares(tight_boxes(points[None]), size)[0]
    gray = np.asarray(
        cv2.cvtColor(
            warp_image(image, crop_matrix(square, _CROP), (_CROP, _CROP)), cv2.COLOR_RGB2GRAY
        ),
        np.float64,
    )
    return {
        "eye_distance": float(norm_distances(points[None], schema)[0]),
        "yaw": _yaw(points, size) if schema == IBUG68 else np.nan,
        "brightness": float(gray.mean()),
        "sharpness": float(cv2.Laplacian(gray, cv2.CV_64F).var()),
    }


@dataclass(frozen=True)
class Slice:
    """Some of N faces.

    Attributes:
        label: As in ``"32 to 48 px"``.
        members: ``bool (N,)``.
    """

    label: str
    members: NDArray[np.bool_]


def slice_edges(attribute: Attribute, values: ArrayLike) -> tuple[float, ...]:
    """Where the slices of an attribute lie: its own edges, or the quartiles of the values ``(N,)``;
    empty if none is known.
    """
    known = np.asarray(check_shape(values, "N", "values"), np.float64)
    known = known[np.isfinite(known)]
    if not len(known) or attribute.edges:
        return attribute.edges if len(known) else ()
    return tuple(float(edge) for edge in np.quantile(known, (0.25, 0.5, 0.75)))


def cut(attribute: Attribute, values: ArrayLike, edges: Sequence[float]) -> list[Slice]:
    """Faces with ``values (N,)`` in slices between edges, lowest first; a face with an unknown
    value (NaN) is in none.

    >>> for part in cut(ATTRIBUTES[0], [20, 32, 70], (32, 64)):
    ...     print(part.label, part.members.tolist())
    under 32 px [True, False, False]
    32 to 64 px [False, True, False]
    64 px and more [False, False, True]
    """
    given = np.asarray(check_shape(values, "N", "values"), np.float64)
    given = given if attribute.signed else np.abs(given)
    borders = (-np.inf, *edges, np.inf)
    return [
        Slice(_label(low, high, attribute.unit), (given >= low) & (given < high))
        for low, high in pairwise(borders)
        if edges
    ]


def group_means(values: Doubles, groups: Sequence[str]) -> Mapping[str, float]:
    """The mean of the finite values ``(N,)`` of each group, largest first, without groups called
    ``""`` or without a value.
    """
    means: dict[str, float] = {}
    of = np.array(groups, object)
    for group in sorted(set(groups) - {""}):
        known = values[(of == group) & np.isfinite(values)]
        if len(known):
            means[group] = float(known.mean())
    return dict(sorted(means.items(), key=lambda item: -item[1]))


def worst_tenth(means: Mapping[str, float]) -> float:
    """The mean of the worst 10 % of groups, rounded up to whole ones; NaN without groups.

    >>> worst_tenth({"a": 9, "b": 5, "c": 4})
    9.0
    """
    ordered = sorted(means.values(), reverse=True)
    return float(np.mean(ordered[: -(-len(ordered) // 10)])) if ordered else np.nan


def _yaw(points: Floats, size: tuple[int, int]) -> float:
    try:
        return head_pose(points, Camera.guess(size)).yaw
    except PointsError:
        return np.nan


def _label(low: float, high: float, unit: str) -> str:
    if not np.isfinite(low):
        return f"under {high:.0f}{unit}"
    return (
        f"{low:.0f}{unit} and more" if not np.isfinite(high) else f"{low:.0f} to {high:.0f}{unit}"
    )
