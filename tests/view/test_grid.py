import numpy as np

from facedots.view.grid import Comparison, comparison_figure

POINTS = np.array([[10, 10], [30, 10], [20, 40]], np.float32)


def comparison(title: str) -> Comparison:
    return Comparison(np.zeros((60, 50, 3), np.uint8), POINTS, POINTS + 2, title)


def test_each_face_shows_its_own_surroundings_and_both_kinds_of_points() -> None:
    figure = comparison_figure({"best": [comparison("a"), comparison("b")], "worst": [comparison("c")]}, margin=0.5)
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
