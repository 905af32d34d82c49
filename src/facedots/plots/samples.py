"""Random faces of a data set as images, and many images on one sheet."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from facedots.annotations.load import AnnotationSet
from facedots.drawing import Color
from facedots.geometry import Image
from facedots.io.images import read_image, write_image
from facedots.io.names import file_name, printable
from facedots.plots.draw import draw_keypoints, draw_numbered, enlarge, region_colors

PAPER: Color = (250, 250, 250)
INK: Color = (30, 30, 30)
TILE = 360
"""Pixels of the longer side of an image on the sheet."""

_GAP = 8
_LINE = 26
_LETTER = 9.5  # width of a letter of the captions, in pixels


def write_samples(data: AnnotationSet, out: Path, count: int = 8, seed: int = 0) -> Iterator[Path]:
    """Draw random faces with numbered keypoints, one image each and a contact sheet.

    Args:
        data: The labeled faces.
        out: Folder for ``<name of the face>.png`` and ``sheet.png``.
        count: Faces to draw.
        seed: Another number picks other faces.

    Yields:
        The files, as they are written.
    """
    total, rng = len(data.faces), np.random.default_rng(seed)
    chosen = rng.choice(total, min(count, total), replace=False)
    tiles = []
    for face in (data.faces[i] for i in sorted(chosen)):
        image = read_image(face.image, orient=False)
        path = out / file_name(f"{face.name.replace('/', '__')}.png")
        write_image(path, draw_numbered(image, face.points, data.schema, 480))
        yield path
        small, points = enlarge(image, face.points, TILE / max(image.shape[:2]))
        tiles.append((draw_keypoints(small, points, data.schema), face.name))
    write_image(out / "sheet.png", contact_sheet(tiles, region_colors(data.schema)))
    yield out / "sheet.png"


def contact_sheet(
    tiles: Sequence[tuple[Image, str]], legend: Mapping[str, Color], columns: int = 4
) -> Image:
    """Many images on one.

    Args:
        tiles: RGB images and their captions, row by row; long captions are cut on the left.
        legend: Words and their colors, written below.
        columns: Images in a row.

    Returns:
        ``uint8 (H, W, 3)``.
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
