"""The ``facedots`` command: collects the commands and turns errors into one line and an exit status."""

import sys

import typer
from rich.console import Console
from rich.markup import escape

from facedots.cli.export import export
from facedots.cli.train import FREE_ARGUMENTS, train
from facedots.errors import FacedotsError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Find the keypoints of human faces.")


app.command(context_settings=FREE_ARGUMENTS)(train)
app.command()(export)


def main() -> None:
    """Run the command line; an expected error is printed without a traceback and ends with status 1."""
    try:
        app()
    except FacedotsError as error:
        Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
