"""Evaluations made up of three points on a gray image."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from tests.faces import isotropic_covariance

from facedots.evaluation.context import EvalContext
from facedots.evaluation.result import Evaluation
from facedots.evaluation.slices import ATTRIBUTES
from facedots.io.images import write_image
from facedots.schema import KeypointSchema
from facedots.uncertainty import confidence

TRIO = KeypointSchema(
    "trio", ("right_eye", "left_eye", "chin"), {"eyes": (0, 1), "chin": (2,)}, (1, 0, 2), (), (0, 1)
)
CONTEXT = EvalContext(
    "haar", "/data", ("youtube-faces",), "official", "ab" * 32, trained_split="official"
)
POINTS = np.array([[10, 10], [20, 10], [15, 25]], np.float32)


@pytest.fixture(scope="session")
def gray_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces") / "face.png"
    write_image(path, np.full((40, 50, 3), 90, np.uint8))
    return path


@pytest.fixture(scope="session")
def make_evaluation(gray_image: Path) -> Callable[..., Evaluation]:
    """A function that makes N faces with an eye distance of 10 px.

    All points of face i are ``shifts[i]`` px to the right of its labels (NaN: missed); ``sigma`` is
    in pixels, for all or each; further arguments replace fields.
    """

    def make(shifts: ArrayLike, sigma: ArrayLike = np.nan, **fields: Any) -> Evaluation:
        moved = np.asarray(shifts, np.float32)
        count = len(moved)
        predicted = POINTS + moved[:, None, None] * np.array([1, 0], np.float32)
        predicted[np.isnan(moved)] = np.nan
        spread = np.where(
            np.isnan(moved), np.nan, np.broadcast_to(np.asarray(sigma, np.float32), count)
        )
        covariance = isotropic_covariance(np.repeat(spread[:, None], 3, axis=1))
        evaluation = Evaluation(
            name="corner",
            names=tuple(f"test/face_{i}.png" for i in range(count)),
            groups=tuple(f"person_{i // 2}" for i in range(count)),
            images=(gray_image,) * count,
            true=np.stack([POINTS] * count),
            predicted=np.asarray(predicted, np.float32),
            covariance=covariance,
            confidence=confidence(predicted, covariance, TRIO, None),
            score=np.where(np.isnan(moved), np.nan, 0.9).astype(np.float32),
            squares=np.tile([15, 17.5, 30], (count, 1)),
            attributes={attribute.name: np.linspace(0, 100, count) for attribute in ATTRIBUTES},
            skipped=(("test/bad.png", "cannot be read"),),
            schema=TRIO,
            context=CONTEXT,
        )
        return replace(evaluation, **fields)

    return make
