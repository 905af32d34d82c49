from collections.abc import Callable

import cv2
import numpy as np
import pytest

from facedots.analysis.shapes import MEAN_SHAPE
from facedots.effects.base import Effect
from facedots.effects.makeup import Blush, Brows, Lips, face_unit, soft_mask, tint
from facedots.geometry import Image, apply_affine, similarity
from facedots.regions import Mask
from facedots.types import Face

SQUARE = np.array([(10, 10), (29, 10), (29, 29), (10, 29)])


def grown(mask: Mask, pixels: int) -> Mask:
    return np.asarray(
        cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1)))
    ).astype(bool)


def test_soft_masks_by_hand() -> None:
    hard = soft_mask([SQUARE], 0, (0, 0, 40, 40))
    assert hard[15, 15] == 1
    assert hard[15, 32] == hard[5, 15] == 0
    soft = soft_mask([SQUARE], 2, (0, 0, 40, 40))
    assert soft[20, 20] == pytest.approx(1, abs=0.01)
    assert soft[20, 30] == pytest.approx(0.5, abs=0.11), "half at the border, which is a pixel wide"
    assert (np.diff(soft[20, 20:38]) <= 0).all()
    assert soft.sum() == pytest.approx(hard.sum(), rel=0.01)


def test_a_soft_mask_does_not_depend_on_the_frame() -> None:
    whole = soft_mask([SQUARE], 3, (0, 0, 40, 40))
    assert soft_mask([SQUARE], 3, (20, 12, 33, 40)) == pytest.approx(whole[12:40, 20:33], abs=1e-3)


def test_tint_moves_hue_and_keeps_texture() -> None:
    rng = np.random.default_rng(0)
    image = (np.full((40, 40, 3), 128) + rng.integers(-20, 20, (40, 40, 1))).astype(np.uint8)
    before = image.copy()
    tint(image, [SQUARE], 0.5, (200, 0, 0), strength=1.0)
    assert (image[:8] == before[:8]).all()
    inside = np.s_[13:27, 13:27]
    lab = cv2.cvtColor(image[inside].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    paint = cv2.cvtColor(np.array([[(200, 0, 0)]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    assert lab[..., 1].mean() == pytest.approx(paint[1], abs=12), "what no screen can show is cut"
    old = cv2.cvtColor(before[inside].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    assert np.corrcoef(lab[..., 0].ravel(), old[..., 0].ravel())[0, 1] > 0.95
    assert lab[..., 0].mean() == pytest.approx((old[..., 0].mean() + paint[0]) / 2, abs=2)


def test_no_strength_no_change_and_holes_stay() -> None:
    image = np.full((40, 40, 3), (180, 140, 120), np.uint8)
    before = image.copy()
    tint(image, [SQUARE], 1, (255, 0, 0), strength=0)
    assert np.abs(image.astype(int) - before).max() <= 1, "there and back through Lab"
    tint(image, [SQUARE, SQUARE * 0.5 + 9.75], 0.3, (255, 0, 0), strength=0.8)
    assert np.abs(image[20, 20].astype(int) - before[20, 20]).max() <= 1
    assert image[12, 12, 1] < 110
    outside = image.copy()
    tint(image, [SQUARE + 500], 1, (255, 0, 0), strength=1)
    assert (image == outside).all()


def test_within_ends_the_paint() -> None:
    image = np.full((40, 40, 3), 128, np.uint8)
    half = np.array([(0, 0), (19, 0), (19, 40), (0, 40)])
    tint(image, [SQUARE], 0.5, (255, 0, 0), strength=1, within=[half])
    assert image[20, 15, 1] < 90
    assert (image[20, 23:] == 128).all()


def test_a_profile_is_as_large_as_a_face_from_the_front() -> None:
    assert face_unit(MEAN_SHAPE * 80) == pytest.approx(80, rel=1e-4)
    assert face_unit(
        apply_affine(similarity(35, 80, (5, 9), (0, 0)), MEAN_SHAPE * (0.3, 1))
    ) == pytest.approx(80, rel=1e-3)


def test_make_up_stays_where_it_belongs(two_faces: tuple[Image, list[Face]]) -> None:
    image, faces = two_faces
    size = (image.shape[0], image.shape[1])
    effects: list[tuple[Effect, tuple[str, ...]]] = [
        (Lips(), ("lips",)),
        (Brows(), ("right_brow", "left_brow")),
        (Blush(), ("face",)),
    ]
    for effect, names in effects:
        changed = (effect(image, faces) != image).any(axis=2)
        allowed = np.any(
            [grown(face.mask(name, size), 5) for face in faces for name in names], axis=0
        )
        assert changed.any()
        assert not (changed & ~allowed).any(), names


def test_every_face_gets_it_and_nothing_else_changes(two_faces: tuple[Image, list[Face]]) -> None:
    image, faces = two_faces
    before = image.copy()
    painted = Lips()(image, faces)
    for face in faces:
        lips = face.mask("lips", (image.shape[0], image.shape[1]))
        redder = painted[lips].mean(axis=0) - image[lips].mean(axis=0)
        assert redder[0] - redder[1] > 15
    assert (image == before).all()
    assert (Blush()(image, []) == image).all()


def test_make_up_looks_as_before(
    two_faces: tuple[Image, list[Face]], assert_matches_reference: Callable[[Image, str], None]
) -> None:
    image, faces = two_faces
    for effect in (Blush(strength=0.8), Lips(), Brows()):
        image = effect(image, faces)
    assert_matches_reference(image, "effect_makeup")
