"""The ``facedots`` command: collects the commands and turns errors into one line and an exit status."""

import sys

import typer
from rich.console import Console
from rich.markup import escape

from facedots.cli.align import align
from facedots.cli.anonymise import anonymise
from facedots.cli.audit import audit
from facedots.cli.compare import compare
from facedots.cli.data import data_app
from facedots.cli.demo import demo
from facedots.cli.evaluate import evaluate
from facedots.cli.export import export
from facedots.cli.features import features
from facedots.cli.filter import filter_pictures
from facedots.cli.label import label_app
from facedots.cli.models import models
from facedots.cli.predict import predict
from facedots.cli.read import read
from facedots.cli.train import FREE_ARGUMENTS, train
from facedots.cli.video import video
from facedots.errors import FacedotsError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Find the keypoints of human faces.")
app.command()(demo)
app.command()(predict)
app.command(name="filter")(filter_pictures)
app.command()(anonymise)
app.command()(align)
app.command()(read)
app.command()(video)
app.command()(models)
data_app.command()(audit)
app.add_typer(data_app, name="data")
app.add_typer(label_app, name="label")
app.command(context_settings=FREE_ARGUMENTS)(train)
app.command()(evaluate)
app.command()(compare)
app.command()(features)
app.command()(export)

EXTRA_OF = {
    **dict.fromkeys(("onnx", "pandas", "pydantic", "pytorch_lightning", "safetensors", "torch"), "train"),
    "matplotlib": "plots",
}
"""Packages that only some commands need, and the extra of facedots that installs them."""


def main() -> None:
    """Run the command line; an expected error is printed without a traceback and ends with status 1."""
    try:
        app()
    except FacedotsError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if error.name not in EXTRA_OF:
            raise
        _fail(f"this command needs {error.name}, which is not installed: pip install 'facedots[{EXTRA_OF[error.name]}]'")


def _fail(message: str) -> None:
    Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
    sys.exit(1)
