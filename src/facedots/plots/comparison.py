"""Several networks in one image: error by region, by slice of the test faces, and over the epochs
of training.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from facedots.evaluation.metrics import Doubles
from facedots.evaluation.uncertainty_metrics import ConfidenceBins, Sparsification, coverage
from facedots.plots.curves import GRAY, History, new_figure, series, style_axes


def regions_comparison_figure(
    by_region: Mapping[str, Mapping[str, float]], palette_names: Sequence[str] = ()
) -> Figure:
    """One dot for each network and region at its mean NME; regions that are worst for the first
    network stand on top.

    Args:
        by_region: Name of the network -> region -> NME in percent, NaN where unknown.
        palette_names: As for :func:`facedots.plots.curves.series`.
    """
    first = next(iter(by_region.values()))
    regions = sorted(first, key=lambda region: np.nan_to_num(first[region]))
    figure, axes = new_figure(6.8, 1.1 + 0.4 * len(regions))
    for name, color, _ in series(by_region, palette_names):
        values = [by_region[name].get(region, np.nan) for region in regions]
        axes.plot(
            values, range(len(regions)), "o", color=color, markersize=7, alpha=0.85, label=name
        )
    axes.set_yticks(range(len(regions)), [region.replace("_", " ") for region in regions])
    axes.set_xlim(left=0)
    axes.set(xlabel="NME, %")
    figure.legend(loc="outside upper right", ncols=min(4, len(by_region)), frameon=False)
    return figure


def slices_figure(
    panels: Mapping[str, tuple[Sequence[str], Mapping[str, Sequence[float]]]],
) -> Figure:
    """One panel for each attribute of the faces: mean NME from its lowest slice to its highest.

    Args:
        panels: Title -> labels of the S slices, and name of the network -> NME in percent ``(S,)``,
            NaN for an empty slice.
    """
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(8.8, 3.1 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, (title, (labels, values)) in zip(grid, panels.items(), strict=False):
        style_axes(axes)
        for name, color, style in series(values):
            axes.plot(
                range(len(labels)),
                values[name],
                marker="o",
                color=color,
                linestyle=style,
                label=name,
            )
        axes.set_xticks(
            range(len(labels)),
            [label.replace(" to ", "–").replace(" and more", " +") for label in labels],
        )
        axes.tick_params(axis="x", labelsize=8)
        axes.margins(x=0.12)
        axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
        axes.set(title=title, ylabel="NME, %")
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    names = next(iter(panels.values()))[1]
    if len(names) > 1:
        figure.legend(
            *grid[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=min(4, len(names)),
            frameon=False,
        )
    return figure


def trainings_figure(histories: Mapping[str, History], palette_names: Sequence[str] = ()) -> Figure:
    """Validation NME (``val_nme``) and training loss (``train_loss``) of several runs over their
    epochs.

    Args:
        histories: Name of the run -> what :func:`facedots.plots.curves.training_history` read.
        palette_names: As for :func:`facedots.plots.curves.series`.
    """
    figure = Figure(figsize=(6.8, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for name, color, style in series(histories, palette_names):
        for axes, column in ((upper, "val_nme"), (lower, "train_loss")):
            epochs = histories[name].get(column, {})
            axes.plot(list(epochs), list(epochs.values()), color=color, linestyle=style, label=name)
    for axes, label in ((upper, "validation NME, %"), (lower, "training loss")):
        style_axes(axes)
        axes.set_ylabel(label)
    upper.legend(frameon=False)
    lower.set_xlabel("epoch")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


_PROMISES = np.linspace(0, 1, 101)


def reliability_figure(
    covering: Mapping[str, Doubles],
    confidence: Mapping[str, ConfidenceBins],
    palette_names: Sequence[str] = (),
) -> Figure:
    """Two panels on whose diagonals the network keeps its promises.

    Left, the share of points that lie in their region, for regions of every probability. Right,
    confidence against the share of points that were as near as it says; a larger dot stands for
    more points.

    Args:
        covering: Name of the network -> what
            :func:`facedots.evaluation.uncertainty_metrics.coverage_probability` gives, of any
            shape.
        confidence: Name of the network -> its bins.
        palette_names: As for :func:`facedots.plots.curves.series`.
    """
    figure = Figure(figsize=(8.8, 4.3), layout="constrained")
    regions, near = figure.subplots(1, 2)
    for axes in (regions, near):
        style_axes(axes)
        axes.plot([0, 100], [0, 100], "--", color=GRAY, linewidth=1)
        axes.set(xlim=(0, 101), ylim=(0, 101), aspect="equal")
    for name, color, style in series(covering, palette_names):
        share = [coverage(covering[name], promise) for promise in _PROMISES]
        regions.plot(100 * _PROMISES, share, color=color, linestyle=style, label=name)
        bins = confidence[name]
        near.plot(bins.said, bins.came, color=color, linestyle=style, linewidth=1)
        near.scatter(bins.said, bins.came, s=6 + 3 * bins.share, color=color, zorder=3)
    regions.plot([50, 90], [50, 90], "o", color=GRAY, markersize=4)
    regions.set(xlabel="probability of the region, %", ylabel="points inside, %")
    near.set(xlabel="confidence, %", ylabel="points within 5 % of the eye distance, %")
    figure.legend(
        *regions.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(4, len(covering)),
        frameon=False,
    )
    return figure


def sparsification_figure(
    curves: Mapping[str, Sparsification], palette_names: Sequence[str] = ()
) -> Figure:
    """Mean NME of the faces that remain when the least sure ones are left out; dotted, if the worst
    ones were.

    Args:
        curves: Name of the network -> its curve over the faces.
        palette_names: As for :func:`facedots.plots.curves.series`.
    """
    figure, axes = new_figure(6.4, 4.0)
    for name, color, style in series(curves, palette_names):
        curve = curves[name]
        few = np.unique(np.linspace(0, len(curve.removed) - 1, 200).astype(int))
        label = f"{name}: AUSE {curve.ause:.0f} % of random"
        axes.plot(
            curve.removed[few], curve.remaining[few], color=color, linestyle=style, label=label
        )
        axes.plot(curve.removed[few], curve.best[few], ":", color=color, linewidth=1.2)
        axes.plot([0, 100], [curve.random, curve.random], "-", color=color, linewidth=0.5)
    axes.set(
        xlabel="faces left out, largest sigma first, %",
        ylabel="mean NME of the others, %",
        xlim=(0, 100),
    )
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.legend(loc="lower left", frameon=False)
    return figure
