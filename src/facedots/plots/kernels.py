"""What a network has learned as matplotlib figures: kernels, feature maps, filtered images."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from facedots.detection.retinaface import RetinaFace
from facedots.errors import ImageError, WeightsError
from facedots.geometry import Floats, Image
from facedots.inference.predictor import KeypointPredictor
from facedots.inspection.frequency import describe_kernel, frequency_response, split_color
from facedots.inspection.layers import (
    Layer,
    cut_crop,
    feature_maps,
    filter_image,
    find_layer,
    list_layers,
    load_model,
    select_kernel,
)
from facedots.io.text import count_noun

MAX_TILES = 72
_TILE_PIXELS = 48
SIGNED = "PuOr"
"""Orange below zero, white at zero, purple above; safe for color-blind people."""


def feature_figures(
    weights: Path,
    image: Image,
    box: ArrayLike | None = None,
    *,
    layer: str | None = None,
    kernel: int = 0,
    channel: int | None = None,
) -> dict[str, Figure]:
    """Kernels of a layer, the feature maps of an image, and the image filtered by one kernel, by
    name, as in ``"maps-00-stem"``.

    Args:
        weights: An ``.onnx`` file.
        image: RGB, ``uint8 (H, W, 3)``.
        box: The face's tight box; by default, the best detection of RetinaFace.
        layer: By default the first one's kernels and all layers' feature maps.
        kernel: Number of the kernel that filters the image.
        channel: One input channel of the kernels; by default, their mean.

    Raises:
        WeightsError: The network has no convolution, or no such layer, kernel or channel.
        ImageError: No face was found.
    """
    predictor, model = KeypointPredictor(weights), load_model(weights)
    layers = list_layers(model)
    if not layers:
        raise WeightsError(f"{weights}: the network has no convolution")
    chosen = layers[0] if layer is None else find_layer(layers, layer)
    if box is None and predictor.spec.crop.mode == "box":
        detections = RetinaFace()(image)
        if not len(detections):
            raise ImageError("no face found")
        box = detections.boxes[0]
    crop, square = cut_crop(predictor, image, box)
    filtered = filter_figure(image, crop, square, chosen, kernel=kernel, channel=channel)
    figures = {f"kernels-{chosen.name}": kernel_grid(chosen, channel)}
    figures[f"filter-{chosen.name}-{kernel}"] = filtered
    for number, (name, maps) in enumerate(feature_maps(model, crop).items()):
        if layer in (None, name):
            figures[f"maps-{number:02}-{name}"] = map_grid(maps, name)
    return figures


def signed(values: ArrayLike) -> Floats:
    """The values over their largest magnitude, so within [-1, 1] with zero kept.

    >>> signed([-1, 0, 4]).tolist(), signed([0, 0]).tolist()
    ([-0.25, 0.0, 1.0], [0.0, 0.0])
    """
    array = np.asarray(values, np.float32)
    return array / (np.abs(array).max(initial=0) or np.float32(1))


def stretched(values: ArrayLike) -> Floats:
    """The values moved and scaled to [0, 1]; one half everywhere if they are all equal.

    >>> stretched([1, 2, 5]).tolist(), stretched([3, 3]).tolist()
    ([0.0, 0.25, 1.0], [0.5, 0.5])
    """
    array = np.asarray(values, np.float32)
    low, high = array.min(), array.max()
    return (array - low) / (high - low) if high > low else np.full_like(array, 0.5)


def kernel_grid(layer: Layer, channel: int | None = None, *, described: bool = False) -> Figure:
    """The first kernels of a layer with their numbers, each scaled by itself; ``described``: with
    what they detect (:func:`~facedots.inspection.frequency.describe_kernel`).

    Kernels over RGB are shown as colors, mid-gray for zero; others as one plane in :data:`SIGNED`
    colors: one input channel, or the mean over all. A layer of 1 x 1 kernels is shown as a matrix.
    """
    count, inputs, height, width = layer.kernels.shape
    kernels, channels = count_noun(count, "kernel"), count_noun(inputs, "channel")
    title = f"{layer.name}: {kernels} {height} x {width} over {channels}"
    if height == width == 1 and inputs > 1:
        return _matrix_figure(layer.kernels[:, :, 0, 0], title)
    planes = [select_kernel(layer, kernel, channel) for kernel in range(min(count, MAX_TILES))]
    words = [f" {describe_kernel(_pattern(plane))}" if described else "" for plane in planes]
    if planes[0].ndim == 3:
        colors = [_colors(plane) for plane in planes]
        return _mosaic_figure(colors, f"{title}, as colors", count, words=words)
    tiles = [_centered(plane) for plane in planes]
    return _mosaic_figure(tiles, title + _channel_text(layer, channel), count, SIGNED, words)


def frequency_figure(kernels: Mapping[str, ArrayLike]) -> Figure:
    """Kernels by caption, ``(h, w)`` or the strongest pattern of ``(C, h, w)``, above their
    frequency response and what they detect.

    In the response, the middle is a constant area, the rim the finest pattern; the direction from
    the middle is that in which the pattern varies, so a kernel for vertical edges is bright left
    and right.
    """
    figure = Figure(figsize=(1.5 * len(kernels) + 0.5, 3.6), layout="constrained")
    grid = figure.subplots(2, len(kernels), squeeze=False)
    for (above, below), (caption, kernel) in zip(grid.T, kernels.items(), strict=True):
        pattern = _pattern(np.asarray(kernel, np.float32))
        above.imshow(signed(pattern), cmap=SIGNED, vmin=-1, vmax=1)
        above.set_title(caption, fontsize=9)
        above.set_axis_off()
        response = frequency_response(pattern)
        below.imshow(response, cmap="magma", vmin=0, extent=(-0.5, 0.5, 0.5, -0.5))
        below.set_title(str(describe_kernel(pattern)), fontsize=9, weight="bold")
        below.set(xticks=[-0.5, 0, 0.5], yticks=[])
        below.tick_params(labelsize=7)
    grid[1, 0].set(yticks=[-0.5, 0, 0.5], ylabel="cycles per pixel")
    return figure


def map_grid(maps: ArrayLike, name: str, most: int = MAX_TILES) -> Figure:
    """The feature maps ``(C, H, W)`` of a layer with their numbers, each stretched by itself."""
    array = np.asarray(maps, np.float32)
    count, height, width = array.shape
    title = f"{name}: {count} feature maps {width} x {height}"
    return _mosaic_figure([stretched(plane) for plane in array[:most]], title, count, "viridis")


def filter_figure(
    image: Image,
    crop: Image,
    square: ArrayLike,
    layer: Layer,
    *,
    kernel: int = 0,
    channel: int | None = None,
) -> Figure:
    """An image ``uint8 (H, W, 3)``, the network's crop ``uint8 (S, S, C)`` of a square of it (its
    center x, center y, side in pixels), one kernel, and the crop filtered by it.

    Raises:
        WeightsError: There is no such kernel or channel, see
            :func:`~facedots.inspection.layers.select_kernel`.
    """
    weights = select_kernel(layer, kernel, channel)
    color = weights.ndim == 3
    count = 5 if color else 4
    figure = Figure(figsize=(3.1 * count, 3.6), layout="constrained")
    panels = list(figure.subplots(1, count))
    x, y, side = np.asarray(square, float)
    corner = (x - side / 2, y - side / 2)
    frame = Rectangle(corner, side, side, fill=False, edgecolor="#E69F00", linewidth=1.5)
    panels[0].imshow(image)
    panels[0].add_patch(frame)
    panels[0].set_title(f"original, {image.shape[1]} x {image.shape[0]}")
    panels[1].imshow(crop.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panels[1].set_title(f"input of the network, {crop.shape[1]} px")
    if color:
        panels[2].imshow(_colors(weights))
        panels[2].set_title(f"kernel {kernel} as colors")
    _show_numbers(panels[-2], weights.mean(axis=0) if color else weights)
    panels[-2].set_title(f"kernel {kernel}{_channel_text(layer, channel)}")
    shown = panels[-1].imshow(filter_image(crop, weights), cmap="gray", interpolation="nearest")
    figure.colorbar(shown, ax=panels[-1], shrink=0.75)
    panels[-1].set_title("filtered")
    for axes in panels:
        axes.set_axis_off()
    figure.suptitle(f"Layer {layer.name}")
    return figure


def _channel_text(layer: Layer, channel: int | None) -> str:
    if layer.kernels.shape[1] == 1:
        return ""
    return ", mean of the channels" if channel is None else f", channel {channel}"


def _pattern(kernel: Floats) -> Floats:
    """The kernel ``(h, w)`` itself, or the strongest pattern of one over several channels."""
    return split_color(kernel)[1] if kernel.ndim == 3 else kernel


def _colors(kernel: Floats) -> Floats:
    """A kernel ``(3, h, w)`` as RGB ``(h, w, 3)`` in [0, 1], mid-gray for zero."""
    return _centered(kernel).transpose(1, 2, 0)


def _centered(values: Floats) -> Floats:
    """The values scaled to [0, 1] with zero at one half."""
    return (signed(values) / 2 + 0.5).astype(np.float32)


def _show_numbers(axes: Axes, kernel: Floats) -> None:
    """A kernel in signed colors; the weights of a small one as numbers."""
    values = signed(kernel)
    axes.imshow(values, cmap=SIGNED, vmin=-1, vmax=1)
    if kernel.size <= 25:
        for (row, column), weight in np.ndenumerate(kernel):
            ink = "white" if abs(values[row, column]) > 0.6 else "black"
            axes.text(column, row, f"{weight:.2g}", ha="center", va="center", color=ink, fontsize=9)


def _matrix_figure(matrix: Floats, title: str) -> Figure:
    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    axes = figure.subplots()
    top = float(np.abs(matrix).max()) or 1.0
    shown = axes.imshow(matrix, SIGNED, aspect="auto", interpolation="nearest", vmin=-top, vmax=top)
    figure.colorbar(shown)
    axes.set(title=title, xlabel="input channel", ylabel="kernel")
    return figure


def _mosaic_figure(
    tiles: list[Floats], title: str, count: int, cmap: str | None = None, words: Sequence[str] = ()
) -> Figure:
    """Tiles ``(h, w)`` or ``(h, w, 3)`` in [0, 1] with their numbers and words, as one image:
    matplotlib would need seconds for the frames of 64 plots.
    """
    # Small tiles grow by whole factors, so that gaps and numbers have the same size for all.
    factor = -(-_TILE_PIXELS // max(tiles[0].shape[:2]))
    blocks = [matplotlib.colormaps[cmap](tile)[..., :3] if cmap else tile for tile in tiles]
    blocks = [block.repeat(factor, axis=0).repeat(factor, axis=1) for block in blocks]
    height, width = blocks[0].shape[:2]
    gap, line = max(1, width // 10), max(2, height // 4)
    columns = int(np.ceil(np.sqrt(len(tiles))))
    rows = -(-len(tiles) // columns)
    mosaic = np.ones((rows * (height + line), columns * (width + gap), 3), np.float32)
    figure = Figure(figsize=(0.95 * columns + 0.4, 1.1 * rows + 0.5), layout="constrained")
    axes = figure.subplots()
    for i, block in enumerate(blocks):
        y, x = (i // columns) * (height + line) + line, (i % columns) * (width + gap)
        mosaic[y : y + height, x : x + width] = block
        text = f"{i}{words[i] if words else ''}"
        axes.text(x + width / 2, y - 0.15 * line, text, ha="center", va="bottom", fontsize=7)
    axes.imshow(mosaic, interpolation="nearest" if factor > 1 else "antialiased")
    axes.set_axis_off()
    note = f" (the first {len(tiles)})" if len(tiles) < count else ""
    figure.suptitle(textwrap.fill(title + note, max(30, 11 * columns)), fontsize=10)
    return figure
