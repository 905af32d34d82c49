"""Pictures of an uncertainty: does it promise the right thing, does it put errors in order. One line a network."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from facedots.evaluate.calibration import ConfidenceBins, coverage
from facedots.evaluate.metrics import Doubles
from facedots.evaluate.sparsification import Sparsification
from facedots.view.curves import GREY, new_figure, series, tidy

_PROMISES = np.linspace(0, 1, 101)


def reliability_figure(
    covering: Mapping[str, Doubles], confidence: Mapping[str, ConfidenceBins], among: Sequence[str] = ()
) -> Figure:
    """Two panels on whose diagonals the network keeps its promises.

    Left, the share of points that lie in their region, for regions of every probability. Right, confidence against the share of
    points that were as near as it says; a larger dot stands for more points.

    Args:
        covering: Name of the network -> what :func:`facedots.evaluate.calibration.covering_probability` gives, of any shape.
        confidence: Name of the network -> its bins.
        among: As for :func:`facedots.view.curves.series`.
    """
    figure = Figure(figsize=(8.8, 4.3), layout="constrained")
    regions, near = figure.subplots(1, 2)
    for axes in (regions, near):
        tidy(axes)
        axes.plot([0, 100], [0, 100], "--", color=GREY, linewidth=1)
        axes.set(xlim=(0, 101), ylim=(0, 101), aspect="equal")
    for name, colour, style in series(covering, among):
        share = [coverage(covering[name], promise) for promise in _PROMISES]
        regions.plot(100 * _PROMISES, share, color=colour, linestyle=style, label=name)
        bins = confidence[name]
        near.plot(bins.said, bins.came, color=colour, linestyle=style, linewidth=1)
        near.scatter(bins.said, bins.came, s=6 + 3 * bins.share, color=colour, zorder=3)
    regions.plot([50, 90], [50, 90], "o", color=GREY, markersize=4)
    regions.set(xlabel="probability of the region, %", ylabel="points inside, %")
    near.set(xlabel="confidence, %", ylabel="points within 5 % of the eye distance, %")
    figure.legend(*regions.get_legend_handles_labels(), loc="outside lower center", ncols=min(4, len(covering)), frameon=False)
    return figure


def sparsification_figure(curves: Mapping[str, Sparsification], among: Sequence[str] = ()) -> Figure:
    """Mean NME of the faces that remain when the least sure ones are left out; dotted, if the worst ones were.

    Args:
        curves: Name of the network -> its curve over the faces.
        among: As for :func:`facedots.view.curves.series`.
    """
    figure, axes = new_figure(6.4, 4.0)
    for name, colour, style in series(curves, among):
        curve = curves[name]
        few = np.unique(np.linspace(0, len(curve.removed) - 1, 200).astype(int))
        label = f"{name}: AUSE {curve.ause:.0f} % of random"
        axes.plot(curve.removed[few], curve.remaining[few], color=colour, linestyle=style, label=label)
        axes.plot(curve.removed[few], curve.best[few], ":", color=colour, linewidth=1.2)
        axes.plot([0, 100], [curve.random, curve.random], "-", color=colour, linewidth=0.5)
    axes.set(xlabel="faces left out, largest sigma first, %", ylabel="mean NME of the others, %", xlim=(0, 100))
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.legend(loc="lower left", frameon=False)
    return figure
