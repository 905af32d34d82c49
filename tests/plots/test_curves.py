from pathlib import Path

import numpy as np
import pytest

from facedots.errors import DataError
from facedots.io.images import read_image
from facedots.plots.curves import (
    SERIES,
    calibration_figure,
    ced_figure,
    regions_figure,
    save_figure,
    series,
    several_ced_figure,
    training_figure,
    training_history,
)

LOG = """epoch,step,train_loss_step,train_loss_epoch,val_loss,val_nme,lr
0,9,9.0,,,,0.001
0,19,7.0,,,,0.002
0,19,,8.0,5.0,12.0,
1,29,5.0,,,,0.001
1,39,,5.0,4.0,7.5,
2,59,,4.5,4.5,8.0,
,60,,1.0,,,
"""


def test_ced_figure_draws_the_exact_staircase_and_marks_median_and_failures() -> None:
    axes = ced_figure({"net": [2, 4, 6, np.inf], "floor": [20, 30, 40, 50]}).axes[0]
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


def test_several_networks_have_equal_rights() -> None:
    axes = several_ced_figure({"one": [2, np.inf], "two": [4, 6]}).axes[0]
    assert [np.asarray(line.get_xydata()).tolist() for line in axes.lines] == [
        [[0, 0], [2, 50], [10, 50]],
        [[0, 0], [4, 50], [6, 100], [10, 100]],
    ]
    assert not list(axes.texts)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "one: AUC 40.0 %",
        "two: AUC 50.0 %",
    ]


def test_series_are_told_apart_and_repeat() -> None:
    names = [str(i) for i in range(9)]
    styles = [(color, line) for _, color, line in series(names)]
    assert len(set(styles[:7])) == 7
    assert styles[7] == styles[0] == SERIES[0]
    assert list(series(["5"], palette_names=names)) == [("5", *SERIES[5])]


def test_regions_stand_worst_on_top_and_unknown_ones_nowhere() -> None:
    axes = regions_figure({"nose": 3.0, "left_eye": 5.0, "jaw": float("nan")}, 4.0).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["nose", "left eye"]
    assert [bar.get_width() for bar in axes.patches] == [3, 5]  # type: ignore[attr-defined]
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [4, 4]


def test_calibration_figure_has_equal_axes() -> None:
    axes = calibration_figure([1, 2], [1.5, 2], [1, 3]).axes[0]
    assert axes.get_xlim() == pytest.approx((0, 3.24))
    assert axes.get_ylim() == axes.get_xlim()


def test_training_figure_averages_by_epoch_and_marks_the_best(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG)
    loss, nme, rate = training_figure(tmp_path / "metrics.csv").axes
    assert np.asarray(loss.lines[0].get_xydata()).tolist() == [[0, 8], [1, 5], [2, 4.5]]
    assert np.asarray(loss.lines[1].get_xydata()).tolist() == [[0, 5], [1, 4], [2, 4.5]]
    assert np.asarray(nme.lines[0].get_xydata()).tolist() == [[0, 12], [1, 7.5], [2, 8]]
    assert nme.get_title(loc="right") == "best 7.50 % in epoch 1"
    assert np.asarray(rate.lines[0].get_xydata()) == pytest.approx(
        np.array([[0, 0.0015], [1, 0.001]])
    )


def test_training_history_is_the_mean_of_each_epoch(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG)
    history = training_history(tmp_path / "metrics.csv")
    assert history["val_nme"] == {0: 12, 1: 7.5, 2: 8}
    assert history["train_loss_step"] == {0: 8, 1: 5}


def test_training_figure_draws_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,train_loss\n0,3\n1,2\n")
    assert len(training_figure(tmp_path / "metrics.csv").axes) == 1


def test_training_figure_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        training_figure(tmp_path / "metrics.csv")
    (tmp_path / "metrics.csv").write_text("epoch,step,val_nme\n0,1,\n")
    with pytest.raises(DataError, match="val_nme"):
        training_figure(tmp_path / "metrics.csv")


def test_figure_is_saved_whole(tmp_path: Path) -> None:
    figure = calibration_figure([1], [1], [1])
    save_figure(figure, tmp_path / "new" / "a.png", dpi=50)
    assert read_image(tmp_path / "new" / "a.png").shape == (230, 250, 3)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]
