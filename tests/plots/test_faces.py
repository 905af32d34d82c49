from pathlib import Path

import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import AnnotationSet
from facedots.geometry import Image
from facedots.io.images import read_image, write_image
from facedots.plots.draw import PUPIL_COLOR, RIM, region_colors
from facedots.plots.faces import (
    PAPER,
    PREDICTED_COLOR,
    TILE,
    TRUE_COLOR,
    Comparison,
    comparison_figure,
    comparison_tile,
    contact_sheet,
    write_samples,
)
from facedots.schema import KeypointSchema

POINTS = np.array([[10, 10], [30, 10], [20, 40]], np.float32)


def comparison(title: str) -> Comparison:
    return Comparison(np.zeros((60, 50, 3), np.uint8), POINTS, POINTS + 2, title)


def test_each_face_shows_its_own_surroundings_and_both_kinds_of_points() -> None:
    figure = comparison_figure(
        {"best": [comparison("a"), comparison("b")], "worst": [comparison("c")]}, margin=0.5
    )
    first = figure.axes[0]
    # The box is 20 x 30 around (20, 25); half the side is 30 * (0.5 + 0.5).
    assert first.get_xlim() == (-10, 50)
    assert first.get_ylim() == (55, -5)
    true, predicted = (np.asarray(line.get_xydata()) for line in first.lines)
    assert true.tolist() == POINTS.tolist()
    assert predicted.tolist() == (POINTS + 2).tolist()
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c", ""]


def test_long_titles_are_cut_in_the_middle_line_by_line() -> None:
    long = "Abcdefghijklmnopqrstuvwxyz_0123456789.jpg"
    title = comparison_figure({"best": [comparison(f"{long}\nNME 3.00 %")]}).axes[0].get_title()
    assert title == "Abcdefghijk…23456789.jpg\nNME 3.00 %"


def test_tile_shows_the_face_with_rings_and_dots_where_they_belong() -> None:
    image = np.zeros((60, 50, 3), np.uint8)
    tile = comparison_tile(Comparison(image, POINTS, POINTS + 2, ""), side=101, margin=0.5)
    # 60 px around (20, 25) on 101 px: a point 10 px beside it lies 10 * 101 / 60 px beside the
    # middle, at 50.
    true = 50 + (POINTS - (20, 25)) * 101 / 60
    predicted = true + 2 * 101 / 60
    ring, dot = (
        tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
        for color in (TRUE_COLOR, PREDICTED_COLOR)
    )
    for x, y in predicted.round().astype(int):
        assert np.abs(tile[y, x].astype(int) - dot).max() < 40
    for x, y in true.round().astype(int):
        around = tile[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).astype(int)
        assert np.abs(around - ring).max(axis=1).min() < 40
    assert not image.any()


def test_tile_of_a_missed_face_has_its_true_points_only() -> None:
    missed = Comparison(
        np.zeros((60, 50, 3), np.uint8), POINTS, np.full((3, 2), np.nan, np.float32), ""
    )
    tile = comparison_tile(missed, side=100)
    assert tile.shape == (100, 100, 3)
    # Rings are bluish; nothing is orange or white.
    assert tile.any()
    assert (tile[..., 0] <= tile[..., 2]).all()


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
def test_an_image_fills_its_square_and_keeps_its_shape(
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


def test_samples_show_labeled_pupils_and_hidden_points(tmp_path: Path) -> None:
    schema = KeypointSchema("three", ("a", "b", "c"), {"all": (0, 1, 2)}, (0, 1, 2), (), (0, 1))
    write_image(tmp_path / "a.png", plain(TILE, TILE))
    points = np.array([[20, 20], [340, 20], [20, 340]], np.float32)
    pupils = np.array([[180, 180], [np.nan, np.nan]], np.float32)
    visible = np.array([1, 0, np.nan], np.float32)
    face = FaceAnnotation(tmp_path / "a.png", points, "a", pupils=pupils, visible=visible)
    for file in write_samples(AnnotationSet({"all": [face]}, schema), tmp_path / "out"):
        image = read_image(file)
        if file.name == "sheet.png":
            image = image[4 : 4 + TILE, 4 : 4 + TILE]  # within half a gap
        scale = image.shape[0] / TILE
        seen, hidden, unknown, pupil = (
            tuple(image[round((y + 0.5) * scale - 0.5), round((x + 0.5) * scale - 0.5)].tolist())
            for x, y in (*points, pupils[0])
        )
        assert seen == unknown == region_colors(schema)["all"]
        assert hidden == RIM
        assert pupil == PUPIL_COLOR
