"""The second pass: its crop is upright and well placed whatever the first was, and it helps on a
real face that is turned.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.analysis.shapes import HEAD_MODEL
from facedots.errors import WeightsError
from facedots.geometry import (
    Floats,
    Image,
    Matrix,
    apply_affine,
    invert,
    similarity,
    tight_boxes,
    warp_image,
)
from facedots.inference.predictor import KeypointPredictor
from facedots.inference.session import SessionOutput
from facedots.schema import IBUG68, KeypointSchema

FRONTAL = HEAD_MODEL[:, :2].astype(np.float32)
BLACK = np.zeros((200, 300, 3), np.uint8)


class Oracle(KeypointPredictor):
    """Knows where the face is, and remembers which crops it was shown."""

    def __init__(self, truth: Floats, schema: KeypointSchema = IBUG68) -> None:
        super().__init__("tiny", refine=1)
        self.spec = replace(self.spec, schema=schema)
        self.truth, self.seen = truth, list[list[Matrix]]()

    def _batch(self, image: Image, maps: list[Matrix]) -> SessionOutput:
        self.seen.append(maps)
        count = len(maps)
        covariance = np.tile(np.eye(2, dtype=np.float32), (count, len(self.truth), 1, 1))
        return self._session.no_output(count)._replace(
            points=np.tile(self.truth, (count, 1, 1)),
            covariance=covariance,
            visibility=np.ones((count, len(self.truth)), np.float32),
            score=np.full(count, len(self.seen) / 2, np.float32),
        )


@given(
    st.floats(-180, 180), st.floats(20, 200), st.tuples(st.floats(-100, 400), st.floats(-100, 300))
)
def test_the_second_crop_is_upright_and_as_in_training(
    angle: float, zoom: float, place: tuple[float, float]
) -> None:
    face = apply_affine(similarity(angle, zoom, place, (0, 0)), FRONTAL).astype(np.float32)
    oracle = Oracle(face)
    found = oracle.predict(BLACK, [[10, 20, 60, 90]])
    assert np.array_equal(found.points[0], face)
    assert found.score.tolist() == [1.0], "the last pass scores"
    first, second = (maps[0] for maps in oracle.seen)
    assert first[0, 1] == first[1, 0] == 0
    seen = apply_affine(second, face)
    across = seen[45] - seen[36]
    assert across[0] > 0
    assert abs(across[1]) < 1e-3 * across[0]
    x0, y0, x1, y1 = tight_boxes(seen[None])[0]
    size = oracle.spec.input_size
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx([(size - 1) / 2] * 2, abs=0.01)
    assert max(x1 - x0, y1 - y0) * oracle.spec.crop.scale == pytest.approx(size, rel=1e-4)


def test_without_right_and_left_the_roll_stays() -> None:
    schema = KeypointSchema("hand", ("wrist", "tip"), {"all": (0, 1)}, (0, 1), ((0, 1),), (0, 1))
    oracle = Oracle(np.array([[20, 20], [60, 90]], np.float32), schema)
    oracle.predict(BLACK, [[0, 0, 50, 50]])
    assert oracle.seen[1][0][0, 1] == oracle.seen[1][0][1, 0] == 0


def test_points_that_fell_together_do_not_stop_it() -> None:
    oracle = Oracle(np.full((68, 2), 30, np.float32))
    assert np.isfinite(oracle.predict(BLACK, [[0, 0, 50, 50]]).points).all()
    assert np.isfinite(oracle.seen[1][0]).all()


def test_two_passes_bear_a_head_on_its_side_and_a_bad_box(hopper: Image) -> None:
    box = np.array([[188, 150, 345, 345]], np.float32)
    upright = KeypointPredictor("tiny", refine=1).predict(hopper, box).points[0]
    turn = similarity(80, 1, (0, 0), tuple(upright.mean(axis=0)))
    turned = warp_image(hopper, turn, hopper.shape[:2])
    loose = tight_boxes(apply_affine(turn, upright)[None]) + np.array([20, -15, 35, 10])
    errors = []
    for refine in (0, 1):
        points = apply_affine(
            invert(turn), KeypointPredictor("tiny", refine=refine).predict(turned, loose).points[0]
        )
        errors.append(
            np.linalg.norm(points - upright, axis=1).mean()
            / np.linalg.norm(upright[45] - upright[36])
        )
    assert errors[1] < 0.02 < errors[0]


def test_impossible_refine_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        KeypointPredictor("tiny", refine=-1)
    with pytest.raises(WeightsError, match="whole image"):
        KeypointPredictor("baseline", refine=1)


def test_right_to_left_is_read_from_the_names() -> None:
    def pair(names: tuple[str, str], flip: tuple[int, int]) -> tuple[int, int] | None:
        return KeypointSchema("s", names, {"all": (0, 1)}, flip, (), (0, 1)).right_to_left

    assert pair(("right_eye", "left_eye"), (1, 0)) == (0, 1)
    assert pair(("Left eye", "Right eye"), (1, 0)) == (1, 0)
    assert pair(("right_eye", "left_eye"), (0, 1)) is None
    assert pair(("east", "west"), (1, 0)) is None
