from collections.abc import Mapping, Sequence

import numpy as np

from facedots.plots.comparison import regions_comparison_figure, slices_figure, trainings_figure
from facedots.plots.curves import SERIES

Panels = Mapping[str, tuple[Sequence[str], Mapping[str, Sequence[float]]]]


def test_regions_of_several_networks_worst_of_the_first_on_top() -> None:
    figure = regions_comparison_figure(
        {"one": {"nose": 3, "left_eye": 5}, "two": {"nose": 4, "left_eye": np.nan}}
    )
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["nose", "left eye"]
    assert [np.asarray(line.get_xdata()).tolist()[0] for line in axes.lines] == [3, 4]
    assert axes.get_xlim()[0] == 0


def test_a_network_has_the_same_color_wherever_it_stands() -> None:
    figure = regions_comparison_figure({"two": {"nose": 4}}, palette_names=["one", "two"])
    assert figure.axes[0].lines[0].get_color() == SERIES[1][0]


def test_slices_have_a_panel_an_attribute() -> None:
    labels = ["under 32 px", "32 to 48 px", "48 px and more"]
    panels: Panels = {
        "Size": (labels, {"one": [5.0, 4, np.nan], "two": [6, 5, 4]}),
        "Yaw": (["a"], {"one": [1], "two": [2]}),
    }
    figure = slices_figure(panels)
    assert [axes.get_title() for axes in figure.axes] == ["Size", "Yaw"]
    first = figure.axes[0]
    assert [label.get_text() for label in first.get_xticklabels()] == [
        "under 32 px",
        "32–48 px",
        "48 px +",
    ]
    assert np.asarray(first.lines[1].get_ydata()).tolist() == [6, 5, 4]
    assert first.get_ylim()[0] == 0
    assert first.get_ylim()[1] > 6


def test_training_of_several_runs_shares_its_epochs() -> None:
    figure = trainings_figure(
        {"one": {"val_nme": {0.0: 9.0, 1.0: 5.0}}, "two": {"train_loss": {0.0: 3.0}}}
    )
    upper, lower = figure.axes
    assert [np.asarray(line.get_ydata()).tolist() for line in upper.lines] == [[9, 5], []]
    assert [np.asarray(line.get_ydata()).tolist() for line in lower.lines] == [[], [3]]
