"""Accuracy against time, one dot a network: what lies to the left and below of another is both faster and more accurate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from facedots.view.curves import BLUE, GREY, ORANGE


@dataclass(frozen=True)
class Dot:
    """One network.

    Attributes:
        name: Stands beside it.
        ms: Milliseconds a face.
        error: In percent.
        ours: One of facedots' networks.
        known: It was trained on these very faces: drawn hollow.
    """

    name: str
    ms: float
    error: float
    ours: bool
    known: bool = False


def front(dots: Sequence[Dot]) -> list[Dot]:
    """Those that none is both faster and more accurate than, fastest first; what was trained on the faces does not count.

    >>> some = [Dot("a", 1, 5, True), Dot("b", 2, 6, False), Dot("c", 3, 4, False), Dot("d", 1, 1, False, known=True)]
    >>> [dot.name for dot in front(some)]
    ['a', 'c']
    """
    best: list[Dot] = []
    for dot in sorted((dot for dot in dots if not dot.known), key=lambda dot: (dot.ms, dot.error)):
        if not best or dot.error < best[-1].error:
            best.append(dot)
    return best


def pareto_figure(panels: Mapping[str, Sequence[Dot]]) -> Figure:
    """One panel a data set, time on a logarithmic axis, the front as a line.

    Args:
        panels: Title -> the networks measured on that set.
    """
    figure = Figure(figsize=(5.2 * len(panels), 4.2), layout="constrained")
    for axes, (title, dots) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        _panel(axes, dots)
        axes.set_title(title)
    return figure


def _panel(axes: Axes, dots: Sequence[Dot]) -> None:
    steps = front(dots)
    axes.step([dot.ms for dot in steps], [dot.error for dot in steps], where="post", color=GREY, linewidth=1, linestyle=":")
    for dot in dots:
        colour = BLUE if dot.ours else ORANGE
        axes.plot(dot.ms, dot.error, "o", color=colour, markersize=8, fillstyle="none" if dot.known else "full")
        label = dot.name.removeprefix("facedots ") + " (trained on these)" * dot.known
        weight = "bold" if dot.ours else "normal"
        axes.annotate(label, (dot.ms, dot.error), (0, 8), textcoords="offset points", ha="center", color=colour, weight=weight)
    axes.set_xscale("log")
    axes.margins(x=0.2, y=0.15)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set(xlabel="processor time a face, one core, ms (logarithmic)", ylabel="NME*, %")
