"""Builds the documentation site into ``out/site``, which opens from disk without a server or a
network.

    python tools/docs_build.py [--out out/site]

The sources are ``docs/`` and pages that are made here: the tour from ``notebooks/*.ipynb``,
commands, recipe fields, the Python reference, ``CONTRIBUTING.md``, ``CHANGELOG.md``. Those are not
files of the repository, so they cannot fall behind the code. A link, an anchor or a reference that
leads nowhere ends the build, and so does a page that would load anything from the network.
"""

import argparse
import os
import posixpath
import re
import shutil
import sys
from pathlib import Path

from docs_commands import commands_page
from docs_links import faults
from docs_notebooks import notebook_pages
from docs_reference import api_pages, recipe_page
from sphinx.cmd.build import build_main

ROOT = Path(__file__).parents[1]

MOVED = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE-WEIGHTS.md": "license-weights.md",
}
"""Pages that stand at the top of the repository, and their names in the site."""

PAGE = ROOT / "web" / "page" / "dist"
"""The browser page, where ``make page`` has built it: the demo of the site."""
DEMO = """# Demo

{}

`facedots web` shows the same page without a network: [in the browser](how-to/browser.md).
"""


def main() -> None:
    """Collect, build, check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "site")
    out = parser.parse_args().out
    sources = out.with_name(f"{out.name}-sources")
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(sources, ignore_errors=True)
    collect(sources)
    if status := build_main(
        [
            "-q",
            "-W",
            "-n",
            "--keep-going",
            "-d",
            str(sources / ".doctrees"),
            "-c",
            str(ROOT / "docs"),
            str(sources),
            str(out),
        ]
    ):
        sys.exit(status)
    if PAGE.is_dir():
        shutil.copytree(PAGE, out / "demo")
    if found := faults(out):
        sys.exit("\n".join(found))
    print(f"{out / 'index.html'}: {sum(1 for _ in out.rglob('*.html'))} pages, all links checked")


def collect(sources: Path) -> None:
    """Put everything that Sphinx is to read into one new folder."""
    shutil.copytree(ROOT / "docs", sources, ignore=shutil.ignore_patterns("conf.py", "__pycache__"))
    for page in sources.rglob("*.md"):
        path = page.relative_to(sources).as_posix()
        page.write_text(
            relinked(page.read_text(encoding="utf-8"), f"docs/{path}"), encoding="utf-8"
        )
    index = sources / "index.md"
    index.write_text(with_other_pages(index.read_text(encoding="utf-8"), sources), encoding="utf-8")
    for path, content in made_pages().items():
        target = sources / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)


def with_other_pages(index: str, sources: Path) -> str:
    """The front page; where its navigation says ``OTHER-PAGES`` stand the pages of the top folder
    that it does not name.
    """
    named = {line.rpartition("<")[2].removesuffix(">") for line in index.splitlines()}
    return index.replace(
        "OTHER-PAGES",
        "\n".join(
            sorted(page.stem for page in sources.glob("*.md") if page.stem not in {*named, "index"})
        ),
    )


def made_pages() -> dict[str, str | bytes]:
    """Every made file's path in the site, and what it holds."""
    pages: dict[str, str | bytes] = {
        "reference/commands.md": commands_page(),
        "reference/recipe.md": recipe_page(),
    }
    pages |= {
        f"reference/api/{name}": text for name, text in api_pages(ROOT / "src" / "facedots").items()
    }
    for name, content in notebook_pages(ROOT / "notebooks").items():
        pages[f"tour/{name}"] = (
            relinked(content, f"notebooks/{name}") if isinstance(content, str) else content
        )
    pages["demo.md"] = DEMO.format(
        '<a href="demo/index.html">Open the page</a>: images stay in the browser. A browser runs '
        "it from a host only, not from disk."
        if PAGE.is_dir()
        else "This site was built without it: `make page` before `make docs` adds it."
    )
    for name, path in MOVED.items():
        pages[path] = relinked((ROOT / name).read_text(encoding="utf-8"), name)
    return pages


def site_path(path: str) -> str | None:
    """Where a file of the repository stands in the site, or nothing.

    >>> site_path("docs/design.md"), site_path("notebooks/1_load.ipynb"), site_path("Makefile")
    ('design.md', 'tour/1_load.md', None)
    """
    folder, _, name = path.partition("/")
    if folder == "notebooks":
        return (
            f"tour/{name.removesuffix('.ipynb')}.md" if name.endswith(".ipynb") else f"tour/{name}"
        )
    return name if folder == "docs" else MOVED.get(path)


def relinked(markdown: str, path: str) -> str:
    """The text of a file of the repository, its links changed to what they lead to in the site.

    >>> relinked("[design](docs/design.md#1-layout)", "CONTRIBUTING.md")
    '[design](design.md#1-layout)'
    >>> relinked("[how](../../CONTRIBUTING.md)", "docs/how-to/export.md")
    '[how](../contributing.md)'
    """
    start = posixpath.dirname(site_path(path) or "") or "."

    def settle(link: re.Match[str]) -> str:
        target = site_path(
            posixpath.normpath(posixpath.join(posixpath.dirname(path), link["path"]))
        )
        return f"]({posixpath.relpath(target, start)}{link['anchor'] or ''})" if target else link[0]

    return re.sub(r"\]\((?!\w+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)", settle, markdown)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
