"""Drawn faces to try the apps on, and the comparison with an image that somebody has looked at."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facedots.data.synthetic_face import draw_face
from facedots.geometry import Floats, Image, tight_boxes
from facedots.io.images import read_image, write_image
from facedots.schema import IBUG68
from facedots.types import Face
from facedots.uncertainty import isotropic_covariance

REFERENCES = Path(__file__).parents[1] / "data"


def as_face(points: Floats, sigma: float = np.nan, score: float = 1.0) -> Face:
    """A face that was found exactly where it is."""
    given = np.asarray(points, np.float32)
    sigmas = np.full(len(given), sigma, np.float32)
    return Face(
        given,
        isotropic_covariance(sigmas),
        np.exp(-sigmas),
        tight_boxes(given[None])[0],
        score,
        IBUG68,
    )


@pytest.fixture(scope="session")
def two_faces() -> tuple[Image, list[Face]]:
    """An image with two drawn faces, one rolled, one rolled and turned and cut by the right border."""
    first, first_points = draw_face(np.random.default_rng(24))
    second, second_points = draw_face(np.random.default_rng(11))
    image = np.full((first.shape[0], first.shape[1] + 75, 3), 90, np.uint8)
    image[:, : first.shape[1]] = first
    image[30 : 30 + second.shape[0], first.shape[1] :] = second[:, :75]
    image.flags.writeable = False
    return image, [
        as_face(first_points),
        as_face(second_points + np.array([first.shape[1], 30], np.float32)),
    ]


@pytest.fixture
def assert_as_before() -> Callable[[Image, str], None]:
    """``assert_as_before(image, name)``: at half its size the image is that of
    ``tests/data/<name>.png``.

    With FACEDOTS_WRITE_REFERENCES set, the file is written instead: look at it before you commit
    it.
    """

    def compare(image: Image, name: str) -> None:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        small = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
        file = REFERENCES / f"{name}.png"
        if "FACEDOTS_WRITE_REFERENCES" in os.environ:
            write_image(file, small)
        gaps = np.abs(read_image(file).astype(int) - small)
        assert gaps.mean() < 1, f"{name}: the mean difference is {gaps.mean():.2f}"
        assert (gaps.max(axis=2) > 40).mean() < 0.005, f"{name}: parts of the image look different"

    return compare
