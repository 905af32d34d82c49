"""A contact sheet: pictures side by side, each fitted into a square, with a caption. OpenCV alone."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from facedots.view.keypoints import Colour, enlarge
from facedots.warp import Image

PAPER: Colour = (250, 250, 250)
INK: Colour = (30, 30, 30)
TILE = 360
"""Pixels of the longer side of a picture on the sheet."""

_GAP = 8
_LINE = 26
_LETTER = 9.5  # width of a letter of the captions, in pixels


def contact_sheet(tiles: Sequence[tuple[Image, str]], legend: Mapping[str, Colour], columns: int = 4) -> Image:
    """One picture of many.

    Args:
        tiles: RGB pictures and their captions, row by row; a caption too long is cut on its left.
        legend: Words and their colours, written below.
        columns: Pictures in a row.

    Returns:
        ``uint8 (H, W, 3)``.
    """
    columns = min(columns, len(tiles))
    cell = TILE + _GAP
    sheet = np.full((-(-len(tiles) // columns) * (cell + _LINE) + _LINE, columns * cell, 3), PAPER, np.uint8)
    for i, (image, caption) in enumerate(tiles):
        top, left = i // columns * (cell + _LINE), i % columns * cell
        fitted = enlarge(image, np.zeros((0, 2)), TILE / max(image.shape[:2]))[0]
        y, x = top + (cell - fitted.shape[0]) // 2, left + (cell - fitted.shape[1]) // 2
        sheet[y : y + fitted.shape[0], x : x + fitted.shape[1]] = fitted
        _caption(sheet, caption, (left + _GAP, top + cell), int(TILE / _LETTER))
    place = 6
    for word, colour in legend.items():
        cv2.rectangle(sheet, (place, sheet.shape[0] - 19), (place + 12, sheet.shape[0] - 7), colour, -1)
        _caption(sheet, word, (place + 18, sheet.shape[0] - _LINE), len(word))
        place += round(18 + _LETTER * len(word) + 18)
    return sheet


def _caption(sheet: Image, text: str, left_top: tuple[int, int], letters: int) -> None:
    shown = text if len(text) <= letters else f"..{text[2 - letters :]}"
    place = (left_top[0], left_top[1] + _LINE - 8)
    cv2.putText(sheet, shown, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
