"""The ``facedots`` command: collects the commands and turns errors into one line and an exit
status.
"""

import os
import sys
import traceback
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from facedots.cli.analysis import align, pose
from facedots.cli.batch import batch
from facedots.cli.benchmark import benchmark
from facedots.cli.data import audit, data_app
from facedots.cli.doctor import doctor
from facedots.cli.evaluate import compare, evaluate
from facedots.cli.images import anonymize, demo, filter_images, predict
from facedots.cli.label import label_app
from facedots.cli.models import features, models
from facedots.cli.serve import serve, web
from facedots.cli.train import PASS_UNKNOWN_OPTIONS, export, train
from facedots.cli.video import video
from facedots.errors import DEBUG, FacedotsError, describe_unexpected, explain_missing_extra
from facedots.io.files import guard_inputs
from facedots.io.headers import MAX_PIXELS, pixel_limit
from facedots.io.text import printable

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facedots {version('facedots')}")
        raise typer.Exit


@app.callback()
def _guard(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where errors come from, as FACEDOTS_DEBUG=1 does.")
    ] = False,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Find the keypoints of human faces."""
    if debug:
        os.environ[DEBUG] = "1"
    context.with_resource(guard_inputs())
    context.with_resource(pixel_limit(MAX_PIXELS))


app.command()(demo)
app.command()(predict)
app.command(name="filter")(filter_images)
app.command()(anonymize)
app.command()(align)
app.command()(pose)
app.command()(video)
app.command()(batch)
app.command()(serve)
app.command()(web)
app.command()(models)
app.command()(doctor)
data_app.command()(audit)
app.add_typer(data_app, name="data")
app.add_typer(label_app, name="label")
app.command(context_settings=PASS_UNKNOWN_OPTIONS)(train)
app.command()(evaluate)
app.command()(compare)
app.command()(benchmark)
app.command()(features)
app.command()(export)


def main() -> None:
    """Run the command line; an expected error is printed without a traceback and ends with status
    1.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # whatever the terminal's alphabet
            stream.reconfigure(errors="backslashreplace")
    _take_debug(sys.argv)
    try:
        with explain_missing_extra():
            app()
    except FacedotsError as error:
        _fail(str(error), error)
    except Exception as error:  # the last net
        command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        _fail(f"{command}: {describe_unexpected(error)}", error)


def _take_debug(words: list[str]) -> None:
    """Take ``--debug`` out of a command line, wherever it stands before ``--``."""
    end = words.index("--") if "--" in words else len(words)
    if "--debug" in words[:end]:
        os.environ[DEBUG] = "1"
        words[:end] = [word for word in words[:end] if word != "--debug"]


def _fail(text: str, error: Exception) -> NoReturn:
    """Print an error, with its traceback where that is asked for, and end with status 1."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    message = "\n".join(map(printable, text.split("\n")))
    Console(stderr=True, highlight=False, emoji=False).print(
        f"[bold red]error:[/] {escape(message)}", soft_wrap=True
    )
    sys.exit(1)
