from matplotlib.text import Annotation
from peer_plot import Dot, front, pareto_figure


def test_the_front_holds_what_nobody_beats_in_both() -> None:
    dots = [
        Dot("slow", 5, 4, False),
        Dot("fast", 1, 6, False),
        Dot("beaten", 2, 7, False),
        Dot("ours", 2, 5, True),
    ]
    assert [dot.name for dot in front(dots)] == ["fast", "ours", "slow"]


def test_equally_fast_the_better_one_counts_and_what_knew_the_faces_does_not() -> None:
    dots = [
        Dot("worse", 1, 6, False),
        Dot("better", 1, 5, False),
        Dot("reciter", 0.5, 1, False, trained_on_it=True),
    ]
    assert [dot.name for dot in front(dots)] == ["better"]


def test_every_network_is_drawn_and_named_without_names_on_names() -> None:
    dots = [Dot(f"network {i}", 2 + 0.02 * i, 5 + 0.05 * i, i == 0) for i in range(4)]
    figure = pareto_figure({"one set": dots, "other set": dots[:1]})
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("one set", "other set")
    names = [text for text in left.texts if isinstance(text, Annotation)]
    assert {text.get_text() for text in names} == {dot.name for dot in dots}
    boxes = [text.get_window_extent() for text in names]
    assert not any(box.count_overlaps(boxes[i + 1 :]) for i, box in enumerate(boxes))
    assert left.get_xscale() == "log"
