"""Render a Jinja2 template as one self-contained HTML file: style, figures and images are inside,
so it opens anywhere, also offline.

Templates lie beside the code that fills them and extend ``plots/templates/page.html.j2``; the
parts of a page are macros of ``plots/templates/macros.html.j2``.
"""

import base64
import io
import itertools
import math
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from facedots.geometry import Image
from facedots.io.files import atomic_write

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
        template_name: Path of the template below the package, as in
            ``"evaluation/templates/report.html.j2"``.
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
    """A matplotlib figure as one ``<svg>`` element without background.

    Args:
        figure: Black, white and ``#dddddd`` in it follow the page's colors; other colors should be
            readable on white and on black.
        caption: For screen readers.
        prefix: Of all ids, since the figures share one page.
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


class Page:
    """A page that is built from top to bottom. Every text is escaped, so file names and labels may
    hold anything.

    Args:
        title: What the page is about; also the title of the window.
        intro: One paragraph for a reader who never saw the project.

    >>> page = Page("Faces", "What was measured.")
    >>> page.heading("Scores")
    >>> page.table(["model", "NME, %"], [["small", 3.791]])
    >>> '<td class="number">3.79</td>' in page.html()
    True
    """

    def __init__(self, title: str, intro: str = "") -> None:
        self._title = title
        self._body: list[str] = []
        self._contents: list[tuple[str, str]] = []
        self._ids: set[str] = set()
        self._figures = 0
        self._intro = _paragraph(intro) if intro else ""

    def heading(self, text: str, level: int = 2) -> None:
        """A heading of level 2 or 3; those of level 2 are listed in the contents at the top."""
        anchor = self._unique(re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part")
        if level == 2:
            self._contents.append((anchor, text))
        self._body.append(f'<h{level} id="{anchor}">{escape(text)}</h{level}>')

    def paragraph(self, text: str) -> None:
        """Running text."""
        self._body.append(_paragraph(text))

    def note(self, text: str) -> None:
        """A warning that must not be overlooked, in a box."""
        self._body.append(f'<div class="note" role="note">{escape(text)}</div>')

    def bullets(self, lines: Sequence[str]) -> None:
        """A list; nothing if it is empty."""
        if lines:
            self._body.append(
                '<ul class="text">'
                + "".join(f"<li>{escape(line)}</li>" for line in lines)
                + "</ul>"
            )

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        caption: str = "",
        marked: Collection[tuple[int, int]] = (),
    ) -> None:
        """A table; the first cell of each row names the row. Columns of numbers are aligned on the
        right.

        Args:
            header: Names of the C columns.
            rows: R rows of C cells.
            caption: One line that says what is in it.
            marked: Cells to stand out, as (row, column), both from 0; column 0 names the row and
                cannot.
        """
        numeric = {
            i for i in range(1, len(header)) if any(not isinstance(row[i], str) for row in rows)
        }
        styles = ['class="number" ' if i in numeric else "" for i in range(len(header))]
        head = "".join(
            f'<th {style}scope="col">{escape(name)}</th>'
            for name, style in zip(header, styles, strict=True)
        )
        body = "".join(
            f"<tr>{_row(row, numeric, {c for r, c in marked if r == i})}</tr>"
            for i, row in enumerate(rows)
        )
        above = f"<caption>{escape(caption)}</caption>" if caption else ""
        label = escape(caption or f"table of {header[0]}")
        table = f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        self._body.append(
            f'<div class="wide" role="region" tabindex="0" aria-label="{label}">{table}</div>'
        )

    def figure(self, figure: "Figure", caption: str) -> None:
        """A matplotlib figure as inline SVG without background. Black, white and ``#dddddd`` in it
        follow the page's colors.

        Args:
            figure: Any figure; other colors should be readable on white and on black.
            caption: What it shows and how to read it; screen readers read it too.
        """
        self._figures += 1
        drawn = figure_svg(figure, caption, f"figure{self._figures}")
        self._body.append(
            f'<figure class="drawn">{drawn}<figcaption>{escape(caption)}</figcaption></figure>'
        )

    def images(self, tiles: Sequence[tuple[Image, str]], width: int = 150) -> None:
        """Images side by side, as JPEGs, each with a caption; nothing if there are none.

        Args:
            tiles: RGB ``uint8 (H, W, 3)`` and its caption, which may have several lines.
            width: The least width of a column, in CSS pixels.
        """
        shown = "".join(
            f'<figure><img src="{jpeg_uri(image)}" width="{image.shape[1]}" height="{image.shape[0]}" alt="{escape(caption)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for image, caption in tiles
        )
        if shown:
            self._body.append(f'<div class="images" style="--width:{width}px">{shown}</div>')

    @contextmanager
    def details(self, summary: str) -> Iterator[None]:
        """What is added within the ``with`` block is folded away behind one line."""
        self._body.append(f"<details><summary>{escape(summary)}</summary>")
        yield
        self._body.append("</details>")

    def html(self) -> str:
        """The whole file."""
        entries = "".join(
            f'<li><a href="#{anchor}">{escape(text)}</a></li>' for anchor, text in self._contents
        )
        contents = (
            f'<nav aria-label="Contents"><ul>{entries}</ul></nav>'
            if len(self._contents) > 1
            else ""
        )
        body = "\n".join(part for part in (self._intro, contents, *self._body) if part)
        style = (
            Path(__file__).with_name("templates").joinpath("page.css").read_text(encoding="utf-8")
        )
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self._title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
            f"<h1>{escape(self._title)}</h1>\n{body}\n</main>\n<footer>Made by facedots.</footer>\n</body>\n</html>\n"
        )

    def write(self, path: str | Path) -> None:
        """Write :meth:`html` to a file, whole or not at all.

        Raises:
            OutputError: The folder cannot be written.
        """
        atomic_write(path, self.html())

    def _unique(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._ids:
            number += 1
            name = f"{wanted}-{number}"
        self._ids.add(name)
        return name


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _row(cells: Sequence[Cell], numeric: Collection[int], marked: Collection[int]) -> str:
    shown = [f'<th scope="row">{_text(cells[0])}</th>']
    for i, cell in enumerate(cells[1:], 1):
        style = " ".join(
            [*(["number"] if i in numeric else []), *(["marked"] if i in marked else [])]
        )
        shown.append(
            f'<td class="{style}">{_text(cell)}</td>' if style else f"<td>{_text(cell)}</td>"
        )
    return "".join(shown)


def _text(cell: Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    if cell is None or not math.isfinite(cell):
        return "–"
    return str(cell) if isinstance(cell, int) else f"{cell:.2f}"
