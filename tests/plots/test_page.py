"""A page is one well-formed file: nothing is fetched, every text is escaped, figures follow the
page from light to dark.
"""

import base64
import re
from html.parser import HTMLParser
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import ChoiceLoader, DictLoader, PackageLoader
from matplotlib.figure import Figure

from facedots.plots import page
from facedots.plots.page import render_page

VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Elements in order, ids and text; fails where a tag is not closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def drawn() -> Figure:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#0072B2")
    axes.text(0, 0, "black words")
    return figure


MACROS = """{% extends "plots/templates/page.html.j2" %}
{% from "plots/templates/macros.html.j2"
   import heading, note, bullets, table, figure, images, details %}
{% block content %}
"""
TEMPLATES = {
    "full": """{{ heading("Scores") }}
{{ table(["model", "NME, %", "faces"], [["small", 3.791, 770], ["none", none, 3]],
         "Scores of all", [(0, 1)]) }}
{{ heading("Scores") }}
{{ figure(first, "A line.") }}
{{ figure(second, "Another.") }}
{% call details("more") %}
{{ bullets(["one", "two"]) }}
{{ images([(image, "red\nNME 3 %")]) }}
{% endcall %}""",
    "texts": """{{ heading(text) }}{{ note(text) }}{{ bullets([text]) }}
{{ table([text, "b"], [[text, text]], text) }}
{{ images([(image, text)]) }}{% call details(text) %}<p>{{ text }}</p>{% endcall %}""",
    "table": """{{ table(["a", "b"], rows) }}""",
    "headings": """{% for text in headings %}
{{ heading(text) }}{{ heading("below", level=3) }}
{% endfor %}""",
}


@pytest.fixture(autouse=True)
def templates(monkeypatch: pytest.MonkeyPatch) -> None:
    own = DictLoader({k: MACROS + text + "{% endblock %}" for k, text in TEMPLATES.items()})
    loader = ChoiceLoader([own, PackageLoader("facedots", "")])
    monkeypatch.setattr(page, "PackageLoader", lambda *_: loader)


def full_page() -> str:
    image = np.full((4, 6, 3), (200, 30, 30), np.uint8)
    context: dict[str, Any] = {"first": drawn(), "second": drawn(), "image": image}
    return render_page("full", title="Report", intro="What it is.", **context)


def test_a_page_is_well_formed_and_its_ids_are_unique() -> None:
    reader = Reader(full_page())
    assert len(set(reader.ids)) == len(reader.ids)
    targets = {
        value[1:]
        for name, value in reader.attributes
        if name in ("href", "xlink:href") and value and value[0] == "#"
    }
    assert {"scores", "scores-2"} <= targets <= set(reader.ids)


def test_nothing_is_fetched() -> None:
    html = full_page()
    sources = re.findall(r'(?:src|href)="([^"]*)"|url\(([^)]*)\)', html)
    assert sources
    assert all((a or b).startswith(("#", "data:")) for a, b in sources)
    assert "<script" not in html


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_any_text_arrives_as_it_is(text: str) -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    reader = Reader(render_page("texts", title=text, intro=text, text=text, image=image))
    assert reader.words.count(text) == 13
    assert ("alt", text) in reader.attributes


def test_cells_are_numbers_to_two_decimals_and_dashes() -> None:
    html = full_page()
    assert '<td class="number marked">3.79</td><td class="number">770</td>' in html
    assert '<td class="number">–</td>' in html
    html = render_page("table", title="x", rows=[["r", float("nan")], ["s", 3], ["t", 0.5]])
    assert re.findall(r'<td class="number">(.*?)</td>', html) == ["–", "3", "0.50"]


def test_black_and_white_follow_the_page_and_colors_stay() -> None:
    html = full_page()
    svg = html[html.index("<svg") : html.index("</svg>")]
    assert "currentColor" in svg
    assert "#0072b2" in svg
    assert "#000000" not in svg
    assert "#ffffff" not in svg
    assert "black words</text>" in svg
    assert 'aria-label="A line."' in svg


def test_the_same_page_twice_is_the_same_bytes() -> None:
    assert full_page() == full_page()


def test_images_keep_their_colors() -> None:
    match = re.search(r"data:image/jpeg;base64,([^\"]+)", full_page())
    assert match
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(match[1]), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (4, 6, 3)
    assert decoded[0, 0] == pytest.approx((30, 30, 200), abs=4)


def test_contents_only_where_there_are_several_parts() -> None:
    assert "<nav" not in render_page("headings", title="x", headings=["One"])
    html = render_page("headings", title="x", headings=["One", "Two"])
    assert re.findall(r'<a href="#(.*?)">', html) == ["one", "two"]
