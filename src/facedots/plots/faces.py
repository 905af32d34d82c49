"""Faces side by side, each with its true and its predicted points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from facedots.drawing import draw_disc, draw_line
from facedots.geometry import (
    CropSpec,
    Floats,
    Image,
    apply_affine,
    crop_matrix,
    tight_boxes,
    warp_image,
)

TRUE_COLOR, PREDICTED_COLOR = "#56B4E9", "#E69F00"
_TRUE_RGB, _PREDICTED_RGB = (86, 180, 233), (230, 159, 0)
_MAX_TITLE = 24


@dataclass(frozen=True)
class Comparison:
    """One face of the grid.

    Attributes:
        image: ``uint8 (H, W, 3)`` RGB.
        true: ``float32 (K, 2)`` in pixels of the image; NaN where a point is not labeled.
        predicted: ``float32 (K, 2)`` in pixels of the image.
        title: Above the image; a long line is shortened in the middle.

    Example:
        >>> points = np.array([[10, 10], [30, 40]], np.float32)
        >>> face = Comparison(np.zeros((60, 50, 3), np.uint8), points, points + 2, "a.jpg")
        >>> comparison_tile(face).shape
        (220, 220, 3)
    """

    image: Image
    true: Floats
    predicted: Floats
    title: str


def comparison_figure(
    rows: Mapping[str, Sequence[Comparison]], title: str = "", margin: float = 0.2
) -> Figure:
    """A grid of faces: true points as rings, predicted ones as dots, a line between each pair.

    Args:
        rows: Name of a row -> its faces.
        title: Of the whole figure.
        margin: Around the box of the true points, in sides of it.
    """
    columns = max(len(faces) for faces in rows.values())
    figure = Figure(figsize=(1.9 * columns + 0.4, 2.3 * len(rows) + 0.8), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes_row, (name, faces) in zip(grid, rows.items(), strict=True):
        style = {"rotation": 90, "ha": "right", "va": "center", "weight": "bold"}
        axes_row[0].text(-0.06, 0.5, name, style, transform=axes_row[0].transAxes)
        for axes, face in zip(axes_row, faces, strict=False):
            _draw(axes, face, margin)
    figure.suptitle(title)
    dot = partial(Line2D, [], [], marker="o", linestyle="")
    true = dot(color=TRUE_COLOR, fillstyle="none", label="true")
    predicted = dot(color=PREDICTED_COLOR, markersize=4, label="predicted")
    figure.legend(handles=[true, predicted], loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw(axes: Axes, face: Comparison, margin: float) -> None:
    x0, y0, x1, y1 = tight_boxes(face.true[None])[0]
    half = max(x1 - x0, y1 - y0) * (0.5 + margin)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    axes.imshow(face.image, interpolation="bicubic")
    pairs = np.stack([face.true, face.predicted], axis=1)
    axes.add_collection(LineCollection(list(pairs), colors="white", linewidths=0.8))
    ring: dict[str, Any] = {"color": TRUE_COLOR, "fillstyle": "none", "markersize": 3.2}
    axes.plot(*face.true.T, "o", markeredgewidth=0.8, **ring)
    axes.plot(*face.predicted.T, "o", color=PREDICTED_COLOR, markersize=2.2, markeredgewidth=0)
    axes.set(xlim=(x - half, x + half), ylim=(y + half, y - half))
    axes.set_title("\n".join(_shortened(line) for line in face.title.splitlines()), fontsize=7.5)


def _shortened(line: str) -> str:
    """The line, its middle left out where it is too long for a title."""
    keep = _MAX_TITLE // 2
    return line if len(line) <= _MAX_TITLE else f"{line[: keep - 1]}…{line[-keep:]}"


def comparison_tile(face: Comparison, side: int = 220, margin: float = 0.2) -> Image:
    """One face as a small image by OpenCV: true points as rings, predicted ones as dots, a line
    between each pair.

    Args:
        face: Predicted points that are NaN are not drawn.
        side: Of the image, in pixels.
        margin: Around the box of the true points, in sides of it.

    Returns:
        ``uint8 (side, side, 3)``.
    """
    crop = CropSpec("box", 1 + 2 * margin)
    square = crop.crop_squares(tight_boxes(face.true[None]), (side, side))[0]
    matrix = crop_matrix(square, side)
    tile = warp_image(face.image, matrix, (side, side))
    true, predicted = apply_affine(matrix, face.true), apply_affine(matrix, face.predicted)
    for start, end in zip(true, predicted, strict=True):
        if np.isfinite([start, end]).all():
            draw_line(tile, [start, end], (255, 255, 255))
    styles = ((true, _TRUE_RGB, 2.4, 1), (predicted, _PREDICTED_RGB, 1.55, -1))
    for points, color, radius, thickness in styles:
        for point in points[np.isfinite(points).all(axis=1)]:
            draw_disc(tile, point, radius, color, thickness)
    return tile
