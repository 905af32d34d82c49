import numpy as np
import pytest

from facedots.plots.curves import CYCLE
from facedots.plots.uncertainty import calibration_figure, reliability_figure, sparsification_figure


def test_calibration_figure_has_equal_axes() -> None:
    axes = calibration_figure([1, 2], [1.5, 2], [1, 3]).axes[0]
    assert axes.get_xlim() == pytest.approx((0, 3.24))
    assert axes.get_ylim() == axes.get_xlim()


def test_reliability_shows_coverage_and_confidence() -> None:
    inside = np.repeat([0, 100 / 3, 100], [10, 50, 41])
    bins = [[20, 90], [50, 100], [50, 50]]
    figure = reliability_figure({"none": None, "net": inside}, {"none": None, "net": bins})
    regions, confidence = figure.axes
    share = dict(np.asarray(regions.lines[1].get_xydata()).round(6).tolist())
    assert [share[nominal] for nominal in (0, 9, 11, 50, 61, 100)] == pytest.approx(
        [0, 0, 100 / 3, 100 / 3, 100, 100]
    )
    assert np.asarray(confidence.lines[1].get_xydata()).tolist() == [[20, 50], [90, 100]]
    # A network keeps its color where another predicts no uncertainty.
    assert regions.lines[1].get_color() == CYCLE[1][0]


def test_sparsification_shows_curve_oracle_and_random() -> None:
    curves = {"net: AUSE 100 % of random": ([2.5, 3, 2.5, 2], [2.5, 2, 1.5, 1])}
    axes = sparsification_figure(curves).axes[0]
    curve, oracle, random = (np.asarray(line.get_xydata()).tolist() for line in axes.lines)
    assert curve == [[0, 2.5], [25, 3], [50, 2.5], [75, 2]]
    assert oracle == [[0, 2.5], [25, 2], [50, 1.5], [75, 1]]
    assert random == [[0, 2.5], [100, 2.5]]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(curves)
