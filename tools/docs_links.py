"""Checks a built site as a browser without a network would see it: do all links lead somewhere, is
nothing loaded from outside?

    python tools/docs_links.py out/site

Sphinx checks what is written in Markdown; this checks what came out of it, raw HTML and the theme's
own links among it.
"""

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADS = {("script", "src"), ("img", "src"), ("source", "src"), ("video", "src"), ("iframe", "src")}
_LOADING_LINKS = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "manifest"}


class _Page(HTMLParser):
    """Links, loaded files and anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the element names."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.links += [given["href"]] if tag == "a" and "href" in given else []
        self.loaded += [value for name, value in given.items() if (tag, name) in _LOADS]
        if tag == "link" and _LOADING_LINKS & set(given.get("rel", "").split()):
            self.loaded.append(given.get("href", ""))


@cache
def _page(file: Path) -> _Page:
    return _Page(file.read_text(encoding="utf-8"))


def faults(site: Path) -> list[str]:
    """What is wrong in a folder of HTML pages, a line a fault; nothing wrong is an empty list."""
    found = []
    for file in sorted(site.rglob("*.html")):
        page = _page(file)
        where = file.relative_to(site)
        found += [
            f"{where}: loads {address} from the network"
            for address in page.loaded
            if _outside(address)
        ]
        found += [
            f"{where}: {fault}"
            for link in (*page.links, *page.loaded)
            if not _outside(link) and (fault := _fault(file, link))
        ]
    for file in sorted(site.rglob("*.css")):
        text = file.read_text(encoding="utf-8")
        found += [
            f"{file.relative_to(site)}: loads from the network"
            for mark in ("url(http", "url(//", "@import")
            if mark in text
        ]
    return found


def _outside(link: str) -> bool:
    parts = urlsplit(link)
    return bool(parts.netloc) or parts.scheme in {"http", "https", "mailto"}


def _fault(file: Path, link: str) -> str:
    """Why a link within the site leads nowhere, or nothing."""
    parts = urlsplit(link)
    if parts.scheme == "data":
        return ""
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if not target.is_file():
        return f"{link} leads to no file"
    if (
        parts.fragment
        and target.suffix == ".html"
        and unquote(parts.fragment) not in _page(target).anchors
    ):
        return f"{link} leads to no place in its page"
    return ""


if __name__ == "__main__":
    lines = faults(Path(sys.argv[1]))
    print("\n".join(lines) or "all links lead somewhere, nothing is loaded from the network")
    sys.exit(bool(lines))
