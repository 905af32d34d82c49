"""Random crops and photometric augmentation: points move with the image; determinism."""

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facedots.data.augment import Crop, RandomAffine, mirror_points, training_augmentation
from facedots.data.dataset import Sample
from facedots.data.photometric import (
    Blur,
    ColorJitter,
    JpegCompression,
    LowResolution,
    Noise,
    Photometric,
    RandomErasing,
    UnevenLighting,
    motion_kernel,
)
from facedots.errors import DataError
from facedots.geometry import CropSpec, apply_affine, invert, tight_boxes
from facedots.schema import IBUG68, KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left", "chin"), {"face": (0, 1, 2)}, (1, 0, 2), (), (0, 1))
FRAMING = CropSpec("box", 1.4)
SEEDS = st.integers(0, 2**32 - 1)
PHOTOMETRIC: list[type[Photometric]] = [
    ColorJitter,
    UnevenLighting,
    Blur,
    LowResolution,
    Noise,
    RandomErasing,
    JpegCompression,
]


def face_sample(height: int = 240, width: int = 300) -> Sample:
    """Three dots in red, green and blue on black, one for each point of ``PAIR``."""
    points = np.array([[110.3, 90.6], [185.2, 84.1], [150.7, 161.4]], np.float32)
    rows, columns = np.mgrid[:height, :width]
    bells = [np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18) for x, y in points]
    image = (255 * np.stack(bells, axis=2)).round().astype(np.uint8)
    return {"image": image, "keypoints": points, "name": "drawn", "label_bias_x": 0.0}


def centroids(image: NDArray[Any]) -> NDArray[np.float64]:
    """The center of brightness (x, y) of each channel."""
    weights = image.astype(np.float64)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    sums = weights.sum(axis=(0, 1))
    return np.stack(
        [np.einsum("hw,hwc->c", grid, weights) / sums for grid in (columns, rows)], axis=1
    )


def same(first: Sample, second: Sample) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(first[key], second[key]) for key in first
    )


def random_face(size: tuple[int, int] = (200, 220)) -> Sample:
    random = np.random.default_rng(2)
    image = cv2.GaussianBlur(random.integers(0, 256, (*size, 3), np.uint8), (0, 0), 2)
    points = random.uniform(60, 150, (68, 2)).astype(np.float32)
    return {"image": np.asarray(image), "keypoints": points, "name": "r", "label_bias_x": 1.2}


@given(st.integers(48, 256), st.sampled_from(["box", "frame"]), st.floats(1.3, 2.0))
@settings(max_examples=40, deadline=None)
def test_crop_moves_dots_and_points_alike_and_back(size: int, kind: Any, scale: float) -> None:
    sample = face_sample()
    result = Crop(CropSpec(kind, scale), size)(sample)
    assert result["image"].shape == (size, size, 3)
    assert np.abs(centroids(result["image"]) - result["keypoints"]).max() < 0.5
    np.testing.assert_allclose(
        apply_affine(invert(result["matrix"]), result["keypoints"]), sample["keypoints"], atol=1e-3
    )


def test_crop_is_around_the_box() -> None:
    sample = face_sample()
    around_points = Crop(CropSpec("box", 1.0), 101)(sample)
    box = tight_boxes(around_points["keypoints"][None])[0]
    assert (box[2:] - box[:2]).max() == pytest.approx(101, abs=1e-3)
    assert (box[:2] + box[2:]).tolist() == pytest.approx([100, 100], abs=1e-3)
    given_box = Crop(CropSpec("box", 1.0), 50)(
        {**sample, "box": np.array([100, 100, 200, 180], np.float32)}
    )
    assert apply_affine(given_box["matrix"], [[100, 90], [200, 190]]).round(4).tolist() == [
        [-0.5, -0.5],
        [49.5, 49.5],
    ]


def test_a_face_without_points_is_refused() -> None:
    sample = {**face_sample(), "keypoints": np.full((3, 2), np.nan, np.float32)}
    for crop in (Crop(FRAMING, 64), RandomAffine(FRAMING, 64, PAIR)):
        with pytest.raises(DataError, match="drawn: no labeled point"):
            crop(sample)


def test_missing_points_stay_missing() -> None:
    sample = face_sample()
    sample["keypoints"][1] = np.nan
    result = RandomAffine(FRAMING, 64, PAIR, p_flip=1.0)(sample)
    assert np.isnan(result["keypoints"]).all(axis=1).tolist() == [True, False, False]


@given(SEEDS, st.sampled_from([0.0, 1.0]), st.sampled_from(["box", "frame"]), st.floats(0, 180))
@settings(max_examples=60, deadline=None)
def test_random_affine_moves_dots_and_points_alike_and_back(
    seed: int, flip: float, kind: Any, rotate: float
) -> None:
    sample = face_sample()
    generator = np.random.default_rng(seed)
    affine = RandomAffine(
        CropSpec(kind, 1.8), 128, PAIR, rotate=rotate, shift=0.02, p_flip=flip, generator=generator
    )
    result = affine(sample)
    dots = centroids(result["image"])
    if flip:
        dots = dots[list(PAIR.flip)]
    assert np.abs(dots - result["keypoints"]).max() < 0.5
    back = apply_affine(invert(result["matrix"]), result["keypoints"])
    np.testing.assert_allclose(
        back[list(PAIR.flip)] if flip else back, sample["keypoints"], atol=1e-3
    )


@given(st.floats(-170, 170))
@settings(max_examples=20, deadline=None)
def test_a_rolled_face_is_cropped_as_by_a_detector(angle: float) -> None:
    affine = RandomAffine(
        CropSpec("box", 1.5), 100, PAIR, rotate=abs(angle), p_wide=0, zoom=(1, 1), shift=0
    )
    box = tight_boxes(affine(face_sample())["keypoints"][None])[0]
    assert (box[2:] - box[:2]).max() == pytest.approx(100 / 1.5, abs=1e-2)
    assert (box[:2] + box[2:]).tolist() == pytest.approx([99, 99], abs=1e-2)


def test_random_affine_without_randomness_is_the_crop() -> None:
    sample = random_face()
    plain = RandomAffine(FRAMING, 96, IBUG68, rotate=0, p_wide=0, zoom=(1, 1), shift=0, p_flip=0)(
        sample
    )
    crop = Crop(FRAMING, 96)(sample)
    np.testing.assert_allclose(plain["keypoints"], crop["keypoints"], atol=1e-3)
    assert np.abs(plain["image"].astype(int) - crop["image"]).max() <= 2


def test_ranges_are_kept_and_reached() -> None:
    affine = RandomAffine(
        CropSpec("frame", 1.0),
        100,
        PAIR,
        20,
        90,
        0.3,
        (0.8, 1.25),
        0.1,
        0.5,
        generator=np.random.default_rng(4),
    )
    sample = face_sample(100, 100)
    matrices = [affine(sample)["matrix"] for _ in range(600)]
    mirrored = np.array([np.linalg.det(m[:, :2]) < 0 for m in matrices])
    zooms = np.array([np.sqrt(abs(np.linalg.det(m[:, :2]))) for m in matrices])
    angles = np.array(
        [
            np.rad2deg(np.arctan2(m[1, 0] * (-1 if flip else 1), m[1, 1]))
            for m, flip in zip(matrices, mirrored, strict=True)
        ]
    )
    shifts = np.array([m @ [49.5, 49.5, 1] - 49.5 for m in matrices]) / zooms[:, None] / 100
    assert 0.42 < mirrored.mean() < 0.58
    assert (zooms.min(), zooms.max()) == pytest.approx((0.8, 1.25), abs=0.01)
    assert np.median(zooms) == pytest.approx(1, abs=0.03)
    assert 60 < np.abs(angles).max() <= 90
    assert (
        0.15 < (np.abs(angles) > 20).mean() < 0.32
    )  # 0.3 of the wide, of which 70/90 lie beyond 20 degrees: 0.233
    assert np.abs(shifts).max() == pytest.approx(0.1, abs=0.01)


def test_mirror_points_keeps_the_label_bias() -> None:
    # The eyes are truly at 20 and 70 of an image 100 wide; the labels sit 1.5 to their right.
    labels = [[21.5, 40], [71.5, 41], [46.5, 80]]
    assert mirror_points(labels, 100, PAIR, 1.5).tolist() == [[30.5, 41], [80.5, 40], [55.5, 80]]


@given(SEEDS, st.integers(1, 500), st.floats(-3, 3))
def test_mirrored_twice_is_the_same(seed: int, width: int, shift: float) -> None:
    points = np.random.default_rng(seed).uniform(-20, 500, (68, 2)).astype(np.float32)
    twice = mirror_points(mirror_points(points, width, IBUG68, shift), width, IBUG68, shift)
    np.testing.assert_allclose(twice, points, atol=1e-3)


def test_random_affine_mirrors_about_the_biased_axis() -> None:
    sample = {**face_sample(), "label_bias_x": 6.0}
    sample["keypoints"][:, 0] += 6.0
    generator = np.random.default_rng(0)
    result = RandomAffine(FRAMING, 128, PAIR, rotate=0, p_wide=0, p_flip=1.0, generator=generator)(
        sample
    )
    zoom = result["matrix"][1, 1]
    off = result["keypoints"] - centroids(result["image"])[list(PAIR.flip)]
    np.testing.assert_allclose(off, np.tile([6.0 * zoom, 0], (3, 1)), atol=0.3)


@pytest.mark.parametrize("kind", PHOTOMETRIC)
def test_photometric_changes_the_image_alone_and_repeatably(kind: type[Photometric]) -> None:
    sample = Crop(FRAMING, 64)(random_face())
    before = {key: np.copy(value) for key, value in sample.items()}
    results = [kind(generator=np.random.default_rng(seed))(sample) for seed in (0, 0, 1)]
    assert same(sample, before)
    assert same(results[0], results[1])
    assert not np.array_equal(results[0]["image"], results[2]["image"])
    for result in results:
        assert result["image"].shape == (64, 64, 3)
        assert result["image"].dtype == np.uint8
        assert not np.array_equal(result["image"], sample["image"])
        assert same({**result, "image": sample["image"]}, sample)


def test_erased_points_are_hidden_and_others_stay_as_they_are() -> None:
    raster = np.stack(np.meshgrid(np.arange(0, 64, 4), np.arange(0, 64, 4)), -1).reshape(-1, 2)
    points = np.array([*raster, [90, 5], [-9, 5], [np.nan, np.nan]], np.float32)
    image = np.zeros((64, 64, 3), np.uint8)
    visible = np.array([1, np.nan] * 128 + [1, 1, np.nan], np.float32)
    sample = {"image": image, "keypoints": points, "visible": visible}
    erasing = RandomErasing(generator=np.random.default_rng(0))
    hidden = 0
    for _ in range(20):
        result = erasing(sample)
        columns, rows = points[:256].astype(int).T
        painted = (result["image"][rows, columns] > 0).any(axis=1)
        shown = result["visible"]
        assert (shown[:256][painted] != 1).all()
        assert np.array_equal(np.isnan(shown), np.isnan(visible))
        assert shown[256:258].tolist() == [1, 1]
        hidden += int((shown == 0).sum())
    assert 50 < hidden < 20 * 128 / 2
    assert np.nanmin(visible) == 1


def test_a_mirror_image_swaps_what_is_visible() -> None:
    sample = face_sample() | {"visible": np.array([0, 1, np.nan], np.float32)}
    for p_flip, expected in ((0.0, [0, 1, np.nan]), (1.0, [1, 0, np.nan])):
        result = RandomAffine(FRAMING, 64, PAIR, p_flip=p_flip)(sample)
        np.testing.assert_array_equal(result["visible"], expected)


@pytest.mark.parametrize("kind", PHOTOMETRIC)
def test_probability_zero_leaves_the_image(kind: type[Photometric]) -> None:
    sample = Crop(FRAMING, 64)(random_face())
    result = kind(p=0.0)(sample)
    assert result is not sample
    assert same(result, sample)


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_blur_and_low_resolution_move_nothing(seed: int) -> None:
    sample = Crop(CropSpec("box", 2.0), 128)(face_sample())
    for kind in (Blur, LowResolution):
        image = kind(generator=np.random.default_rng(seed))(sample)["image"]
        assert np.abs(centroids(image) - sample["keypoints"]).max() < 0.5


@given(st.floats(1, 15), st.floats(0, np.pi))
def test_motion_kernel_is_centered_and_sums_to_one(length: float, angle: float) -> None:
    kernel = motion_kernel(length, angle)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(kernel, kernel[::-1, ::-1])


def test_noise_has_its_standard_deviation() -> None:
    gray: Sample = {
        "image": np.full((128, 128, 3), 128, np.uint8),
        "keypoints": np.zeros((1, 2), np.float32),
    }
    noisy = Noise(sigma=(10.0, 10.0))(gray)["image"].astype(float)
    assert noisy.std() == pytest.approx(10, rel=0.05)
    assert noisy.mean() == pytest.approx(128, abs=0.5)


def test_training_augmentation_repeats_with_its_generator() -> None:
    sample = random_face()
    before = {key: np.copy(value) for key, value in sample.items()}
    first, second, other = (
        training_augmentation(FRAMING, 96, IBUG68, np.random.default_rng(seed))
        for seed in (3, 3, 4)
    )
    a, b, c = ([chain(sample) for _ in range(12)] for chain in (first, second, other))
    assert all(same(x, y) for x, y in zip(a, b, strict=True))
    assert not any(same(x, y) for x, y in zip(a, c, strict=True))
    assert len({x["image"].tobytes() for x in a}) == 12
    assert all(x["image"].shape == (96, 96, 3) and x["keypoints"].dtype == np.float32 for x in a)
    assert same(sample, before)


def test_strength_zero_is_the_plain_crop() -> None:
    sample = random_face()
    plain = training_augmentation(FRAMING, 96, IBUG68, np.random.default_rng(0), strength=0)
    assert same(plain(sample), Crop(FRAMING, 96)(sample))


@pytest.mark.parametrize("kind", ["box", "frame"])
def test_crops_without_a_face_have_no_points_and_are_far_from_the_face(kind: Any) -> None:
    sample = face_sample()
    affine = RandomAffine(
        CropSpec(kind, 1.2),
        64,
        PAIR,
        rotate=0,
        p_wide=0,
        p_flip=0,
        p_negative=1.0,
        generator=np.random.default_rng(0),
    )
    plain = Crop(CropSpec(kind, 1.2), 64)(sample)["matrix"]
    for _ in range(50):
        result = affine(sample)
        assert result["face"] == 0.0
        assert np.isnan(result["keypoints"]).all()
        zoom = result["matrix"][0, 0] / plain[0, 0]
        aside = (
            np.linalg.norm(
                apply_affine(result["matrix"], apply_affine(invert(plain), [[31.5, 31.5]])) - 31.5
            )
            / 64
        )
        assert zoom > 2.1 or zoom < 1 / 2.1 or aside > 0.44


def test_bad_boxes_reach_further_than_the_others() -> None:
    sample = face_sample()
    crop_spec = CropSpec("box", 1.2)
    plain = Crop(crop_spec, 64)(sample)["keypoints"]
    for p_bad_box, least, most in ((0.0, 0.0, 0.011), (1.0, 0.1, 0.151)):
        affine = RandomAffine(
            crop_spec,
            64,
            PAIR,
            rotate=0,
            p_wide=0,
            p_flip=0,
            zoom=(1.0, 1.0),
            shift=0.01,
            p_bad_box=p_bad_box,
        )
        affine.bad_box_zoom, affine.generator = (1.0, 1.0), np.random.default_rng(0)
        moves = np.array([affine(sample)["keypoints"][0] - plain[0] for _ in range(60)]) / 64
        assert least <= np.abs(moves).max() <= most
