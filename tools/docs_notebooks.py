"""Turns the notebooks of the tour, as they are committed with their outputs, into pages of the
site.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import jupytext

Pages = dict[str, str | bytes]

INTRODUCTION = """# The tour

From labeled images to a network and its use, one step per page. Every page is a notebook of the
repository: `make notebooks` runs them all, on the real data where available and on drawn faces
elsewhere. The outputs here are from drawn faces, since no image of the data sets may be published.
"""

_COLORS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_IMAGE_TYPES = {"image/png": "png", "image/jpeg": "jpg", "image/svg+xml": "svg"}


def notebook_pages(folder: Path) -> Pages:
    """Pages and their images by file name: ``index.md``, and ``NAME.md`` for each notebook of the
    folder.

    A notebook that has not been run yet, and so has no ``.ipynb``, is shown without outputs.
    """
    pages: Pages = {}
    chapters: list[str] = []
    tree = "\n".join(["", "```{toctree}", ":hidden:", ":glob:", "", "[0-9]*", "```", ""])
    for source in sorted(folder.glob("[0-9]*.py")):
        name, run = source.stem, source.with_suffix(".ipynb")
        text, images = notebook_page(jupytext.read(run if run.exists() else source), name)
        pages |= {f"{name}.md": text, **images}
        chapters.append(f"- [{_title(text, name)}]({name}.md)")
    return {"index.md": "\n".join([INTRODUCTION, *chapters]) + "\n" + tree, **pages}


def notebook_page(notebook: Mapping[str, Any], name: str) -> tuple[str, Pages]:
    """A notebook as Markdown, and the images that its cells have put out, by file name."""
    parts, images = list[str](), Pages()
    for cell in notebook["cells"]:
        source = "".join(cell["source"]).strip()
        if not source or cell["cell_type"] == "raw":
            continue
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            parts.append(_output(output, f"{name}-{len(images) + 1}", images))
    return "\n\n".join(part for part in parts if part) + "\n", images


def _output(output: Mapping[str, Any], name: str, images: Pages) -> str:
    """One output of a cell; an image is put among ``images``."""
    if output["output_type"] == "error":
        raise ValueError(
            f"{name}: a cell of the notebook ended with {output['ename']}; run it again before "
            "it is published"
        )
    data = output.get("data", {"text/plain": output.get("text", "")})
    for kind, suffix in _IMAGE_TYPES.items():
        if kind in data:
            content = "".join(data[kind])
            images[f"{name}.{suffix}"] = (
                content.encode() if suffix == "svg" else base64.b64decode(content)
            )
            return f"![]({name}.{suffix}){{.output}}"
    if "text/html" in data:
        return _html(data["text/html"])
    text = _COLORS.sub("", "".join(data.get("text/plain", ""))).rstrip()
    # Not a fence: outputs are no code, and must not get its copy button.
    return f'<pre class="output">{escape(text)}</pre>'.replace("\n", "&#10;") if text else ""


def _html(lines: Iterable[str]) -> str:
    """A table as pandas writes it, without its own style and on one line, so that Markdown takes it
    for one block.
    """
    html = re.sub(r"<style.*?</style>", "", "".join(lines), flags=re.DOTALL)
    return '<div class="output">' + " ".join(line.strip() for line in html.splitlines()) + "</div>"


def _title(page: str, otherwise: str) -> str:
    """A page's first heading."""
    heading = re.search(r"^#\s+(.+)$", page, re.MULTILINE)
    return heading[1] if heading else otherwise
