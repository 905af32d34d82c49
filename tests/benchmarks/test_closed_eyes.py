"""benchmarks/closed_eyes.py, with predictors that answer from the labels."""

from dataclasses import replace

import closed_eyes
import numpy as np
import pytest
from numpy.typing import ArrayLike
from tests.faces import isotropic_covariance

from facedots.annotations.base import FaceAnnotation
from facedots.data.synthetic import cached_synthetic
from facedots.geometry import CropSpec, Floats, Image
from facedots.io.images import read_image
from facedots.schema import IBUG68
from facedots.spec import ModelSpec
from facedots.types import Keypoints


def lowered(face: FaceAnnotation, share: float) -> FaceAnnotation:
    """The face with its upper lids at a share of the gap."""
    points = face.points.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        points[upper] = points[lower] + share * (points[upper] - points[lower])
    return replace(face, points=points)


def is_open(face: FaceAnnotation) -> bool:
    values, yaw = closed_eyes.eyes(face.points, read_image(face.image))
    return not values[:, 1].any() and abs(yaw) < 20


FACES = [face for face in cached_synthetic(60) if is_open(face)][:4]


class Script:
    """Gives these points, one face after the other."""

    spec = ModelSpec("script", IBUG68, CropSpec("box", 1.0), 8, 3, (0.0,) * 3, (1.0,) * 3)

    def __init__(self, answers: list[Floats]) -> None:
        self.answers = iter(answers)

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        one = np.ones((1, IBUG68.count), np.float32)
        points = next(self.answers)[None]
        return Keypoints(points, isotropic_covariance(one), one, one[:, 0], IBUG68)


def test_lids_are_drawn_to_a_share_of_the_gap() -> None:
    shares = (1, *closed_eyes.SHUT)
    right = Script([lowered(face, share).points for face in FACES for share in shares])
    assert closed_eyes.lids_drawn_shut(FACES, right) == pytest.approx([0.5, 0.25, 0.08], abs=0.01)
    blind = Script([face.points for face in FACES for _ in shares])
    assert closed_eyes.lids_drawn_shut(FACES, blind) == [1, 1, 1]


def test_real_eyes_are_counted_by_their_labels() -> None:
    faces = [lowered(FACES[0], 0.1), lowered(FACES[1], 0.1), *FACES[2:]]
    number, found, labeled, read, opened, false = closed_eyes.real_eyes(
        faces, Script([faces[0].points, FACES[1].points, faces[2].points, faces[0].points])
    )
    assert (number, opened) == ("4", "4")
    # One of two faces with closed eyes was read as open, one of two with open eyes as closed.
    assert (found, false) == ("50", "50.0")
    assert float(labeled) < 0.03 < float(read)
