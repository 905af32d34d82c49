"""The ``facedots`` command: collects the commands and turns errors into one line and an exit status."""

import sys

import typer
from rich.console import Console
from rich.markup import escape

from facedots.errors import FacedotsError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Find the keypoints of human faces.")


@app.callback()
def _root() -> None:
    """Keeps the subcommand names even while there is only one command."""


def main() -> None:
    """Run the command line; an expected error is printed without a traceback and ends with status 1."""
    try:
        app()
    except FacedotsError as error:
        Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
