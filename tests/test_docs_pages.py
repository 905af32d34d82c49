"""Pages hold: doctests run, command lines exist, made pages are complete, tables are current."""

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import docs_build
import docs_notebooks
import docs_tables
import pytest
import typer
from docs_commands import COMMAND, commands, commands_page
from docs_reference import api_pages, recipe_page

from facedots.training.recipe import Recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def blocks(page: Path, *languages: str) -> str:
    """All fenced blocks of these languages, joined; ``""`` is a fence without a language."""
    lines, language = list[str](), None
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            language = line.strip().strip("`") if language is None else None
        elif language in languages:
            lines.append(line)
    return "\n".join(lines) + "\n"


def command_lines(text: str) -> Iterator[str]:
    """Lines that call ``facedots``, without their comments."""
    for line in text.replace("\\\n", " ").splitlines():
        call = re.match(r"^\s*(?:\$ )?(?:\S*/bin/)?(facedots .*)", line)
        if call:
            yield call[1].partition(" #")[0]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_doctests_of_pages_hold(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    test = doctest.DocTestParser().get_doctest(blocks(page, "pycon"), {}, page.name, str(page), 0)
    output: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=output.append)
    assert result.failed == 0, "".join(output)


def test_there_are_doctests_in_pages() -> None:
    assert ">>>" in blocks(ROOT / "docs" / "how-to" / "labels.md", "pycon")


@pytest.mark.parametrize(
    "module", [docs_build, docs_notebooks, docs_tables], ids=lambda module: module.__name__
)
def test_doctests_of_tools_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def fault(line: str) -> str:
    """Why a command line is invalid, or ""."""
    words = shlex.split(line)
    command: Any = COMMAND
    path = words.pop(0)
    while hasattr(command, "commands"):
        word = words.pop(0) if words else ""
        if word not in command.commands:
            return "" if word == "--help" else f"{path} has no command {word!r}"
        path, command = f"{path} {word}", command.commands[word]
    options = {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}
    if path == "facedots train":
        options |= {"--" + name.replace("_", "-") for name in Recipe.model_fields}
    unknown = [
        word
        for word in words
        if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options
    ]
    return f"{path} has no option {', '.join(unknown)}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_command_lines_of_pages_exist(page: Path) -> None:
    wrong = [
        f"{line}: {why}"
        for line in command_lines(blocks(page, "sh", "text", ""))
        if (why := fault(line))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    [
        "facedots fly",
        "facedots predict a.jpg --wings 2",
        "facedots train r.yaml --epoch 3",
        "facedots data eat",
    ],
)
def test_a_command_line_that_does_not_exist_is_found(line: str) -> None:
    assert fault(line)


def test_the_page_of_commands_says_what_help_says() -> None:
    page = commands_page()
    names = [name for name, _ in commands()]
    assert "facedots predict" in names
    assert "facedots data stats" in names
    for name, command in commands():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert command.help.strip() in section
        for parameter in command.get_params(typer.Context(command)):
            if parameter.name != "help" and not parameter.hidden:
                assert parameter.param_type_name == "argument" or f"`{parameter.opts[0]}" in section
                assert not parameter.help or parameter.help.replace("|", "\\|") in section


def test_the_page_of_recipe_fields_has_all_fields() -> None:
    page = recipe_page()
    assert "| `epochs` | `int` > 0 | `30` | Passes over the training faces. |" in page
    assert "| `model` | `str` | **required** |" in page
    assert all(
        f"| `{name}` |" in page and str(field.description) in page
        for name, field in Recipe.model_fields.items()
    )


def test_every_public_module_is_in_the_reference() -> None:
    text = "\n".join(api_pages(ROOT / "src" / "facedots").values())
    modules = [
        file
        for file in (ROOT / "src" / "facedots").rglob("*.py")
        if not file.name.startswith("_") and file.parent.name != "cli"
    ]
    assert modules
    for file in modules:
        dotted = ".".join(file.relative_to(ROOT / "src").with_suffix("").parts)
        assert f"automodule:: {dotted}\n" in text


def test_tables_are_those_of_the_measurements() -> None:
    assert docs_tables.outdated() == [], "run python tools/docs_tables.py"
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "| `latency.py` |" in page
    row = r"\| \[`small`\]\(models/small.md\) \| \d\.\d\d / \d\.\d\d \| \d\.\d\d \| .* \| 3\.78 \|"
    assert re.search(row, page)
