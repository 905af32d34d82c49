import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure

from facedots.geometry import Floats
from facedots.inspection.layers import Layer
from facedots.plots.kernels import (
    filter_figure,
    frequency_figure,
    kernel_grid,
    map_grid,
    signed,
    stretched,
)

values = arrays(np.float32, (3, 3), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False))
RNG = np.random.default_rng(0)


def layer(*shape: int) -> Layer:
    return Layer("conv1", RNG.normal(0, 1, shape).astype(np.float32), "out")


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def title(figure: Figure) -> str:
    return figure.get_suptitle().replace("\n", " ")


@given(values)
def test_any_kernel_can_be_shown(kernel: Floats) -> None:
    for shown, low in ((signed(kernel), -1), (stretched(kernel), 0)):
        assert np.isfinite(shown).all()
        assert shown.min() >= low
        assert shown.max() <= 1
    assert (np.sign(signed(kernel)) == np.sign(kernel)).all()


@pytest.mark.parametrize(
    "kernel", [np.zeros((1, 1, 3, 3)), np.full((1, 1, 3, 3), 5.0), np.full((1, 3, 3, 3), -2.0)]
)
def test_constant_kernels_are_drawn(kernel: Floats) -> None:
    figure = kernel_grid(Layer("conv1", kernel.astype(np.float32), "out"))
    figure.canvas.draw()
    assert labels(figure) == ["0"]


def test_kernels_are_numbered_and_over_rgb_in_color() -> None:
    figure = kernel_grid(layer(6, 3, 3, 3))
    assert labels(figure) == ["0", "1", "2", "3", "4", "5"]
    assert title(figure) == "conv1: 6 kernels 3 x 3 over 3 channels, as colors"
    assert "channel 2" in title(kernel_grid(layer(6, 3, 3, 3), channel=2))
    assert "mean of the channels" in title(kernel_grid(layer(6, 8, 3, 3)))


def test_color_kernel_keeps_its_colors() -> None:
    red = np.zeros((1, 3, 2, 2), np.float32)
    red[0, 0, 0, 0] = 4
    mosaic = np.asarray(kernel_grid(Layer("conv1", red, "out")).axes[0].images[0].get_array())
    height, width = mosaic.shape[:2]
    assert mosaic[height // 2, 0].tolist() == [1, 0.5, 0.5]
    assert mosaic[height - 1, width // 2].tolist() == [0.5, 0.5, 0.5]


def test_pointwise_layer_is_shown_as_its_matrix() -> None:
    pointwise = layer(5, 7, 1, 1)
    shown = np.asarray(kernel_grid(pointwise).axes[0].images[0].get_array())
    assert shown == pytest.approx(pointwise.kernels[:, :, 0, 0])


def test_only_the_first_maps_are_shown_and_the_title_says_so() -> None:
    figure = map_grid(RNG.normal(0, 1, (76, 4, 6)), "conv2")
    assert labels(figure) == [str(i) for i in range(72)]
    assert title(figure) == "conv2: 76 feature maps 6 x 4 (the first 72)"


def test_filter_figure_shows_original_crop_kernel_and_output() -> None:
    image, crop = np.zeros((30, 40, 3), np.uint8), np.full((8, 8, 3), 99, np.uint8)
    figure = filter_figure(image, crop, (20, 15, 16), layer(2, 3, 3, 3), kernel=1)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [
        "original, 40 x 30",
        "input of the network, 8 px",
        "kernel 1 as colors",
        "kernel 1, mean of the channels",
        "filtered",
    ]
    gray = filter_figure(image, crop[..., :1], (20, 15, 16), layer(2, 1, 5, 5))
    assert len([axes for axes in gray.axes if axes.get_title()]) == 4
    assert len(gray.axes[2].texts) == 25


def test_kernels_are_described_next_to_their_numbers() -> None:
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
    kernels = Layer("conv1", np.stack([sobel, np.ones((3, 3))])[:, None].astype(np.float32), "out")
    assert labels(kernel_grid(kernels, described=True)) == ["0 edge 90°", "1 blur"]
    color = Layer("conv1", np.stack([sobel.T, 0 * sobel, -sobel.T])[None], "out")
    assert labels(kernel_grid(color, described=True)) == ["0 edge 0°"]


def test_frequency_figure_describes_each_kernel() -> None:
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    figure = frequency_figure({"sobel": sobel, "color": np.stack([sobel.T, sobel.T, sobel.T])})
    figure.canvas.draw()
    assert [axes.get_title() for axes in figure.axes] == ["sobel", "color", "edge 90°", "edge 0°"]
    response = np.asarray(figure.axes[2].images[0].get_array())
    assert response.shape == (64, 64)
    assert response.max() == pytest.approx(8)
