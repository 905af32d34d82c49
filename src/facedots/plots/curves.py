"""Curves and bars of training and testing, as matplotlib figures. No global state: nothing here
touches pyplot.
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from facedots.errors import DataError
from facedots.evaluation.metrics import auc, ced_curve, failure_rate
from facedots.io.files import atomic_write

BLUE, ORANGE, GREEN, PINK, GRAY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#777777"
"""Okabe and Ito's colors, which people who see colors differently can tell apart."""

SERIES = (
    (BLUE, "-"),
    (ORANGE, "-"),
    (GREEN, "-"),
    (PINK, "-"),
    ("#E69F00", "--"),
    ("#56B4E9", "--"),
    (GRAY, "--"),
)
"""Colors and line styles of several networks in one image; they repeat."""

History = Mapping[str, Mapping[float, float]]
"""What was logged in training: column -> epoch -> value."""


def save_figure(figure: Figure, path: str | Path, dpi: int = 150) -> None:
    """Write a figure in the format of the path's ending, whole or not at all.

    Raises:
        OutputError: The folder cannot be written.
    """
    data = io.BytesIO()
    figure.savefig(data, format=Path(path).suffix.removeprefix(".").lower() or "png", dpi=dpi)
    atomic_write(path, data.getvalue())


def series(
    names: Iterable[str], palette_names: Sequence[str] = ()
) -> Iterator[tuple[str, str, str]]:
    """Name, color and line style of each; the same in several images if all have the same names to
    choose ``palette_names``.
    """
    drawn = list(names)
    places = {name: i for i, name in enumerate(palette_names or drawn)}
    for name in drawn:
        yield name, *SERIES[places[name] % len(SERIES)]


def several_ced_figure(curves: Mapping[str, ArrayLike], threshold: float = 10.0) -> Figure:
    """Cumulative error curves of several networks with equal rights; arguments as those of
    :func:`ced_figure`.
    """
    figure, axes = new_figure(6.8, 4.6)
    for name, color, style in series(curves):
        corners, share = ced_curve(curves[name], threshold)
        label = f"{name}: AUC {auc(curves[name], threshold):.1f} %"
        axes.step(
            corners, share, where="post", linestyle=style, color=color, linewidth=1.8, label=label
        )
    axes.set(
        xlim=(0, threshold), ylim=(0, 101), xlabel="NME, %", ylabel="faces with at most this NME, %"
    )
    axes.legend(loc="lower right", frameon=False)
    return figure


def ced_figure(curves: Mapping[str, ArrayLike], threshold: float = 10.0) -> Figure:
    """Cumulative error curves: which share of the faces has an NME of at most so much.

    Args:
        curves: Name -> NME of each face ``(N,)`` in percent, ``inf`` for a missed one. The first is
            the network under test: its median and its failure rate are marked; the others stand
            dashed beside it.
        threshold: Where the curves end and failures begin, in percent.
    """
    figure, axes = new_figure(6.4, 4.4)
    for i, (name, errors) in enumerate(curves.items()):
        corners, share = ced_curve(errors, threshold)
        label = f"{name}: AUC {auc(errors, threshold):.1f} %"
        style, color = ("-", BLUE) if i == 0 else ("--", (GRAY, GREEN, PINK)[(i - 1) % 3])
        axes.step(
            corners, share, where="post", linestyle=style, color=color, linewidth=2, label=label
        )
    errors = np.asarray(next(iter(curves.values())), float)
    median, failed = float(np.median(errors)), failure_rate(errors, threshold)
    if median <= threshold:
        axes.plot([median, median], [0, 50], ":", color=ORANGE, linewidth=1.5)
        axes.plot(median, 50, "o", color=ORANGE)
        axes.annotate(
            f"median {median:.2f} %",
            (median, 50),
            (8, -4),
            textcoords="offset points",
            color=ORANGE,
        )
    axes.annotate(
        f"FR{threshold:g} {failed:.1f} %",
        (threshold, 100 - failed),
        (-10, -34 if failed < 50 else 28),
        textcoords="offset points",
        ha="right",
        color=ORANGE,
        arrowprops={"arrowstyle": "->", "color": ORANGE},
    )
    axes.set(
        xlim=(0, threshold), ylim=(0, 101), xlabel="NME, %", ylabel="faces with at most this NME, %"
    )
    axes.set_title(f"Cumulative error distribution, {len(errors)} faces")
    axes.legend(loc="upper left", frameon=False)
    return figure


def regions_figure(by_region: Mapping[str, float], overall: float) -> Figure:
    """Bars of the mean NME in percent of each region, worst on top, with the NME of all points as a
    line.

    A region without a number (NaN) is left out.
    """
    known = sorted((value, region) for region, value in by_region.items() if math.isfinite(value))
    figure, axes = new_figure(6.4, 0.9 + 0.42 * max(len(known), 2))
    bars = axes.barh(
        [region.replace("_", " ") for _, region in known],
        [value for value, _ in known],
        color=BLUE,
        height=0.65,
    )
    axes.axvline(overall, color=ORANGE, linestyle="--", label=f"all points {overall:.2f} %")
    axes.bar_label(
        bars, fmt="%.2f", padding=4, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1}
    )
    axes.grid(False, axis="y")
    axes.margins(x=0.12)
    axes.set(xlabel="NME, %", title="Error by region")
    figure.legend(loc="outside lower right", frameon=False)
    return figure


def calibration_figure(
    sigma: ArrayLike, rms: ArrayLike, typical: ArrayLike, unit: str = "% of eye distance"
) -> Figure:
    """Predicted sigma against the errors that came, one dot a bin; on the diagonal sigma means what
    it says.

    Args:
        sigma: Predicted, ``(B,)``.
        rms: Standard deviation of the errors in each bin, ``(B,)``.
        typical: The same estimated from the median error.
        unit: Of all three.
    """
    figure, axes = new_figure(5.0, 4.6)
    said = np.asarray(sigma, float)
    top = 1.08 * float(np.max([said, np.asarray(rms, float), np.asarray(typical, float)]))
    axes.plot([0, top], [0, top], "--", color=GRAY, linewidth=1, label="what it should be")
    axes.plot(said, rms, "o-", color=ORANGE, label="standard deviation of the errors")
    axes.plot(said, typical, "s-", color=BLUE, label="the same, from the median error")
    axes.set(
        xlim=(0, top),
        ylim=(0, top),
        xlabel=f"predicted sigma, {unit}",
        ylabel=f"error that came, {unit}",
    )
    axes.set_title("Does sigma mean what it says?")
    axes.legend(loc="upper left", frameon=False)
    return figure


def training_figure(metrics_csv: str | Path) -> Figure:
    """Loss and validation NME of a training run, by epoch.

    Args:
        metrics_csv: Lightning's ``metrics.csv``. Its columns ``train_loss`` (or
            ``train_loss_epoch``), ``val_loss``, ``val_nme`` and ``lr`` are drawn over ``epoch``, as
            far as they are there. Any cell may be empty; what was logged several times in an epoch
            is averaged.

    Raises:
        DataError: The file is not there, or nothing that can be drawn is in it.
    """
    return history_figure(training_history(metrics_csv), metrics_csv)


def history_figure(with_numbers: History, source: object = "the log of the run") -> Figure:
    """What :func:`training_figure` draws, of a log that was read; errors call it ``source``."""
    panels = {
        title: lines
        for title, lines in _PANELS.items()
        if any(name in with_numbers for name in lines)
    }
    if not panels:
        wanted = [name for lines in _PANELS.values() for name in lines]
        raise DataError(f"{source}: none of the columns {', '.join(wanted)} has a number in it")
    figure = Figure(figsize=(6.8, 2.5 * len(panels) + 0.4), layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, lines) in zip(rows, panels.items(), strict=True):
        style_axes(axes)
        axes.set_ylabel(title)
        for name, (label, color) in lines.items():
            if name in with_numbers:
                epochs = with_numbers[name]
                axes.plot(
                    list(epochs),
                    list(epochs.values()),
                    color=color,
                    label=label,
                    marker="o",
                    markersize=3,
                )
        if len(lines) > 1:
            axes.legend(frameon=False)
        if "val_nme" in lines:
            _mark_best(axes, with_numbers["val_nme"])
    rows[-1].set_xlabel("epoch")
    rows[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


_PANELS = {
    "loss": {"train_loss": ("training", GRAY), "val_loss": ("validation", BLUE)},
    "validation NME, %": {"val_nme": ("", BLUE)},
    "learning rate": {"lr": ("", GREEN)},
}


def training_history(metrics_csv: str | Path) -> dict[str, dict[float, float]]:
    """Column -> epoch -> mean of the numbers there; columns without any are left out.

    Lightning calls a value that it logs by step and by epoch ``<name>_step`` and ``<name>_epoch``;
    here the latter is ``<name>``.

    Raises:
        DataError: The file cannot be read.
    """
    values: dict[str, dict[float, list[float]]] = {}
    try:
        with Path(metrics_csv).open(newline="") as file:
            for row in csv.DictReader(file):
                epoch = _number(row.get("epoch"))
                numbers = {
                    str(column).removesuffix("_epoch"): _number(cell)
                    for column, cell in row.items()
                }
                for name, value in numbers.items():
                    if math.isfinite(epoch) and math.isfinite(value):
                        values.setdefault(name, {}).setdefault(epoch, []).append(value)
    except OSError as error:
        raise DataError(
            f"{metrics_csv}: cannot be read: {error.strerror}; is this the log of a run?"
        ) from error
    return {
        column: {epoch: float(np.mean(epochs[epoch])) for epoch in sorted(epochs)}
        for column, epochs in values.items()
    }


def _number(cell: object) -> float:
    """The number in a cell; NaN if it is empty, not there, or no number."""
    try:
        return float(str(cell or "nan"))
    except ValueError:
        return math.nan


def _mark_best(axes: Axes, epochs: Mapping[float, float]) -> None:
    best = min(epochs, key=epochs.__getitem__)
    axes.plot(best, epochs[best], "o", color=ORANGE)
    axes.set_title(
        f"best {epochs[best]:.2f} % in epoch {best:g}", color=ORANGE, fontsize="medium", loc="right"
    )


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches with one tidy drawing area."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    style_axes(axes)
    return figure, axes


def style_axes(axes: Axes) -> None:
    """No frame, and a light grid behind what is drawn."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
