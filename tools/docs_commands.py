"""The page of all commands, made from the Typer app, so that it says what ``--help`` says."""

from collections.abc import Iterator
from typing import Any

import typer

from facedots.cli.main import app

COMMAND: Any = typer.main.get_command(app)
"""The whole command line."""

Named = tuple[str, Any]


def commands_page() -> str:
    """Every command: what it does, usage, arguments and options with their defaults."""
    every = list(commands())
    listed = [
        f"| [`{name}`](#{name.replace(' ', '-')}) | {_escaped(_first_line(command))} |"
        for name, command in every
    ]
    parts = [
        "# Commands",
        "*Made from the command line itself: it says what `--help` says.*",
        "\n".join(["| command | |", "|---|---|", *listed]),
        *(_section(name, command) for name, command in every),
    ]
    return "\n\n".join(parts) + "\n"


def commands(command: Any = COMMAND, name: str = "facedots") -> Iterator[Named]:
    """Names as they are typed, and what they call; groups are opened."""
    for word, child in getattr(command, "commands", {}).items():
        path = f"{name} {word}"
        if hasattr(child, "commands"):
            yield from commands(child, path)
        else:
            yield path, child


def _section(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    records = [
        parameter.get_help_record(context)
        for parameter in command.get_params(context)
        if parameter.name != "help"
    ]
    rows = [
        f"| `{_escaped(option)}` | {_escaped(text)} |" for option, text in filter(None, records)
    ]
    table = "\n".join(["| argument or option | |", "|---|---|", *rows])
    return "\n\n".join(
        [f"## {name}", command.help.strip(), f"```text\n{usage}\n```", *([table] if rows else [])]
    )


def _first_line(command: Any) -> str:
    return str(command.help).strip().partition("\n")[0]


def _escaped(text: str) -> str:
    """Text for a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
