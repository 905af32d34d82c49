"""Figures and image tiles of an audit's report: arrays in, figures and images out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facedots.audit.image_files import MAX_HAMMING
from facedots.audit.scan import Measure
from facedots.drawing import draw_disc, draw_line
from facedots.geometry import Image, Matrix, apply_affine, crop_matrix, tight_boxes, warp_image
from facedots.io.video import fit_image
from facedots.plots.curves import BLUE, GRAY, GREEN, ORANGE, PINK, new_figure, new_panels
from facedots.schema import KeypointSchema

LABEL_COLOR, PREDICTION_COLOR, MOVED_COLOR = (86, 180, 233), (230, 159, 0), (255, 60, 60)  # RGB
TILE_SIDE, PAIR_SIDE = 240, 180  # pixels of a face's tile, and of each image of a pair

Style = dict[str, Any]

_COLORS = (BLUE, ORANGE, GREEN, PINK, GRAY)


def plot_hash_distances(distances: Mapping[str, NDArray[np.int64]]) -> Figure:
    """Histograms of Hamming distances by what was compared, in percent of each."""
    figure, axes = new_figure(6.8, 3.0)
    edges = [float(edge) for edge in range(-1, 132, 4)]
    for (name, values), color in zip(distances.items(), (GREEN, BLUE, ORANGE), strict=False):
        if len(values):
            style: Style = {"histtype": "stepfilled", "alpha": 0.45, "color": color}
            style["label"] = f"{name} ({len(values)})"
            axes.hist(values, edges, weights=_percent(values), **style)
    axes.axvline(MAX_HAMMING + 1, color=GRAY, linestyle="--", linewidth=1)
    axes.set(xlabel="Hamming distance, of 256 bits", ylabel="images, %", xlim=(-1, 131))
    axes.legend(frameon=False)
    return figure


def plot_label_offsets(
    offsets: Mapping[str, Matrix], medians: Mapping[str, tuple[float, float]]
) -> Figure:
    """Label minus prediction of each face ``(N, 2)`` by subset, and their medians, pixels."""
    figure, axes = new_figure(4.6, 4.2)
    reach = 1.0
    for (name, points), color in zip(offsets.items(), _COLORS * len(offsets), strict=False):
        axes.plot(*points.T, ".", color=color, markersize=1.5, alpha=0.35, rasterized=True)
        cross: Style = {"color": color, "markersize": 11, "markeredgecolor": "#ffffff"}
        axes.plot(*medians[name], "X", label=name, **cross)
        reach = max(reach, float(np.nanpercentile(np.abs(points), 98)))
    axes.axhline(0, color=GRAY, linewidth=0.8)
    axes.axvline(0, color=GRAY, linewidth=0.8)
    axes.set(xlabel="label right of the feature, px", ylabel="label below the prediction, px")
    axes.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    axes.legend(frameon=False)
    return figure


def plot_coverage(measures: Sequence[Measure], subsets: Mapping[str, NDArray[np.bool_]]) -> Figure:
    """A histogram of each measure, by subset (masks of the faces)."""
    figure, grid = new_panels(len(measures), 7.2, 2.1)
    for axes, measure in zip(grid, measures, strict=True):
        low, high = np.nanpercentile(measure.values, (0.2, 99.8))
        bins = np.linspace(low, max(high, low + 1), 40).tolist()
        for (name, mask), color in zip(subsets.items(), _COLORS * len(subsets), strict=False):
            values = measure.values[mask]
            values = values[np.isfinite(values)]
            style: Style = {"histtype": "step", "color": color, "linewidth": 1.3, "label": name}
            axes.hist(values, bins, weights=_percent(values), **style)
        for edge in measure.edges:
            if bins[0] < edge < bins[-1]:
                axes.axvline(edge, color=GRAY, linewidth=0.6, linestyle=":")
        axes.set(xlabel=measure.name, ylabel="faces, %")
    if len(subsets) > 1:
        grid[0].legend(frameon=False)
    return figure


def draw_face_tile(
    image: Image, label: Matrix, predicted: Matrix, moved: Sequence[int], schema: KeypointSchema
) -> Image:
    """The square around a label and its prediction, ``uint8 (240, 240, 3)``; points outside the
    image show, too.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        label: ``(K, 2)`` in pixels, drawn as blue lines and dots.
        predicted: ``(K, 2)`` in pixels, drawn as orange dots; NaN for none.
        moved: Points to ring in red.
        schema: Its edges are drawn.
    """
    points = np.concatenate([label, predicted])
    box = tight_boxes(points[None, np.isfinite(points).all(axis=1)])[0]
    side = 1.25 * max(float((box[2:] - box[:2]).max()), 8.0)
    matrix = crop_matrix((*((box[:2] + box[2:]) / 2), side), TILE_SIDE)
    tile = warp_image(image, matrix, (TILE_SIDE, TILE_SIDE))
    on_tile, prediction = apply_affine(matrix, label), apply_affine(matrix, predicted)
    for edge in schema.edges:
        if np.isfinite(on_tile[list(edge)]).all():
            draw_line(tile, on_tile[list(edge)], LABEL_COLOR)
    circles = (
        (prediction, PREDICTION_COLOR, 1.8, -1),
        (on_tile, LABEL_COLOR, 2.0, -1),
        (on_tile[list(moved)], MOVED_COLOR, 7, 2),
    )
    for points, color, radius, width in circles:
        for point in points[np.isfinite(points).all(axis=1)]:
            draw_disc(tile, point, radius, color, width)
    return tile


def draw_pair(first: Image, second: Image) -> Image:
    """Two images side by side, each in a black square of 180 px."""
    return np.hstack([fit_image(image, PAIR_SIDE, PAIR_SIDE) for image in (first, second)])


def _percent(values: NDArray[np.generic]) -> Matrix:
    """Weights that make a histogram of the values sum to 100."""
    return np.full(len(values), 100 / max(1, len(values)))
