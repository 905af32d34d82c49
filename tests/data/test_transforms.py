"""The textbook transforms: points move with the image, the input never changes."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facedots.data.dataset import Sample
from facedots.data.transforms import (
    CenterCrop,
    Compose,
    Normalize,
    RandomCrop,
    Rescale,
    ToTensor,
    denormalize_keypoints,
    normalize_keypoints,
)
from facedots.errors import ImageError, ShapeError
from facedots.geometry import apply_affine, invert

SIDES = st.integers(60, 260)
SEEDS = st.integers(0, 2**32 - 1)
FRACTIONS = st.floats(0.3, 0.7)


def dot_sample(height: int, width: int, x: float, y: float, sigma: float = 4.0) -> Sample:
    """A black image with one bright dot, and the point that says where it is."""
    rows, columns = np.mgrid[:height, :width]
    bell = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    image = np.repeat((255 * bell).round().astype(np.uint8)[..., None], 3, axis=2)
    return {
        "image": image,
        "keypoints": np.array([[x, y]], np.float32),
        "name": "dot",
        "label_bias_x": 0.0,
    }


def centroid(image: NDArray[Any]) -> NDArray[np.float64]:
    """The center of brightness (x, y)."""
    gray = image.reshape(*image.shape[:2], -1).sum(axis=2, dtype=np.float64)
    rows, columns = np.mgrid[: gray.shape[0], : gray.shape[1]]
    return np.asarray([(columns * gray).sum(), (rows * gray).sum()], np.float64) / float(gray.sum())


def noise_sample(
    height: int = 90, width: int = 120, dtype: type = np.uint8, channels: int = 3
) -> Sample:
    random = np.random.default_rng(5)
    image = random.integers(0, 256, (height, width, channels), np.uint8)
    points = random.uniform(-10, 130, (68, 2)).astype(np.float32)
    return {
        "image": image if dtype is np.uint8 else (image / 255).astype(dtype),
        "keypoints": points,
        "name": "n",
        "label_bias_x": 1.2,
    }


@given(SIDES, SIDES, FRACTIONS, FRACTIONS, st.one_of(SIDES, st.tuples(SIDES, SIDES)))
@settings(max_examples=60, deadline=None)
def test_rescale_moves_dot_and_point_alike_and_back(
    height: int, width: int, fx: float, fy: float, size: int | tuple[int, int]
) -> None:
    sample = dot_sample(height, width, fx * width, fy * height)
    result = Rescale(size)(sample)
    assert np.abs(centroid(result["image"]) - result["keypoints"][0]).max() < 0.5
    there_and_back = Rescale((height, width))(result)
    np.testing.assert_allclose(there_and_back["keypoints"], sample["keypoints"], atol=1e-3)
    np.testing.assert_allclose(
        apply_affine(invert(result["matrix"]), result["keypoints"]), sample["keypoints"], atol=1e-3
    )


def test_rescale_sizes_and_edges() -> None:
    sample = noise_sample(90, 120)
    sample["keypoints"] = np.array([[-0.5, -0.5], [119.5, 89.5], [59.5, 44.5]], np.float32)
    assert Rescale(45)(sample)["image"].shape == (45, 60, 3)
    twice = Rescale((180, 60))(sample)
    assert twice["image"].shape == (180, 60, 3)
    assert twice["keypoints"].tolist() == [[-0.5, -0.5], [59.5, 179.5], [29.5, 89.5]]
    sample["image"] = sample["image"][..., :1]
    assert Rescale(200)(sample)["image"].shape == (200, 267, 1)


def test_rescale_averages_where_it_shrinks() -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    shrunk = Rescale((16, 64))({"image": board, "keypoints": np.zeros((1, 2), np.float32)})["image"]
    assert np.abs(shrunk.astype(int) - 127).max() <= 1


@given(FRACTIONS, FRACTIONS, SEEDS)
@settings(max_examples=30, deadline=None)
def test_random_crop_moves_dot_and_point_alike_and_back(fx: float, fy: float, seed: int) -> None:
    sample = dot_sample(200, 180, fx * 180, fy * 200, sigma=2.0)
    result = RandomCrop((170, 160), generator=np.random.default_rng(seed))(sample)
    assert result["image"].shape == (170, 160, 3)
    assert np.abs(centroid(result["image"]) - result["keypoints"][0]).max() < 0.5
    np.testing.assert_allclose(
        apply_affine(invert(result["matrix"]), result["keypoints"]), sample["keypoints"], atol=1e-3
    )


def test_random_crop_reaches_every_place_and_repeats() -> None:
    sample = noise_sample(12, 11)
    crop = RandomCrop(10, generator=np.random.default_rng(0))
    places = [tuple(crop(sample)["matrix"][:, 2]) for _ in range(200)]
    assert set(places) == {(-x, -y) for x in range(2) for y in range(3)}
    again = RandomCrop(10, generator=np.random.default_rng(0))
    assert places == [tuple(again(sample)["matrix"][:, 2]) for _ in range(200)]


def test_center_crop_takes_the_middle() -> None:
    sample = noise_sample(9, 12)
    result = CenterCrop((5, 4))(sample)
    np.testing.assert_array_equal(result["image"], sample["image"][2:7, 4:8])
    np.testing.assert_array_equal(
        result["keypoints"], sample["keypoints"] - np.array([4, 2], np.float32)
    )


@pytest.mark.parametrize("crop", [RandomCrop(100), CenterCrop((50, 200))])
def test_crop_of_a_small_image_is_refused(crop: RandomCrop | CenterCrop) -> None:
    with pytest.raises(ShapeError, match=r"out of 90 x 120: put a Rescale"):
        crop(noise_sample(90, 120))


@given(SIDES, SIDES, SEEDS)
@settings(deadline=None)
def test_normalized_points_return_exactly(height: int, width: int, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-50, 300, (68, 2)).astype(np.float32)
    back = denormalize_keypoints(normalize_keypoints(points, (height, width)), (height, width))
    np.testing.assert_allclose(back, points, atol=1e-4)


def test_normalize_gives_the_same_for_every_kind_of_image() -> None:
    sample = noise_sample()
    image = sample["image"]
    alpha = np.full((*image.shape[:2], 1), 77, np.uint8)
    wanted = Normalize()(sample)["image"]
    assert wanted.dtype == np.float32
    assert wanted.shape == image.shape[:2]
    np.testing.assert_allclose(wanted, (image / 255) @ [0.299, 0.587, 0.114], atol=1e-3)
    for same in (
        image / 255,
        (image / 255).astype(np.float32),
        np.dstack([image, alpha]),
        np.dstack([image / 255, alpha / 255]),
        wanted,
        wanted[..., None],
    ):
        np.testing.assert_allclose(
            Normalize()({**sample, "image": same})["image"], wanted, atol=1e-6
        )


def test_normalize_of_gray_bytes() -> None:
    gray = np.array([[0, 51], [102, 255]], np.uint8)
    result = Normalize()({"image": gray, "keypoints": np.array([[0.5, 0.5]])})
    np.testing.assert_allclose(result["image"], [[0, 0.2], [0.4, 1]], atol=1e-7)
    assert result["keypoints"].tolist() == [[0, 0]]


@pytest.mark.parametrize(
    "image",
    [
        np.full((4, 4, 3), 200.0),
        np.full((4, 4, 3), -0.5),
        np.full((4, 4, 3), np.nan),
        np.zeros((4, 4, 3), np.int32),
        np.zeros((4, 4, 2), np.uint8),
    ],
)
def test_normalize_refuses_what_it_cannot_read(image: NDArray[Any]) -> None:
    with pytest.raises(ImageError, match="image must"):
        Normalize()({"image": image, "keypoints": np.zeros((68, 2), np.float32)})


@pytest.mark.parametrize("kind", [np.uint16, np.int32, bool])
def test_to_tensor_refuses_images_whose_range_is_not_known(kind: type) -> None:
    with pytest.raises(ImageError, match="uint8 or float, not"):
        ToTensor()({"image": np.zeros((4, 4, 3), kind), "keypoints": np.zeros((68, 2))})


def test_to_tensor() -> None:
    sample = noise_sample(8, 6)
    result = ToTensor()(sample)
    assert result["image"].shape == (3, 8, 6)
    assert result["image"].dtype == result["keypoints"].dtype == torch.float32
    np.testing.assert_allclose(result["image"][1].numpy(), sample["image"][..., 1] / 255, atol=1e-6)
    gray = ToTensor()(Normalize()(sample))
    assert gray["image"].shape == (1, 8, 6)
    np.testing.assert_array_equal(gray["image"][0].numpy(), Normalize()(sample)["image"])


def test_textbook_chain_leads_back_to_the_frame() -> None:
    sample = noise_sample(180, 200)
    chain = Compose(
        [Rescale(250), RandomCrop(224, generator=np.random.default_rng(1)), Normalize(), ToTensor()]
    )
    result = chain(sample)
    assert result["image"].shape == (1, 224, 224)
    assert 0 <= result["image"].min() < result["image"].max() <= 1
    assert result["name"] == "n"
    pixels = denormalize_keypoints(result["keypoints"], (224, 224))
    np.testing.assert_allclose(
        apply_affine(invert(result["matrix"]), pixels), sample["keypoints"], atol=1e-3
    )
    assert "RandomCrop(size=224)" in repr(chain)


@pytest.mark.parametrize(
    "transform",
    [
        Rescale(50),
        Rescale((90, 120)),
        RandomCrop(50),
        CenterCrop(50),
        Normalize(),
        ToTensor(),
        Compose([]),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_input_never_changes(transform: Any, dtype: type) -> None:
    sample = noise_sample(dtype=dtype)
    before = {
        key: np.copy(value) if isinstance(value, np.ndarray) else value
        for key, value in sample.items()
    }
    result = transform(sample)
    for key in ("image", "keypoints"):
        if result[key] is not sample[key]:
            result[key][:] = 0
    result["name"] = "other"
    assert sample.keys() == before.keys()
    for key, value in before.items():
        np.testing.assert_array_equal(sample[key], value)
