"""Tools of the site: notebooks become pages, broken links and network loads are found."""

import base64
from pathlib import Path
from typing import Any

import pytest
from docs_links import faults
from docs_notebooks import notebook_page, notebook_pages
from draw_images import logo_svg

ROOT = Path(__file__).parents[1]


def cell(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source.splitlines(keepends=True),
        "outputs": list(outputs),
    }


def test_a_notebook_becomes_text_code_and_outputs() -> None:
    image = {
        "output_type": "display_data",
        "data": {"image/png": base64.b64encode(b"PNG").decode(), "text/plain": "<Figure>"},
    }
    stream = {"output_type": "stream", "text": ["a < b\n", "\x1b[31mred\x1b[0m\n"]}
    table = {
        "output_type": "execute_result",
        "data": {
            "text/html": "<style>\n x\n</style>\n<table>\n <tr></tr>\n</table>",
            "text/plain": "t",
        },
    }
    cells = [
        {"cell_type": "markdown", "source": ["# One\n", "two"]},
        cell("1 + 1", stream, image),
        cell("table", table),
        cell(" "),
    ]
    text, images = notebook_page({"cells": cells}, "one")
    assert images == {"one-1.png": b"PNG"}
    assert text.split("\n\n") == [
        "# One\ntwo",
        "```python\n1 + 1\n```",
        '<pre class="output">a &lt; b&#10;red</pre>',
        "![](one-1.png){.output}",
        "```python\ntable\n```",
        '<div class="output"> <table> <tr></tr> </table></div>\n',
    ]


def test_a_notebook_that_failed_is_not_published() -> None:
    failed = cell(
        "1 / 0",
        {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "", "traceback": []},
    )
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        notebook_page({"cells": [failed]}, "one")


def test_every_notebook_is_a_page_that_the_tour_lists() -> None:
    pages = notebook_pages(ROOT / "notebooks")
    names = [file.stem for file in (ROOT / "notebooks").glob("[0-9]*.py")]
    assert names
    for name in names:
        assert f"]({name}.md)" in str(pages["index.md"])
        assert str(pages[f"{name}.md"]).startswith("# ")


GOOD = (
    '<html><head><link rel="stylesheet" href="s.css"></head><body id="top">'
    '<a href="b.html#there">b</a><a href="https://x.org">x</a></body>'
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two pages and a style sheet without a fault."""
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text(
        '<h1 id="there">b</h1><a href="a.html#top">a</a><img src="data:image/png;base64,AAAA">'
    )
    (tmp_path / "s.css").write_text("p { background: url(data:image/png;base64,AAAA) }")
    return tmp_path


def test_a_good_site_has_no_faults(site: Path) -> None:
    assert faults(site) == []


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="d.html">d</a>', "c.html: d.html leads to no file"),
        ('<a href="b.html#nowhere">b</a>', "c.html: b.html#nowhere leads to no place in its page"),
        (
            '<script src="https://cdn.example/x.js"></script>',
            "c.html: loads https://cdn.example/x.js from the network",
        ),
        (
            '<link rel="stylesheet" href="//fonts.example/f.css">',
            "c.html: loads //fonts.example/f.css from the network",
        ),
        ('<img src="missing.png">', "c.html: missing.png leads to no file"),
    ],
)
def test_faults_are_found(site: Path, html: str, fault: str) -> None:
    (site / "c.html").write_text(html)
    assert faults(site) == [fault]


def test_a_style_that_loads_from_the_network_is_found(site: Path) -> None:
    (site / "s.css").write_text(
        '@font-face { src: url("https://fonts.example/f.woff2") }'.replace('"', "")
    )
    assert faults(site) == ["s.css: loads from the network"]


def test_the_logo_is_what_its_tool_draws() -> None:
    assert (ROOT / "docs" / "images" / "logo.svg").read_text(encoding="utf-8") == logo_svg()
