import numpy as np
import pytest

from facedots.geometry import Image
from facedots.plots.samples import PAPER, TILE, contact_sheet

RED = (200, 0, 0)


def plain(height: int, width: int, color: tuple[int, int, int] = RED) -> Image:
    return np.full((height, width, 3), color, np.uint8)


def rows_and_columns(sheet: Image, color: tuple[int, int, int]) -> tuple[list[int], list[int]]:
    """First and last row and column in which pixels of a color stand."""
    y, x = np.nonzero((sheet == color).all(axis=2))
    return [int(y.min()), int(y.max())], [int(x.min()), int(x.max())]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((30, 60), (TILE // 2, TILE)), ((900, 300), (TILE, TILE // 3)), ((7, 7), (TILE, TILE))],
)
def test_a_image_fills_its_square_and_keeps_its_shape(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    (top, bottom), (left, right) = rows_and_columns(contact_sheet([(plain(*size), "")], {}), RED)
    assert (bottom - top + 1, right - left + 1) == shown


def test_images_go_row_by_row() -> None:
    colors = [(i * 40, 10, 10) for i in range(5)]
    sheet = contact_sheet([(plain(9, 9, color), "") for color in colors], {}, columns=2)
    corners = [tuple(span[0] // 300 for span in rows_and_columns(sheet, color)) for color in colors]
    assert corners == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    assert sheet.shape[1] < 2 * TILE + 30


def ink(sheet: Image) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Where something dark is written; the edges of letters are softer than their color."""
    return np.asarray(sheet.max(axis=2) < 120)


def test_captions_and_legend_are_written() -> None:
    empty = contact_sheet([(plain(9, 9), "")], {})
    named = contact_sheet([(plain(9, 9), "Ann")], {})
    legend = contact_sheet([(plain(9, 9), "")], {"jaw": (0, 0, 255)})
    assert ink(empty).sum() == 0
    assert ink(named).sum() > 20
    assert (legend == (0, 0, 255)).all(axis=2).sum() > 100
    assert tuple(empty[-1, -1]) == PAPER


def test_a_long_caption_stays_under_its_image() -> None:
    sheet = contact_sheet([(plain(9, 9), "x" * 500), (plain(9, 9), "")], {})
    assert ink(sheet)[:, : sheet.shape[1] // 2].any()
    assert not ink(sheet)[:, sheet.shape[1] // 2 :].any()
