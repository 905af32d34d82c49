"""A small data set with known faults, and a predictor of the true points."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from facedots.annotations.base import FaceAnnotation
from facedots.data.synthetic import random_head, random_rotation
from facedots.geometry import CropSpec, Image, Matrix
from facedots.io.images import write_image
from facedots.schema import IBUG68
from facedots.spec import ModelSpec
from facedots.types import Keypoints

WIDTH, HEIGHT = 100, 90
COUNT = 60


class Oracle:
    """Predicts the true points of an image by its number in the top left corner, or top right in a
    mirror image.

    Args:
        truth: ``(N, 68, 2)``, pixels.
        bias: How far right of the truth it always puts its points, pixels.
    """

    def __init__(self, truth: Matrix, bias: float = 0.0) -> None:
        self.truth, self.bias = truth, bias
        self.spec = ModelSpec("oracle", IBUG68, CropSpec("box", 1.0), 8, 3, (0.0,) * 3, (1.0,) * 3)

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        mirrored = not image[0, 0].any()
        points = self.truth[int(image[0, -1 if mirrored else 0, 0]) - 1]
        if mirrored:
            points = points[list(IBUG68.flip)] * (-1, 1) + (image.shape[1] - 1, 0)
        predicted = np.repeat(points[None] + (self.bias, 0), len(np.asarray(boxes)), axis=0).astype(
            np.float32
        )
        unknown = np.full(predicted.shape[:2], np.nan, np.float32)
        return Keypoints(
            predicted,
            np.full((*predicted.shape, 2), np.nan, np.float32),
            unknown,
            unknown[:, 0],
            IBUG68,
        )


@pytest.fixture(scope="session")
def truth() -> Matrix:
    """Points ``(60, 68, 2)`` of drawn people, in images of 100 x 90 px; eyes some 30 px apart."""
    rng = np.random.default_rng(5)
    heads = [
        random_head(rng) @ random_rotation(rng)[:2].T * rng.uniform(24, 32)
        + rng.uniform(-6, 6, 2)
        + (50, 35)
        for _ in range(COUNT)
    ]
    return np.stack(heads)


@pytest.fixture
def folder(tmp_path: Path, truth: Matrix) -> Path:
    """An image for each face: noise, with the face's number in its corner."""
    rng = np.random.default_rng(6)
    for i in range(len(truth)):
        coarse = rng.integers(30, 220, (9, 10, 3), dtype=np.uint8)
        image = np.kron(coarse, np.ones((10, 10, 1), np.uint8))
        image[0, 0], image[0, -1] = i + 1, 0
        write_image(tmp_path / "images" / f"p{i:02}.png", image)
    return tmp_path / "images"


@pytest.fixture
def annotate(folder: Path) -> Callable[[Matrix], list[FaceAnnotation]]:
    """Labels as annotations of the images."""

    def made(labels: Matrix) -> list[FaceAnnotation]:
        blank = FaceAnnotation(folder, np.zeros((68, 2), np.float32), "")
        return [
            replace(
                blank,
                image=folder / f"p{i:02}.png",
                points=points.astype(np.float32),
                name=f"p{i:02}.png",
            )
            for i, points in enumerate(labels)
        ]

    return made


@pytest.fixture
def oracle(truth: Matrix) -> Oracle:
    return Oracle(truth)


@pytest.fixture
def biased(truth: Matrix) -> Oracle:
    """An oracle that puts all points 2 px too far right."""
    return Oracle(truth, bias=2.0)
