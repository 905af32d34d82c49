"""Render a Jinja2 template as one self-contained HTML file, with style, figures and images inside.

Templates are next to the code that fills them and extend ``plots/templates/page.html.j2``; the
parts of a page are macros of ``plots/templates/macros.html.j2``.
"""

import base64
import io
import itertools
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from facedots.geometry import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = str | float | None
"""Of a table: text; a whole number; a number, shown to two decimals; None and what is not finite,
shown as a dash.
"""

_THEME = {"#000000": "currentColor", "#ffffff": "var(--page)", "#dddddd": "var(--line)"}
"""matplotlib's colors of text, background and grid -> those of the page, light or dark."""


def render_page(template_name: str, **context: object) -> str:
    """Render a whole page. Every text is escaped, so file names and labels may hold anything.

    Templates have the filters ``svg`` (matplotlib figure, caption), ``jpeg`` (RGB image to a data
    URI), ``cell`` and ``numeric_columns``.

    Args:
        template_name: Path below the package, as in ``"evaluation/templates/report.html.j2"``.
        **context: Variables of the template; ``title`` is required, ``intro`` optional.
    """
    environment = Environment(
        loader=PackageLoader("facedots", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    number = itertools.count(1)
    environment.filters |= {
        "svg": lambda figure, caption: figure_svg(figure, caption, f"figure{next(number)}"),
        "jpeg": jpeg_uri,
        "cell": cell_text,
        "numeric_columns": numeric_columns,
    }
    environment.globals["contents"] = _Contents()
    return environment.get_template(template_name).render({"intro": "", **context})


class _Contents:
    """Anchors of the headings of a page, each once, and the entries of its table of contents."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []
        self._anchors: set[str] = set()

    def anchor(self, text: str, level: int) -> str:
        stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part"
        names = itertools.chain([stem], (f"{stem}-{i}" for i in itertools.count(2)))
        anchor = next(name for name in names if name not in self._anchors)
        self._anchors.add(anchor)
        if level == 2:
            self.entries.append((anchor, text))
        return anchor


def numeric_columns(rows: Sequence[Sequence[Cell]]) -> set[int]:
    """Columns after the first with a cell that is not text; they are aligned on the right.

    >>> numeric_columns([["a", "b", 1], ["c", None, "d"]])
    {1, 2}
    """
    return {i for row in rows for i, cell in enumerate(row) if i and not isinstance(cell, str)}


def cell_text(cell: Cell) -> str:
    """A cell as text.

    >>> [cell_text(cell) for cell in ("x", 3, 0.5, None, float("nan"))]
    ['x', '3', '0.50', '–', '–']
    """
    if isinstance(cell, str):
        return cell
    if cell is None or not math.isfinite(cell):
        return "–"
    return str(cell) if isinstance(cell, int) else f"{cell:.2f}"


def figure_svg(figure: "Figure", caption: str, prefix: str) -> Markup:
    """A matplotlib figure as one ``<svg>`` element without background, with a caption for screen
    readers and a prefix of all ids; black, white and ``#dddddd`` follow the page's colors.
    """
    from matplotlib import rc_context

    data = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "facedots"}):
        metadata = {"Date": None, "Creator": None}
        figure.savefig(data, format="svg", transparent=True, metadata=metadata)
    svg = data.getvalue()
    svg = svg[svg.index("<svg") :]
    dropped = r"<metadata>.*?</metadata>|<style.*?</style>|font-family: [^;\"]*;?"
    svg = re.sub(dropped, "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{prefix}-", svg)
    for color, variable in _THEME.items():
        svg = re.sub(rf"\b(fill|stroke): {color}\b", rf"\1: {variable}", svg)
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1))


def jpeg_uri(image: Image) -> str:
    """An RGB image ``uint8 (H, W, 3)`` as a data URI."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
