from pathlib import Path

import numpy as np
import pytest

from facedots.errors import DataError
from facedots.evaluation.result import training_history
from facedots.plots.curves import training_figure

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
    assert np.asarray(loss.lines[0].get_xydata()).tolist() == [[0, 8], [1, 5], [2, 4.5]]
    assert np.asarray(loss.lines[1].get_xydata()).tolist() == [[0, 5], [1, 4], [2, 4.5]]
    assert np.asarray(nme.lines[0].get_xydata()).tolist() == [[0, 12], [1, 7.5], [2, 8]]
    assert nme.get_title(loc="right") == "best 7.50 % in epoch 1"
    assert np.asarray(rate.lines[0].get_xydata()) == pytest.approx(
        np.array([[0, 0.0015], [1, 0.001]])
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
