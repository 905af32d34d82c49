"""Accuracy against time, one dot a network: what lies to the left and below of another is both
faster and more accurate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter
from matplotlib.transforms import Bbox

from facedots.plots import BLUE, GRAY, ORANGE


@dataclass(frozen=True)
class Dot:
    """One network.

    Attributes:
        name: Its label.
        ms: Milliseconds a face.
        error: In percent.
        ours: One of facedots' networks.
        trained_on_it: It was trained on these very faces: drawn hollow.
    """

    name: str
    ms: float
    error: float
    ours: bool
    trained_on_it: bool = False


def front(dots: Sequence[Dot]) -> list[Dot]:
    """Those that none is both faster and more accurate than, fastest first; what was trained on the
    faces does not count.

    >>> slow, fast = Dot("a", 2, 6, False), Dot("b", 1, 5, True)
    >>> best, trained = Dot("c", 3, 4, False), Dot("d", 1, 1, False, trained_on_it=True)
    >>> [dot.name for dot in front([slow, fast, best, trained])]
    ['b', 'c']
    """
    best: list[Dot] = []
    for dot in sorted(
        (dot for dot in dots if not dot.trained_on_it), key=lambda dot: (dot.ms, dot.error)
    ):
        if not best or dot.error < best[-1].error:
            best.append(dot)
    return best


def pareto_figure(panels: Mapping[str, Sequence[Dot]]) -> Figure:
    """One panel a data set, time on a logarithmic axis, the front as a dotted line.

    Args:
        panels: Title -> the networks measured on that set.
    """
    figure = Figure(figsize=(5.6 * len(panels), 4.4), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, dots) in zip(grid, panels.items(), strict=True):
        _panel(axes, dots)
        axes.set_title(title)
    figure.draw_without_rendering()  # pixel distances are defined from here on
    for axes, dots in zip(grid, panels.values(), strict=True):
        _name(axes, dots)
    return figure


def _panel(axes: Axes, dots: Sequence[Dot]) -> None:
    for dot in dots:
        axes.plot(
            dot.ms,
            dot.error,
            "o",
            color=_color(dot),
            markersize=8,
            fillstyle="none" if dot.trained_on_it else "full",
        )
    axes.set_xscale("log")
    axes.margins(x=0.18, y=0.14)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    if steps := front(dots):
        times, errors = [dot.ms for dot in steps], [dot.error for dot in steps]
        axes.step(
            [times[0], *times, right],
            [top, *errors, errors[-1]],
            where="post",
            color=GRAY,
            linewidth=1.2,
            linestyle=":",
        )
    axes.set(
        xlim=(left, right),
        ylim=(bottom, top),
        xlabel="processor time a face on one core, ms",
        ylabel="NME*, %",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    note = (
        "no network is left of and below the dotted line"
        + "\nhollow: trained on these faces" * any(dot.trained_on_it for dot in dots)
    )
    axes.text(
        0.99,
        0.01,
        note,
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        color=GRAY,
        fontsize="small",
    )


def _name(axes: Axes, dots: Sequence[Dot]) -> None:
    """Label the dots: each name in the first free place around its dot."""
    taken = [
        Bbox.from_bounds(x - 7, y - 7, 14, 14)
        for x, y in axes.transData.transform([(dot.ms, dot.error) for dot in dots])
    ]
    for dot in sorted(dots, key=lambda dot: (not dot.ours, dot.error)):
        for place in _PLACES:
            text = axes.annotate(
                dot.name.removeprefix("facedots "),
                (dot.ms, dot.error),
                place[:2],
                textcoords="offset points",
                ha=place[2],
                va="center",
                color=_color(dot),
                weight="bold" if dot.ours else "normal",
                in_layout=False,
            )
            box = text.get_window_extent()
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            if place is _PLACES[-1] or (inside and not box.count_overlaps(taken)):
                taken.append(box)
                break
            text.remove()


_PLACES = (
    *((0, 12, "center"), (0, -12, "center"), (8, 0, "left"), (-8, 0, "right")),
    *(
        (x, sign * y, side)
        for beside, above in ((10, 24), (20, 36))
        for x, y, side in ((6, beside, "left"), (-6, beside, "right"), (0, above, "center"))
        for sign in (1, -1)
    ),
)
"""Where a name may stand: points to the right of its dot, points above it, alignment; what is left
at the end is taken anyway.
"""


def _color(dot: Dot) -> str:
    return BLUE if dot.ours else ORANGE
