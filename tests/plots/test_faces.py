import numpy as np

from facedots.plots.faces import (
    PREDICTED_COLOR,
    TRUE_COLOR,
    Comparison,
    comparison_figure,
    comparison_tile,
)

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
