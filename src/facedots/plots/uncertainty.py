"""Predicted uncertainty against observed errors as matplotlib figures: arrays in, figures out."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from facedots.plots.curves import (
    BLUE,
    GRAY,
    ORANGE,
    color_cycle,
    new_figure,
    shared_legend,
    style_axes,
)

_MAX_POINTS = 200  # of a curve; more would only make the file larger


def calibration_figure(sigma: ArrayLike, rms: ArrayLike, robust: ArrayLike) -> Figure:
    """Observed errors over predicted sigma ``(B,)``, one dot per bin, by standard deviation and by
    median; a calibrated sigma is on the diagonal.
    """
    figure, axes = new_figure(5.0, 4.6)
    top = 1.08 * float(np.max([sigma, rms, robust]))
    axes.plot([0, top], [0, top], "--", color=GRAY, linewidth=1, label="ideal")
    axes.plot(sigma, rms, "o-", color=ORANGE, label="standard deviation of the errors")
    axes.plot(sigma, robust, "s-", color=BLUE, label="the same, from the median error")
    axes.set(xlim=(0, top), ylim=(0, top), title="Calibration of sigma")
    unit = "% of eye distance"
    axes.set(xlabel=f"predicted sigma, {unit}", ylabel=f"observed error, {unit}")
    axes.legend(loc="upper left", frameon=False)
    return figure


def reliability_figure(
    coverage: Mapping[str, ArrayLike | None], confidence: Mapping[str, ArrayLike | None]
) -> Figure:
    """Two panels in which a calibrated network is on the diagonal: the percentage of points inside
    their region, and within 5 % of the eye distance over their confidence.

    Args:
        coverage: Network -> percentage of points inside ``(M,)`` at M probabilities evenly from 0
            to 1; ``None`` where a network predicts no uncertainty.
        confidence: Network -> ``(3, B)``: mean confidence, percentage of points within 5 %, and
            percentage of all points, in each bin; larger dots stand for more points.
    """
    figure = Figure(figsize=(8.8, 4.3), layout="constrained")
    regions, bins = figure.subplots(1, 2)
    for axes in (regions, bins):
        style_axes(axes)
        axes.plot([0, 100], [0, 100], "--", color=GRAY, linewidth=1)
        axes.set(xlim=(0, 101), ylim=(0, 101), aspect="equal")
    for name, (color, style) in color_cycle(coverage).items():
        inside, binned = coverage[name], confidence[name]
        if inside is None or binned is None:
            continue
        nominal = np.linspace(0, 100, np.size(inside))
        regions.plot(nominal, inside, style, color=color, label=name)
        predicted, observed, share = np.asarray(binned)
        bins.plot(predicted, observed, style, color=color, linewidth=1)
        bins.scatter(predicted, observed, s=6 + 3 * share, color=color, zorder=3)
    regions.plot([50, 90], [50, 90], "o", color=GRAY, markersize=4)
    regions.set(xlabel="probability of the region, %", ylabel="points inside, %")
    bins.set(xlabel="confidence, %", ylabel="points within 5 % of the eye distance, %")
    shared_legend(figure, regions)
    return figure


def sparsification_figure(curves: Mapping[str, ArrayLike | None]) -> Figure:
    """Mean NME of the remaining faces as those with the largest sigma are removed; dotted, as those
    with the largest error are (the oracle).

    Args:
        curves: Label -> mean NME of the remaining faces ``(N,)`` by sigma and by error, after 0,
            1, … removals; ``None`` where a network predicts no uncertainty.
    """
    figure, axes = new_figure(6.4, 4.0)
    for label, (color, style) in color_cycle(curves).items():
        curve = curves[label]
        if curve is None:
            continue
        remaining, oracle = np.asarray(curve, np.float64)
        count = len(remaining)
        shown = np.unique(np.linspace(0, count - 1, _MAX_POINTS).astype(int))
        removed = 100 * shown / count
        axes.plot(removed, remaining[shown], style, color=color, label=label)
        axes.plot(removed, oracle[shown], ":", color=color, linewidth=1.2)
        axes.plot([0, 100], [remaining[0]] * 2, "-", color=color, linewidth=0.5)
    axes.set(xlim=(0, 100), ylim=(0, 1.05 * axes.get_ylim()[1]))
    axes.set(xlabel="faces removed, largest sigma first, %", ylabel="mean NME of the others, %")
    axes.legend(loc="lower left", frameon=False)
    return figure
