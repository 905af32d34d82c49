import numpy as np
import pytest

from facedots.evaluation.uncertainty_metrics import confidence_bins, sparsification
from facedots.plots.comparison import reliability_figure, sparsification_figure


def test_promises_and_what_came() -> None:
    bins = confidence_bins([0.9, 0.9, 0.2, 0.2], [True, True, True, False])
    figure = reliability_figure({"net": np.array([[0.1, 0.6], [0.6, np.nan]])}, {"net": bins})
    regions, near = figure.axes
    share = dict(np.asarray(regions.lines[1].get_xydata()).round(6).tolist())
    # One of three known points is inside from 10 % on, all from 60 % on.
    assert [share[promise] for promise in (0, 9, 11, 50, 61, 100)] == pytest.approx(
        [0, 0, 100 / 3, 100 / 3, 100, 100]
    )
    assert np.asarray(near.lines[1].get_xydata()).tolist() == [[20, 50], [90, 100]]


def test_sparsification_shows_curve_best_and_random() -> None:
    axes = sparsification_figure({"net": sparsification([4, 1, 3, 2], [3, 9, 2, 1])}).axes[0]
    curve, best, random = (np.asarray(line.get_xydata()).tolist() for line in axes.lines)
    assert curve == [[0, 2.5], [25, 3], [50, 2.5], [75, 2]]
    assert best == [[0, 2.5], [25, 2], [50, 1.5], [75, 1]]
    assert random == [[0, 2.5], [100, 2.5]]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["net: AUSE 100 % of random"]
