"""Errors and training curves of one or several networks as matplotlib figures: arrays in, figures
out, without pyplot's global state.
"""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from facedots.errors import DataError
from facedots.io.files import atomic_write
from facedots.uncertainty import Doubles

BLUE, ORANGE, GREEN, PINK, GRAY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#777777"
"""Okabe and Ito's colors, which color-blind people can tell apart."""

CYCLE = [(color, "-") for color in (BLUE, ORANGE, GREEN, PINK)]
CYCLE += [(color, "--") for color in ("#E69F00", "#56B4E9", GRAY)]
"""Colors and line styles of several networks in one figure; they repeat."""


def save_figure(figure: Figure, path: str | Path, dpi: int = 150) -> None:
    """Write a figure in the format of the path's ending, whole or not at all.

    Raises:
        OutputError: The folder cannot be written.
    """
    data = io.BytesIO()
    figure.savefig(data, format=Path(path).suffix.removeprefix(".").lower() or "png", dpi=dpi)
    atomic_write(path, data.getvalue())


def color_cycle(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Color and line style of each name, by its position."""
    return {name: CYCLE[i % len(CYCLE)] for i, name in enumerate(names)}


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one plain drawing area; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    style_axes(axes)
    return figure, axes


def new_panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with plain drawing areas in two columns, each so high; sizes in inches."""
    rows = -(-count // 2)
    figure = Figure(figsize=(width, height * rows + 0.4), layout="constrained")
    panels: list[Axes] = figure.subplots(rows, 2, squeeze=False).ravel().tolist()
    for axes in panels[count:]:
        axes.set_axis_off()
    for axes in panels[:count]:
        style_axes(axes)
    return figure, panels[:count]


def style_axes(axes: Axes) -> None:
    """Remove the frame and put a light grid behind the curves."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def shared_legend(figure: Figure, axes: Axes) -> None:
    """Put the legend of one drawing area below the whole figure."""
    handles, labels = axes.get_legend_handles_labels()
    columns = max(1, min(4, len(labels)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def ced_curve(errors: ArrayLike, limit: float = 10.0) -> tuple[Doubles, Doubles]:
    """Corners of the cumulative error distribution, a staircase from 0 to a limit in percent.

    Args:
        errors: NME of each face ``(N,)`` in percent; ``inf`` for a missed face.
        limit: Where the curve ends.

    Returns:
        Errors ``(M,)``, and the percentage of faces ``(M,)`` with at most that error.

    Raises:
        ValueError: No face, or NaN among them.

    >>> [corner.tolist() for corner in ced_curve([2, 4, 4, 30])]
    [[0.0, 2.0, 4.0, 10.0], [0.0, 25.0, 75.0, 75.0]]
    """
    ordered = np.sort(np.asarray(errors, np.float64))
    if not len(ordered) or np.isnan(ordered).any():
        raise ValueError("no faces, or some not measurable: leave those out first")
    corners = np.unique([0.0, *ordered[ordered <= limit], limit])
    return corners, 100 * np.searchsorted(ordered, corners, side="right") / len(ordered)


def ced_figure(
    errors: Mapping[str, ArrayLike],
    baselines: Mapping[str, ArrayLike] | None = None,
    threshold: float = 10.0,
) -> Figure:
    """Cumulative error curves: the percentage of faces with at most a given NME; of a single
    network with its median and failure rate.

    Args:
        errors: Network -> NME of each face ``(N,)`` in percent, ``inf`` for a missed face.
        baselines: The same for dashed curves.
        threshold: Where the curves end and failures begin, in percent.
    """
    figure, axes = new_figure(6.6, 4.5)
    baselines = baselines or {}
    dashed = zip(baselines, (GRAY, GREEN, PINK) * 9, strict=False)
    styles = color_cycle(errors) | {name: (color, "--") for name, color in dashed}
    for name, values in {**errors, **baselines}.items():
        corners, share = ced_curve(values, threshold)
        auc = float(np.diff(corners) @ share[:-1]) / threshold
        color, style = styles[name]
        label = f"{name}: AUC {auc:.1f} %"
        axes.step(corners, share, style, where="post", color=color, linewidth=1.9, label=label)
    if len(errors) == 1:
        (values,) = errors.values()
        _mark_median_and_failures(axes, np.asarray(values, np.float64), threshold)
    axes.set(xlim=(0, threshold), ylim=(0, 101), xlabel="NME, %")
    axes.set_ylabel("faces with at most this NME, %")
    if len(errors) == 1:
        axes.legend(loc="upper left", frameon=False)
    else:  # inside, it would lie over the curves of weak networks
        shared_legend(figure, axes)
    return figure


def _mark_median_and_failures(axes: Axes, errors: Doubles, threshold: float) -> None:
    median, failures = float(np.median(errors)), float(100 * np.mean(errors > threshold))
    axes.set_title(f"Cumulative error distribution, {len(errors)} faces")
    annotate = partial(axes.annotate, textcoords="offset points", color=ORANGE)
    if median <= threshold:
        axes.plot([median, median], [0, 50], ":", color=ORANGE, linewidth=1.5)
        axes.plot(median, 50, "o", color=ORANGE)
        annotate(f"median {median:.2f} %", (median, 50), (8, -4))
    offset, arrow = (-10, -34 if failures < 50 else 28), {"arrowstyle": "->", "color": ORANGE}
    text, corner = f"FR{threshold:g} {failures:.1f} %", (threshold, 100 - failures)
    annotate(text, corner, offset, ha="right", arrowprops=arrow)


def regions_figure(
    by_region: Mapping[str, Mapping[str, float]], overall: float | None = None
) -> Figure:
    """Mean NME of each region, the worst of the first network on top: bars of a single network, one
    dot per network of several.

    Args:
        by_region: Network -> region -> NME in percent, NaN where unknown.
        overall: NME over all points, drawn as a line.
    """
    first = next(iter(by_region.values()))
    regions = sorted(first, key=lambda region: np.nan_to_num(first[region]))
    if len(by_region) == 1:
        regions = [region for region in regions if math.isfinite(first[region])]
    figure, axes = new_figure(6.6, 1.0 + 0.41 * max(len(regions), 2))
    places = range(len(regions))
    for name, (color, _) in color_cycle(by_region).items():
        values = [by_region[name].get(region, np.nan) for region in regions]
        if len(by_region) > 1:
            axes.plot(values, places, "o", color=color, markersize=7, alpha=0.85, label=name)
            continue
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        bars = axes.barh(places, values, color=color, height=0.65)
        axes.bar_label(bars, fmt="%.2f", padding=4, bbox=box)
        axes.grid(False, axis="y")
        axes.margins(x=0.12)
    axes.set_yticks(places, [region.replace("_", " ") for region in regions])
    axes.set_xlim(left=0)
    axes.set_xlabel("NME, %")
    if overall is not None:
        axes.axvline(overall, color=ORANGE, linestyle="--", label=f"all points {overall:.2f} %")
    shared_legend(figure, axes)
    return figure


def slices_figure(
    panels: Mapping[str, tuple[Sequence[str], Mapping[str, Sequence[float]]]],
) -> Figure:
    """Mean NME over slices of the faces, one panel per attribute.

    Args:
        panels: Title -> labels of S slices, and network -> NME in percent ``(S,)``, NaN if empty.
    """
    figure, grid = new_panels(len(panels), 8.8, 3.1)
    for axes, (title, (labels, values)) in zip(grid, panels.items(), strict=True):
        for name, (color, style) in color_cycle(values).items():
            axes.plot(values[name], style, marker="o", color=color, label=name)
        ticks = [label.replace(" to ", "–").replace(" and more", " +") for label in labels]
        axes.set_xticks(range(len(labels)), ticks)
        axes.tick_params(axis="x", labelsize=8)
        axes.margins(x=0.12)
        axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
        axes.set(title=title, ylabel="NME, %")
    if len(next(iter(panels.values()))[1]) > 1:
        shared_legend(figure, grid[0])
    return figure


_LINES = {"train_loss": ("training", GRAY), "val_loss": ("validation", BLUE)}
_LINES |= {"val_nme": ("", BLUE), "lr": ("", GREEN)}
"""Column of a log -> label and color where it is the log of a single run."""

_NME = {"validation NME, %": ("val_nme",)}
_PANELS = {"loss": ("train_loss", "val_loss"), **_NME, "learning rate": ("lr",)}
_PANELS_OF_SEVERAL = {"training loss": ("train_loss",), **_NME}


def training_figure(histories: Mapping[str, Mapping[str, Mapping[float, float]]]) -> Figure:
    """Loss, validation NME and learning rate of one run by epoch; training loss and validation NME
    of several.

    Args:
        histories: Run -> column -> epoch -> value, see
            :func:`~facedots.evaluation.result.training_history`.

    Raises:
        DataError: It has none of the columns ``train_loss``, ``val_loss``, ``val_nme``, ``lr``.
    """
    single = len(histories) == 1
    present = {column for history in histories.values() for column in history}
    panels = _PANELS if single else _PANELS_OF_SEVERAL
    panels = {title: columns for title, columns in panels.items() if present & set(columns)}
    if not panels:
        source, names = ", ".join(histories), ", ".join(_LINES)
        raise DataError(f"{source}: none of the columns {names} has a number in it")
    figure = Figure(figsize=(6.8, 2.5 * len(panels) + 0.4), layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, columns) in zip(rows, panels.items(), strict=True):
        style_axes(axes)
        axes.set_ylabel(title)
        for name, (color, style) in color_cycle(histories).items():
            for column in columns:
                epochs = histories[name].get(column, {})
                label, own_color = _LINES[column] if single else (name, color)
                (line,) = axes.plot([*epochs], [*epochs.values()], style, color=own_color)
                line.set(label=label, marker="o" if single else "", markersize=3)
        if single and "val_nme" in columns:
            (history,) = histories.values()
            best, nme = min(history["val_nme"].items(), key=lambda item: item[1])
            axes.plot(best, nme, "o", color=ORANGE)
            text = f"best {nme:.2f} % in epoch {best:g}"
            axes.set_title(text, color=ORANGE, fontsize="medium", loc="right")
    rows[0].legend(frameon=False)
    rows[-1].set_xlabel("epoch")
    rows[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure
