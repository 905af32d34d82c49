"""The ``facedots`` command: collects the commands and turns errors into one line and an exit
status.
"""

import sys
from io import TextIOWrapper

import typer
from rich.console import Console
from rich.markup import escape

from facedots.cli.analysis import align, pose
from facedots.cli.data import audit, data_app
from facedots.cli.evaluate import compare, evaluate
from facedots.cli.images import anonymize, demo, filter_images, predict
from facedots.cli.label import label_app
from facedots.cli.models import features, models
from facedots.cli.train import PASS_UNKNOWN_OPTIONS, export, train
from facedots.cli.video import video
from facedots.errors import FacedotsError, explain_missing_extra
from facedots.io.guard import guard_inputs
from facedots.io.names import printable

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _guard(context: typer.Context) -> None:
    """Find the keypoints of human faces."""
    context.with_resource(guard_inputs())


app.command()(demo)
app.command()(predict)
app.command(name="filter")(filter_images)
app.command()(anonymize)
app.command()(align)
app.command()(pose)
app.command()(video)
app.command()(models)
data_app.command()(audit)
app.add_typer(data_app, name="data")
app.add_typer(label_app, name="label")
app.command(context_settings=PASS_UNKNOWN_OPTIONS)(train)
app.command()(evaluate)
app.command()(compare)
app.command()(features)
app.command()(export)


def main() -> None:
    """Run the command line; an expected error is printed without a traceback and ends with status
    1.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # whatever the terminal's alphabet
            stream.reconfigure(errors="backslashreplace")
    try:
        with explain_missing_extra():
            app()
    except FacedotsError as error:
        message = "\n".join(map(printable, str(error).split("\n")))
        Console(stderr=True, highlight=False).print(
            f"[bold red]error:[/] {escape(message)}", soft_wrap=True
        )
        sys.exit(1)
