"""What covers faces: the points below are hidden, and no others."""

import numpy as np
import pytest

from facedots.analysis.shapes import MEAN_SHAPE
from facedots.data.dataset import Sample
from facedots.data.occluders import (
    FACE_OCCLUDERS,
    OCCLUDERS,
    Draw,
    OccludeFace,
    draw_glasses,
    draw_mask,
    draw_medical_mask,
)
from facedots.data.scenes import lower_face
from facedots.geometry import Floats, apply_affine, similarity
from facedots.schema import IBUG68

LIPS, NOSE_TIP, CHIN = list(range(48, 68)), 30, [6, 7, 8, 9, 10]
EYES_AND_BROWS = [*range(17, 28), *range(36, 48)]


def face(zoom: float = 50.0, roll: float = 0.0) -> Floats:
    return apply_affine(similarity(roll, zoom, (80, 65), (0, 0)), MEAN_SHAPE)


def noise(size: int = 160) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)


def drawn(draw: Draw, points: Floats, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image = noise()
    changed, covered = image.copy(), np.zeros(image.shape[:2], bool)
    draw(changed, covered, points, np.random.default_rng(seed))
    return image, changed, covered


@pytest.mark.parametrize("draw", FACE_OCCLUDERS)
def test_covered_is_where_the_image_changed(draw: Draw) -> None:
    for seed in range(12):
        image, changed, covered = drawn(draw, face(roll=seed * 15), seed)
        different = (image != changed).any(axis=2)
        assert covered.any()
        assert (different & covered).sum() > 0.9 * covered.sum()
        # Anti-aliased edges reach about a pixel beyond.
        grown = np.pad(covered, 2)
        near = np.any(
            [np.roll(grown, (y, x), (0, 1)) for y in (-2, -1, 0, 1, 2) for x in (-2, -1, 0, 1, 2)],
            axis=0,
        )
        assert not (different & ~near[2:-2, 2:-2]).any()


def test_masks_hide_mouth_and_chin_and_mostly_the_nose() -> None:
    noses, points = 0, face()
    for seed in range(60):
        _, _, covered = drawn(draw_mask, points, seed)
        columns, rows = points.round().astype(int).T
        hidden = covered[rows, columns]
        assert hidden[CHIN].all()
        assert hidden[LIPS].mean() > 0.9
        assert not hidden[EYES_AND_BROWS].any()
        noses += int(hidden[NOSE_TIP])
    assert 45 < noses < 60


def test_sunglasses_hide_eyes_clear_ones_do_not() -> None:
    shares, points = [], face()
    for seed in range(60):
        _, _, covered = drawn(draw_glasses, points, seed)
        columns, rows = points.round().astype(int).T
        hidden = covered[rows, columns]
        assert not hidden[LIPS].any()
        shares.append(hidden[36:48].mean())
    assert 0.5 < np.mean(np.array(shares) > 0.9) < 0.85
    assert np.mean(np.array(shares) < 0.5) > 0.15


def sample(points: Floats) -> Sample:
    return {"image": noise(), "keypoints": points, "visible": np.ones(len(points), np.float32)}


def test_hidden_points_keep_their_labels() -> None:
    given = sample(face()) | {"visible": np.where(np.arange(68) == 8, np.nan, 1).astype(np.float32)}
    before = given["image"].copy()
    hidden = np.zeros(68)
    for seed in range(60):
        result = OccludeFace(IBUG68, 1.0, generator=np.random.default_rng(seed))(given)
        np.testing.assert_array_equal(result["keypoints"], given["keypoints"])
        assert np.isnan(result["visible"][8])
        hidden += result["visible"] == 0
    assert (np.delete(hidden, 8) > 0).all()
    np.testing.assert_array_equal(given["image"], before)
    assert given["visible"][0] == 1


def test_the_seed_decides_and_a_sample_needs_no_visibility() -> None:
    given = sample(face())
    del given["visible"]
    for seed in range(20):
        first, second = (
            OccludeFace(IBUG68, 1.0, generator=np.random.default_rng(seed))(given) for _ in "ab"
        )
        np.testing.assert_array_equal(first["image"], second["image"])
        assert (first["image"] != given["image"]).any()
        assert "visible" not in first
    assert OccludeFace(IBUG68, 0.0)(given)["image"] is given["image"]


@pytest.mark.parametrize("known", [0, 2, 20])
def test_faces_without_all_points(known: int) -> None:
    points = np.where(np.arange(68)[:, None] < known, face(), np.nan).astype(np.float32)
    for seed in range(20):
        result = OccludeFace(IBUG68, 1.0, generator=np.random.default_rng(seed))(sample(points))
        assert (result["image"] != noise()).any() == (known == 20)


@pytest.mark.parametrize("draw", FACE_OCCLUDERS)
@pytest.mark.parametrize("zoom", [3.0, 60.0, 900.0])
@pytest.mark.parametrize("shift", [(0, 0), (-70, 60), (4000, 0)])
def test_tiny_and_huge_faces_and_those_beyond_the_border(
    draw: Draw, zoom: float, shift: tuple[int, int]
) -> None:
    for seed in range(6):
        _, changed, _ = drawn(draw, face(zoom) + np.array(shift, np.float32), seed)
        assert changed.shape == (160, 160, 3)


def test_the_finders_masks_are_the_same() -> None:
    image, covered = noise(), np.zeros((160, 160), bool)
    draw_medical_mask(image, covered, lower_face(face()), np.random.default_rng(0))
    _, same, _ = drawn(draw_mask, face(), 0)
    np.testing.assert_array_equal(image, same)
    assert set(OCCLUDERS) < set(FACE_OCCLUDERS)
