from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from facedots.errors import DataError
from facedots.evaluation.result import training_history
from facedots.io.images import read_image
from facedots.plots.curves import (
    CYCLE,
    ced_figure,
    color_cycle,
    regions_figure,
    save_figure,
    slices_figure,
    training_figure,
)

Panels = Mapping[str, tuple[Sequence[str], Mapping[str, Sequence[float]]]]


def test_ced_figure_draws_the_exact_staircase_and_marks_median_and_failures() -> None:
    axes = ced_figure({"net": [2, 4, 6, np.inf]}, {"floor": [20, 30, 40, 50]}).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[0, 0], [2, 25], [4, 50], [6, 75], [10, 75]]  # type: ignore[union-attr]
    assert axes.lines[0].get_drawstyle() == "steps-post"
    assert axes.lines[1].get_xydata().tolist() == [[0, 0], [10, 0]]  # type: ignore[union-attr]
    assert [text.get_text() for text in axes.texts] == ["median 5.00 %", "FR10 25.0 %"]
    legend = axes.get_legend()
    assert legend is not None
    # The mean of 80, 60, 40 and 0 %.
    assert [text.get_text() for text in legend.get_texts()] == [
        "net: AUC 45.0 %",
        "floor: AUC 0.0 %",
    ]


def test_ced_figure_leaves_out_a_median_beyond_its_end() -> None:
    axes = ced_figure({"net": [20, np.inf, 3]}).axes[0]
    assert [text.get_text() for text in axes.texts] == ["FR10 66.7 %"]


def test_several_networks_are_drawn_alike() -> None:
    axes = ced_figure({"one": [2, np.inf], "two": [4, 6]}).axes[0]
    assert [np.asarray(line.get_xydata()).tolist() for line in axes.lines] == [
        [[0, 0], [2, 50], [10, 50]],
        [[0, 0], [4, 50], [6, 100], [10, 100]],
    ]
    assert not list(axes.texts)
    assert axes.get_legend() is None  # below the figure, where no curve is
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "one: AUC 40.0 %",
        "two: AUC 50.0 %",
    ]


def test_colors_are_distinct_and_repeat() -> None:
    names = [str(i) for i in range(9)]
    styles = list(color_cycle(names).values())
    assert len(set(styles[:7])) == 7
    assert styles[7] == styles[0] == CYCLE[0]


def test_regions_stand_worst_on_top_and_unknown_ones_nowhere() -> None:
    axes = regions_figure({"net": {"nose": 3.0, "left_eye": 5.0, "jaw": float("nan")}}, 4.0).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["nose", "left eye"]
    assert [bar.get_width() for bar in axes.patches] == [3, 5]  # type: ignore[attr-defined]
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [4, 4]


def test_regions_of_several_networks_worst_of_the_first_on_top() -> None:
    figure = regions_figure(
        {"one": {"nose": 3, "left_eye": 5}, "two": {"nose": 4, "left_eye": np.nan}}
    )
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["nose", "left eye"]
    assert [np.asarray(line.get_xdata()).tolist()[0] for line in axes.lines] == [3, 4]
    assert [line.get_color() for line in axes.lines] == [CYCLE[0][0], CYCLE[1][0]]
    assert axes.get_xlim()[0] == 0


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


def test_figure_is_saved_whole(tmp_path: Path) -> None:
    figure = Figure(figsize=(5, 4.6))
    save_figure(figure, tmp_path / "new" / "a.png", dpi=50)
    assert read_image(tmp_path / "new" / "a.png").shape == (230, 250, 3)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


LOG = """epoch,step,train_loss_step,train_loss_epoch,val_loss,val_nme,lr
0,9,9.0,,,,0.001
0,19,7.0,,,,0.002
0,19,,8.0,5.0,12.0,
1,29,5.0,,,,0.001
1,39,,5.0,4.0,7.5,
2,59,,4.5,4.5,8.0,
,60,,1.0,,,
"""


def test_training_figure_averages_by_epoch_and_marks_the_best(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG)
    loss, nme, rate = training_figure({"run": training_history(tmp_path / "metrics.csv")}).axes
    assert np.asarray(loss.lines[0].get_xydata()).tolist() == [[1, 8], [2, 5], [3, 4.5]]
    assert np.asarray(loss.lines[1].get_xydata()).tolist() == [[1, 5], [2, 4], [3, 4.5]]
    assert np.asarray(nme.lines[0].get_xydata()).tolist() == [[1, 12], [2, 7.5], [3, 8]]
    assert nme.get_title(loc="right") == "best 7.50 % in epoch 2"
    assert np.asarray(rate.lines[0].get_xydata()) == pytest.approx(
        np.array([[1, 0.0015], [2, 0.001]])
    )


def test_training_figure_draws_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,train_loss\n0,3\n1,2\n")
    assert len(training_figure({"run": training_history(tmp_path / "metrics.csv")}).axes) == 1


def test_training_figure_of_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,step,val_nme\n0,1,\n")
    with pytest.raises(DataError, match="val_nme"):
        training_figure({"run": training_history(tmp_path / "metrics.csv")})


def test_training_of_several_runs_shares_its_epochs() -> None:
    figure = training_figure(
        {"one": {"val_nme": {0.0: 9.0, 1.0: 5.0}}, "two": {"train_loss": {0.0: 3.0}}}
    )
    upper, lower = figure.axes
    assert [np.asarray(line.get_ydata()).tolist() for line in lower.lines] == [[9, 5], []]
    assert [np.asarray(line.get_ydata()).tolist() for line in upper.lines] == [[], [3]]
