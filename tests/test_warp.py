import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facedots.geometry import Floats, Image, apply_affine, crop_matrix, similarity, warp_image


def dot(height: int, width: int, center: tuple[float, float], sigma: float) -> Image:
    """A black image with one soft white dot."""
    y, x = np.mgrid[:height, :width]
    distance = (x - center[0]) ** 2 + (y - center[1]) ** 2
    return np.asarray(np.rint(255 * np.exp(-distance / (2 * sigma**2))), np.uint8)


def center_of_mass(image: Image) -> Floats:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weights = image.astype(np.float64)
    return np.array([(x * weights).sum(), (y * weights).sum()], np.float32) / np.float32(
        weights.sum()
    )


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-180, 180),
    st.floats(0.06, 3),
    st.tuples(st.floats(60, 240), st.floats(60, 180)),
    st.tuples(st.integers(200, 301), st.integers(200, 301)),
)
def test_a_dot_lands_where_its_point_goes(
    angle: float, zoom: float, center: tuple[float, float], size: tuple[int, int]
) -> None:
    width, height = size
    assume(center[0] < width - 30 and center[1] < height - 30)
    # The dot stays some pixels wide after shrinking, so that its center can be measured.
    image = dot(height, width, center, sigma=max(1.5, 1.5 / zoom) if zoom > 0.15 else 12)
    matrix = similarity(angle, zoom, (64 - center[0] + 0.3, 64 - center[1] - 0.2), center)
    warped = warp_image(image, matrix, (128, 128))
    (expected,) = apply_affine(matrix, [center])
    np.testing.assert_allclose(center_of_mass(warped), expected, atol=0.25)


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 1), (40, 60, 3)])
def test_size_type_and_channels(shape: tuple[int, ...]) -> None:
    warped = warp_image(np.full(shape, 200, np.uint8), crop_matrix((30, 20, 30), 16), (16, 16))
    assert warped.shape == (16, 16, *shape[2:])
    assert warped.dtype == np.uint8
    assert warped.min() == warped.max() == 200


def test_the_result_has_the_height_and_width_asked_for() -> None:
    assert warp_image(
        np.zeros((9, 9, 3), np.uint8), similarity(0, 1, (0, 0), (0, 0)), (5, 7)
    ).shape == (5, 7, 3)


def test_outside_the_image_is_black() -> None:
    warped = warp_image(np.full((10, 10, 3), 255, np.uint8), crop_matrix((0, 0, 20), 20), (20, 20))
    assert warped[:9].max() == warped[:, :9].max() == 0
    assert warped[10:19, 10:19].min() == 255
    assert (
        0 < warped[19, 12, 0] < 255
    )  # Half a pixel beyond the last center: mixed with the outside.


def test_a_plain_shift_keeps_every_value() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    warped = warp_image(image, similarity(0, 1, (-4, -2), (0, 0)), (10, 12))
    assert (warped == image[2:12, 4:16]).all()


def test_shrinking_averages_and_does_not_pick_pixels() -> None:
    stripes = np.zeros((256, 256), np.uint8)
    stripes[:, ::2] = 255
    warped = warp_image(stripes, crop_matrix((127.5, 127.5, 256), 32), (32, 32))
    assert abs(int(warped[4:-4, 4:-4].mean()) - 127) <= 1
    assert np.ptp(warped[4:-4, 4:-4]) <= 2


def test_the_image_itself_is_left_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    before = image.copy()
    warp_image(image, crop_matrix((32, 32, 64), 8), (8, 8))
    assert (image == before).all()
