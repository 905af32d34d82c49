"""The order in which images go to people."""

import math

import numpy as np

from facedots.labeling.batch import most_uncertain_points, rank_by_uncertainty
from facedots.schema import KeypointSchema
from facedots.types import Face, ImageResult

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))


def face(*sigma: float, size: float = 10) -> Face:
    """A face of two points, ``size`` px apart, with these sigmas."""
    covariance = np.stack([np.eye(2, dtype=np.float32) * value**2 for value in sigma])
    points = np.array([(0, 0), (size, 0)], np.float32)
    return Face(
        points,
        covariance,
        np.full(2, np.nan, np.float32),
        np.array([0, 0, 9, 9], np.float32),
        0.9,
        PAIR,
    )


def image(name: str, *faces: Face) -> ImageResult:
    return ImageResult(name, 40, 30, faces)


def test_uncertainty_is_the_mean_sigma_in_percent_of_the_face() -> None:
    assert math.isclose(face(1, 3).uncertainty, 20, rel_tol=1e-5)
    assert math.isclose(face(1, 3, size=100).uncertainty, 2, rel_tol=1e-5)
    assert math.isclose(face(1, math.nan).uncertainty, 10, rel_tol=1e-5)
    assert face(math.nan, math.nan).uncertainty == math.inf


def test_images_without_a_face_come_first_and_the_surest_last() -> None:
    images = [
        image("sure", face(1, 1)),
        image("none"),
        image("mixed", face(0.1, 0.1), face(4, 4)),
        image("blind"),
    ]
    assert [result.source for result in rank_by_uncertainty(images)] == [
        "none",
        "blind",
        "mixed",
        "sure",
    ]
    assert math.isclose(images[2].uncertainty, 40, rel_tol=1e-5)


def test_the_most_uncertain_points_are_those_of_the_worst_face() -> None:
    assert most_uncertain_points(image("a", face(9, 1, size=1000), face(1, 2)), 1) == ["left"]
    assert most_uncertain_points(image("a", face(math.nan, 1))) == ["left", "right"]
    assert (
        most_uncertain_points(image("a", face(math.nan, math.nan)))
        == most_uncertain_points(image("a"))
        == []
    )
