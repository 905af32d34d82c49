"""Faces of which tests know everything."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from facedots.detection.base import PrecomputedBoxes
from facedots.geometry import Floats, Image, tight_boxes
from facedots.pipeline_options import PipelineOptions
from facedots.schema import IBUG68
from facedots.types import Face


def isotropic_covariance(sigma: ArrayLike) -> Floats:
    """The covariance ``float32 (..., 2, 2)`` of an error of equal ``sigma`` in all directions.

    >>> isotropic_covariance([3]).tolist()
    [[[9.0, 0.0], [0.0, 9.0]]]
    """
    variances = np.square(np.asarray(sigma, np.float32))[..., None, None]
    return np.where(np.isnan(variances), variances, variances * np.eye(2, dtype=np.float32))


def face_of(points: ArrayLike, sigma: float = np.nan, score: float = 1.0, **fields: Any) -> Face:
    """A face of points ``(68, 2)`` in their tight box, all of one sigma, NaN for unknown;
    ``fields`` of :class:`Face` are added, or take the place of these.
    """
    given: Floats = np.asarray(points, np.float32)
    sigmas = np.full(len(given), sigma, np.float32)
    known = {
        "points": given,
        "covariance": isotropic_covariance(sigmas),
        "confidence": np.exp(-sigmas),
        "box": tight_boxes(given[None])[0],
        "score": score,
        "schema": IBUG68,
    }
    return Face(**(known | fields))


def find_only(patch: pytest.MonkeyPatch, faces: list[Face], image: Image) -> None:
    """Let commands find these faces in images of this image's shape, and none in others."""

    class Oracle:
        detector = PrecomputedBoxes([])
        predictor = SimpleNamespace(spec=SimpleNamespace(schema=IBUG68))

        def __call__(self, given: Image) -> list[Face]:
            return faces if given.shape == image.shape else []

    patch.setattr(PipelineOptions, "load", lambda *_: Oracle())
