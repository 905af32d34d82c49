"""Faces by attribute, and the people with the largest errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from common import Faces
from numpy.typing import NDArray

from facedots import IBUG68, Camera, head_pose
from facedots.analysis import expression_signals, frontal
from facedots.evaluation import norm_distances
from facedots.geometry import Floats, Image

YAWS = (10.0, 20.0, 30.0)
"""Where slices by yaw begin, in degrees to either side."""
MOUTHS = (0.05, 0.15)
"""Where slices by the gap between the lips begin, in outer-eye distances."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Some of the faces.

    Attributes:
        by: What they were sorted by.
        name: Which of them these are.
        faces: ``bool (N,)``.
    """

    by: str
    name: str
    faces: NDArray[np.bool_]


def slices_of(faces: Faces) -> list[Slice]:
    """Quarters by eye distance and brightness, parts by yaw and by the open mouth; a part without a
    face is left out.
    """
    eyes = norm_distances(faces.points, IBUG68)
    gray = np.array(
        [brightness(image, box) for image, box in zip(faces.images, faces.boxes, strict=True)]
    )
    turned, opened = np.array(
        [read(image, points) for image, points in zip(faces.images, faces.points, strict=True)]
    ).T
    return [
        *parts("eye distance, px", eyes, np.percentile(eyes, (25, 50, 75)).round().tolist()),
        *parts("yaw, degrees", np.abs(turned), YAWS),
        *parts("mouth open, eye distances", opened, MOUTHS),
        *parts("brightness", gray, np.percentile(gray, (25, 50, 75)).round().tolist()),
    ]


def parts(by: str, values: NDArray[np.float64], edges: Sequence[float]) -> list[Slice]:
    """Slices below the first edge, from each edge to the next, and from the last one up.

    >>> slices = parts("age", np.array([5.0, 10.0, 30.0]), [10, 20])
    >>> [part.name for part in slices]
    ['below 10', '10 to 20', '20 and more']
    >>> slices[1].faces.tolist()
    [False, True, False]
    """
    names = [f"below {edges[0]:g}", *(f"{low:g} to {high:g}" for low, high in pairwise(edges))]
    names.append(f"{edges[-1]:g} and more")
    place = np.searchsorted(edges, values, side="right")
    slices = [Slice(by, name, place == i) for i, name in enumerate(names)]
    return [part for part in slices if part.faces.any()]


def brightness(image: Image, box: Floats) -> float:
    """Mean gray level of 255 in the box, as far as it lies in the image."""
    x0, y0, x1, y1 = (max(0, round(value)) for value in box.tolist())
    return float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[y0 : y1 + 1, x0 : x1 + 1].mean())


def read(image: Image, points: Floats) -> tuple[float, float]:
    """Degrees that the head is turned by, and the gap between the lips in outer-eye distances."""
    camera = Camera.guess((image.shape[0], image.shape[1]))
    pose = head_pose(points, camera)
    return pose.yaw, expression_signals(frontal(points, pose, camera))["mouth_open"]


def worst_people(errors: NDArray[np.float64], people: Sequence[str], share: float = 0.1) -> float:
    """Mean over that share of the people (at least one) with the largest mean error; ``inf`` if a
    face of theirs was missed.

    >>> worst_people(np.array([1.0, 3.0, 6.0, 8.0]), ["a", "a", "b", "c"], 0.5)
    7.0
    """
    names = np.array(people)
    means = sorted(float(np.mean(errors[names == name])) for name in set(people))
    count = max(1, round(share * len(means)))
    return float(np.mean(means[-count:]))
