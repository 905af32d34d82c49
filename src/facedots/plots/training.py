"""Curves of training runs as matplotlib figures."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from facedots.errors import DataError
from facedots.plots.curves import BLUE, GRAY, GREEN, ORANGE, color_cycle, style_axes

History = Mapping[str, Mapping[float, float]]
"""Training log: column -> epoch -> value."""

_LINES = {
    "train_loss": ("training", GRAY),
    "val_loss": ("validation", BLUE),
    "val_nme": ("", BLUE),
    "lr": ("", GREEN),
}
"""Column of a log -> label and color where it is the log of a single run."""

_PANELS = {
    "loss": ("train_loss", "val_loss"),
    "validation NME, %": ("val_nme",),
    "learning rate": ("lr",),
}
_PANELS_OF_SEVERAL = {"training loss": ("train_loss",), "validation NME, %": ("val_nme",)}


def training_figure(histories: Mapping[str, History]) -> Figure:
    """Loss, validation NME and learning rate of one run by epoch; training loss and validation NME
    of several.

    Args:
        histories: Run -> log, as :func:`~facedots.evaluation.result.training_history` reads it. Of
            the columns ``train_loss``, ``val_loss``, ``val_nme`` and ``lr``, those present are
            drawn.

    Raises:
        DataError: None is present.
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
            _mark_best(axes, next(iter(histories.values()))["val_nme"])
    rows[0].legend(frameon=False)
    rows[-1].set_xlabel("epoch")
    rows[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def _mark_best(axes: Axes, epochs: Mapping[float, float]) -> None:
    best = min(epochs, key=epochs.__getitem__)
    axes.plot(best, epochs[best], "o", color=ORANGE)
    text = f"best {epochs[best]:.2f} % in epoch {best:g}"
    axes.set_title(text, color=ORANGE, fontsize="medium", loc="right")
