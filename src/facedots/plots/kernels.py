"""Images of what a network has learned: its kernels, its feature maps, and what one kernel makes of
an image.
"""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from facedots.geometry import Floats, Image
from facedots.inspection.frequency import describe_kernel, frequency_response, split_color
from facedots.inspection.layers import Layer, filter_image, select_kernel

MOST_TILES = 64
_TILE_PIXELS = 48
SIGNED = "PuOr"
"""Orange below zero, white at zero, purple above: told apart by everyone, unlike red and green."""


def signed(values: ArrayLike) -> Floats:
    """The values over their largest magnitude, so within [-1, 1] with zero kept; all zero where
    they are.

    >>> signed([-1, 0, 4]).tolist(), signed([0, 0]).tolist()
    ([-0.25, 0.0, 1.0], [0.0, 0.0])
    """
    given = np.asarray(values, np.float32)
    top = float(np.abs(given).max(initial=0))
    return np.asarray(given / top, np.float32) if top else given


def stretched(values: ArrayLike) -> Floats:
    """The values moved and scaled to [0, 1]; one half everywhere where they are all the same.

    >>> stretched([1, 2, 5]).tolist(), stretched([3, 3]).tolist()
    ([0.0, 0.25, 1.0], [0.5, 0.5])
    """
    given = np.asarray(values, np.float32)
    low, high = float(given.min()), float(given.max())
    return np.asarray(
        (given - low) / (high - low) if high > low else np.full_like(given, 0.5), np.float32
    )


def kernel_grid(
    layer: Layer, channel: int | None = None, most: int = MOST_TILES, *, described: bool = False
) -> Figure:
    """The kernels of a layer with their numbers, each scaled for itself.

    Kernels over RGB are shown as colors, mid-gray for zero; others as one plane in :data:`SIGNED`
    colors: the chosen input channel, or the mean over all. A layer of 1 x 1 kernels is shown as the
    matrix it is.

    Args:
        layer: The layer.
        channel: Of its input.
        most: Kernels to show.
        described: Write beside each number what the kernel detects, measured by its frequency
            response (:func:`~facedots.inspection.frequency.describe_kernel`); of a kernel over RGB,
            what its strongest pattern does.
    """
    count, inputs, height, width = layer.kernels.shape
    title = f"{layer.name}: {count} kernels {height} x {width} over {inputs} channel{'s' * (inputs != 1)}"
    if height == width == 1 and inputs > 1:
        return _matrix_figure(layer.kernels[:, :, 0, 0], title)
    planes = [select_kernel(layer, kernel, channel) for kernel in range(min(count, most))]
    words = [f" {describe_kernel(_pattern(plane))}" if described else "" for plane in planes]
    if planes[0].ndim == 3:
        return _mosaic_figure(
            [_colors(plane) for plane in planes], f"{title}, as colors", count, words=words
        )
    how = "" if inputs == 1 else ", their mean" if channel is None else f", channel {channel}"
    tiles = [np.asarray(signed(plane) / 2 + 0.5, np.float32) for plane in planes]
    return _mosaic_figure(tiles, title + how, count, SIGNED, words)


def frequency_figure(kernels: Mapping[str, ArrayLike]) -> Figure:
    """Kernels above what they do to gratings: their frequency response, and in words what that says
    they detect.

    In the response, the middle is a plain area, the rim the finest pattern; the direction from the
    middle is that in which the pattern varies, so a kernel for vertical edges is bright left and
    right.

    Args:
        kernels: Caption -> kernel ``(h, w)``, or ``(C, h, w)``, of which the strongest pattern is
            shown.
    """
    figure = Figure(figsize=(1.5 * len(kernels) + 0.5, 3.6), layout="constrained")
    grid = figure.subplots(2, len(kernels), squeeze=False)
    for (above, below), (caption, kernel) in zip(grid.T, kernels.items(), strict=True):
        pattern = _pattern(np.asarray(kernel, np.float32))
        above.imshow(signed(pattern), cmap=SIGNED, vmin=-1, vmax=1)
        above.set_title(caption, fontsize=9)
        above.set_axis_off()
        below.imshow(
            frequency_response(pattern), cmap="magma", vmin=0, extent=(-0.5, 0.5, 0.5, -0.5)
        )
        below.set_title(str(describe_kernel(pattern)), fontsize=9, weight="bold")
        below.set(xticks=[-0.5, 0, 0.5], yticks=[])
        below.tick_params(labelsize=7)
    grid[1, 0].set(yticks=[-0.5, 0, 0.5], ylabel="cycles a pixel")
    return figure


def map_grid(maps: ArrayLike, name: str, most: int = MOST_TILES) -> Figure:
    """The feature maps ``(C, H, W)`` of a layer with their numbers, each stretched for itself, dark
    to bright.
    """
    answers = np.asarray(maps, np.float32)
    count, height, width = answers.shape
    title = f"{name}: {count} feature maps {width} x {height}"
    return _mosaic_figure([stretched(answer) for answer in answers[:most]], title, count, "viridis")


def filter_figure(
    image: Image,
    crop: Image,
    square: ArrayLike,
    layer: Layer,
    *,
    kernel: int = 0,
    channel: int | None = None,
) -> Figure:
    """What one kernel makes of an image, beside the image, the crop that the network sees of it,
    and the kernel.

    The kernel is laid on the crop, since that is the scale it was learned at.

    Args:
        image: ``uint8 (H, W, 3)``.
        crop: ``uint8 (S, S, C)``.
        square: Center x, center y and side of the crop, in pixels of the image.
        layer: Whose kernel.
        kernel: Its number.
        channel: As in :func:`facedots.inspection.layers.select_kernel`.

    Raises:
        WeightsError: There is no such kernel or channel.
    """
    weights = select_kernel(layer, kernel, channel)
    color = weights.ndim == 3
    figure = Figure(figsize=(3.1 * (5 if color else 4), 3.6), layout="constrained")
    panels = list(figure.subplots(1, 5 if color else 4))
    _show_original(panels[0], image, square)
    panels[1].imshow(crop.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panels[1].set_title(f"what the network sees, {crop.shape[1]} px")
    if color:
        panels[2].imshow(_colors(weights))
        panels[2].set_title(f"kernel {kernel} as colors")
    _show_numbers(panels[-2], weights.mean(axis=0) if color else weights)
    inputs = layer.kernels.shape[1]
    how = (
        ""
        if inputs == 1
        else ", mean of its channels"
        if channel is None
        else f", channel {channel}"
    )
    panels[-2].set_title(f"kernel {kernel}{how}")
    shown = panels[-1].imshow(filter_image(crop, weights), cmap="gray", interpolation="nearest")
    figure.colorbar(shown, ax=panels[-1], shrink=0.75)
    panels[-1].set_title("the image through it")
    for axes in panels:
        axes.set_axis_off()
    figure.suptitle(f"Layer {layer.name}")
    return figure


def _pattern(kernel: Floats) -> Floats:
    """The plane ``(h, w)`` of a kernel: itself, or the strongest pattern of one over several
    channels.
    """
    return split_color(kernel)[1] if kernel.ndim == 3 else kernel


def _colors(kernel: Floats) -> Floats:
    """A kernel ``(3, h, w)`` as RGB ``(h, w, 3)`` in [0, 1], mid-gray for zero."""
    return np.asarray(signed(kernel).transpose(1, 2, 0) / 2 + 0.5, np.float32)


def _show_original(axes: Axes, image: Image, square: ArrayLike) -> None:
    x, y, side = np.asarray(square, float)
    axes.imshow(image)
    axes.add_patch(
        Rectangle(
            (x - side / 2, y - side / 2), side, side, fill=False, edgecolor="#E69F00", linewidth=1.5
        )
    )
    axes.set_title(f"original, {image.shape[1]} x {image.shape[0]}")


def _show_numbers(axes: Axes, kernel: Floats) -> None:
    """A kernel in signed colors, with its numbers where they find room."""
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
    figure.colorbar(
        axes.imshow(
            matrix, cmap=SIGNED, vmin=-top, vmax=top, aspect="auto", interpolation="nearest"
        )
    )
    axes.set(title=title, xlabel="input channel", ylabel="kernel")
    return figure


def _mosaic_figure(
    tiles: list[Floats],
    title: str,
    count: int,
    colors: str | None = None,
    words: Sequence[str] = (),
) -> Figure:
    """Tiles ``(h, w)`` or ``(h, w, 3)`` in [0, 1], side by side as one image, each with its number
    and words above it.

    One image instead of one plot a tile: matplotlib would need seconds for the frames of 64 plots.
    """
    # Small tiles grow by whole factors, so that gaps and numbers have the same size beside all of
    # them.
    grow = -(-_TILE_PIXELS // max(tiles[0].shape[:2]))
    blocks = [(matplotlib.colormaps[colors](tile)[..., :3] if colors else tile) for tile in tiles]
    blocks = [block.repeat(grow, axis=0).repeat(grow, axis=1) for block in blocks]
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
        axes.text(
            x + width / 2,
            y - 0.15 * line,
            f"{i}{words[i] if words else ''}",
            ha="center",
            va="bottom",
            fontsize=7,
        )
    axes.imshow(mosaic, interpolation="nearest" if grow > 1 else "antialiased")
    axes.set_axis_off()
    note = f" (the first {len(tiles)})" if len(tiles) < count else ""
    figure.suptitle(textwrap.fill(title + note, max(30, 11 * columns)), fontsize=10)
    return figure
