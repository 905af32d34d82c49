"""Several faces side by side: samples of a data set, contact sheets, true against predicted points.

Drawn by OpenCV, but for :func:`comparison_figure`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from facedots.annotations.load import AnnotationSet
from facedots.drawing import Color, draw_disc, draw_line
from facedots.errors import explain_missing_extra
from facedots.geometry import (
    CropSpec,
    Floats,
    Image,
    apply_affine,
    crop_matrix,
    tight_boxes,
    warp_image,
)
from facedots.io.images import read_image, write_image
from facedots.io.text import file_name, printable
from facedots.plots.draw import draw_keypoints, draw_numbered, enlarge, enlarge_face, region_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER: Color = (250, 250, 250)
INK: Color = (30, 30, 30)
TILE = 360
"""Pixels of the longer side of an image on the sheet."""

_GAP, _LINE = 8, 26
_LETTER = 9.5  # width of a letter of the captions, in pixels

TRUE_COLOR, PREDICTED_COLOR = "#56B4E9", "#E69F00"
_TRUE_RGB, _PREDICTED_RGB = (86, 180, 233), (230, 159, 0)
_MAX_TITLE = 24


def write_samples(data: AnnotationSet, out: Path, count: int = 8, seed: int = 0) -> Iterator[Path]:
    """Draw random faces with numbered keypoints into a folder, ``<name of the face>.png`` each and
    ``sheet.png``; yields the files as they are written. Another seed picks other faces. Hidden
    points are hollow, pupils white.
    """
    total, rng = len(data.faces), np.random.default_rng(seed)
    chosen = rng.choice(total, min(count, total), replace=False)
    tiles = []
    for face in (data.faces[i] for i in sorted(chosen)):
        image = read_image(face.image, orient=False)
        path = out / file_name(f"{face.name.replace('/', '__')}.png")
        drawn = draw_numbered(
            image, face.points, data.schema, 480, visibility=face.visible, pupils=face.pupils
        )
        write_image(path, drawn)
        yield path
        factor = TILE / max(image.shape[:2])
        small, points, pupils = enlarge_face(image, face.points, face.pupils, factor)
        drawn = draw_keypoints(small, points, data.schema, visibility=face.visible, pupils=pupils)
        tiles.append((drawn, face.name))
    write_image(out / "sheet.png", contact_sheet(tiles, region_colors(data.schema)))
    yield out / "sheet.png"


def contact_sheet(
    tiles: Sequence[tuple[Image, str]], legend: Mapping[str, Color], columns: int = 4
) -> Image:
    """Many RGB images with captions on one ``uint8 (H, W, 3)``, row by row, above a legend of
    words in their colors; long captions are cut on the left.
    """
    columns = min(columns, len(tiles))
    cell = TILE + _GAP
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (cell + _LINE) + _LINE, columns * cell, 3), PAPER, np.uint8)
    for i, (image, caption) in enumerate(tiles):
        top, left = i // columns * (cell + _LINE), i % columns * cell
        fitted = enlarge(image, np.zeros((0, 2)), TILE / max(image.shape[:2]))[0]
        y, x = top + (cell - fitted.shape[0]) // 2, left + (cell - fitted.shape[1]) // 2
        sheet[y : y + fitted.shape[0], x : x + fitted.shape[1]] = fitted
        _caption(sheet, caption, (left + _GAP, top + cell), int(TILE / _LETTER))
    place = 6
    for word, color in legend.items():
        bottom = sheet.shape[0]
        cv2.rectangle(sheet, (place, bottom - 19), (place + 12, bottom - 7), color, -1)
        _caption(sheet, word, (place + 18, bottom - _LINE), len(word))
        place += round(18 + _LETTER * len(word) + 18)
    return sheet


def _caption(sheet: Image, text: str, left_top: tuple[int, int], letters: int) -> None:
    text = printable(text)  # OpenCV crashes on names that are not UTF-8
    shown = text if len(text) <= letters else f"..{text[2 - letters :]}"
    place = (left_top[0], left_top[1] + _LINE - 8)
    cv2.putText(sheet, shown, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)


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
) -> "Figure":
    """A grid of faces in named rows: true points as rings, predicted ones as dots, a line between
    each pair; ``margin`` is around the box of the true points, in sides of it.
    """
    with explain_missing_extra():
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
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


def _draw(axes: "Axes", face: Comparison, margin: float) -> None:
    from matplotlib.collections import LineCollection

    x0, y0, x1, y1 = tight_boxes(face.true[None])[0]
    half = max(x1 - x0, y1 - y0) * (0.5 + margin)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    axes.imshow(face.image, interpolation="bicubic")
    pairs = np.stack([face.true, face.predicted], axis=1)
    axes.add_collection(LineCollection(list(pairs), colors="white", linewidths=0.8))
    (rings,) = axes.plot(*face.true.T, "o", color=TRUE_COLOR, markersize=3.2, markeredgewidth=0.8)
    rings.set_fillstyle("none")
    axes.plot(*face.predicted.T, "o", color=PREDICTED_COLOR, markersize=2.2, markeredgewidth=0)
    axes.set(xlim=(x - half, x + half), ylim=(y + half, y - half))
    axes.set_title("\n".join(_shortened(line) for line in face.title.splitlines()), fontsize=7.5)


def _shortened(line: str) -> str:
    """The line, its middle left out where it is too long for a title."""
    keep = _MAX_TITLE // 2
    return line if len(line) <= _MAX_TITLE else f"{line[: keep - 1]}…{line[-keep:]}"


def comparison_tile(face: Comparison, side: int = 220, margin: float = 0.2) -> Image:
    """The same of one face as ``uint8 (side, side, 3)``; points that are NaN are not drawn."""
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
