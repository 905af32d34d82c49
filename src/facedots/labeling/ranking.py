"""Order of images for correction: those with the most uncertain keypoints first."""

import math
from collections.abc import Iterable

import numpy as np

from facedots.geometry import tight_boxes
from facedots.types import Face, ImageResult


def face_uncertainty(face: Face) -> float:
    """The mean sigma of a face's points in percent of the longer side of their tight box.

    Infinite where the network gives no sigma. How well it finds errors: docs/annotating.md.
    """
    if not np.isfinite(face.sigma).any():
        return math.inf
    box = tight_boxes(face.points[None])[0]
    return 100 * float(np.nanmean(face.sigma) / max(box[2] - box[0], box[3] - box[1]))


def image_uncertainty(result: ImageResult) -> float:
    """The uncertainty of an image's worst face; infinite where no face was found."""
    return max(map(face_uncertainty, result.faces), default=math.inf)


def rank_by_uncertainty(results: Iterable[ImageResult]) -> list[ImageResult]:
    """Images without a face first, then the others from the most to the least uncertain."""
    return sorted(results, key=lambda result: (bool(result.faces), -image_uncertainty(result)))


def most_uncertain_points(result: ImageResult, count: int = 3) -> list[str]:
    """The names of the points with the largest sigma in an image's worst face, largest first."""
    face = max(result.faces, key=face_uncertainty, default=None)
    if face is None or not np.isfinite(face.sigma).any():
        return []
    order = np.argsort(-np.nan_to_num(face.sigma, nan=-1.0), kind="stable")
    return [face.schema.names[i] for i in order[:count]]
