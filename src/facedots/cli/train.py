"""``facedots train`` and ``facedots export``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from facedots.cli.options import expand_options
from facedots.cli.output import echo
from facedots.errors import RecipeError, WeightsError

PASS_UNKNOWN_OPTIONS = {"ignore_unknown_options": True}
"""Click settings of ``train``: the recipe declares its fields, which are options here."""


@expand_options
def train(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECIPE [--FIELD VALUE]…",
            help="Recipe file, and fields of it to override.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None, "Folder or file with the data, or synthetic:N for N drawn faces."
    ] = None,
    out: Annotated[Path | None, "New folder for the run."] = None,
    resume: Annotated[
        Path | None, "Go on with the run in this folder, with its own recipe and data."
    ] = None,
    fields: Annotated[bool, "List the fields of a recipe and stop."] = False,
) -> None:
    """Train a network; any field of the recipe can be overridden.

    For example: facedots train recipes/small.yaml --data DIR --out runs/a --epochs 2 --batch-size
    64 --loss wing

    Custom points: recipes/custom.yaml and docs/custom-data.md. A face detector:
    recipes/finder.yaml, with a folder of scenes as --data.

    Ctrl-C stops early and leaves a usable run; --resume RUN goes on after its last whole epoch.

    On several processes or machines: torchrun --nproc-per-node 2 -m facedots train …
    """
    from facedots.data.processes import Processes
    from facedots.inference.weights import is_finder
    from facedots.training.recipe import load_recipe
    from facedots.training.run import load_run
    from facedots.training.run import train as run_training

    if fields:
        return _list_fields()
    path, overrides = parse_arguments(arguments or [])
    if resume is not None:
        if path or overrides or data or out:
            raise RecipeError("--resume RUN takes no other argument: recipe and data are the run's")
        _check_folder(resume, "--resume")
        if is_finder(resume):
            return _train_finder(resume)
        recipe, data = load_run(resume)
    elif path is None or data is None or out is None:
        raise RecipeError("a training needs a recipe, --data and --out; or --resume RUN alone")
    elif is_finder(path):
        return _train_finder(out, path, data, overrides)
    else:
        recipe = load_recipe(path, overrides)
    is_first = Processes.from_environment().is_first
    if data.startswith("synthetic:") and is_first:
        echo(f"{data}: drawn faces; the network will not work on photos", err=True)
    file = run_training(recipe, data, resume or out or "", resume=resume is not None)
    if is_first:
        echo(file)
    return None


def _train_finder(
    out: Path,
    recipe_file: str | None = None,
    scenes: str = "",
    overrides: Mapping[str, str] | None = None,
) -> None:
    """Train a finder; without a recipe, go on with the run ``out``."""
    from facedots.inference.weights import ONNX_FILE
    from facedots.training.finder import load_finder_recipe, load_finder_run, train_finder
    from facedots.training.finder_export import export_finder

    if recipe_file is None:
        recipe, scenes = load_finder_run(out)
    else:
        recipe = load_finder_recipe(recipe_file, overrides)
    train_finder(recipe, scenes, out, resume=recipe_file is None)
    export_finder(out, out / ONNX_FILE)
    echo(out / ONNX_FILE)


def parse_arguments(arguments: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """The recipe file and the fields to override, ``--field value`` or ``--field=value``.

    Raises:
        RecipeError: An option has no value, or there are two files.

    >>> parse_arguments(["--batch-size", "64", "recipes/small.yaml", "--loss=wing"])
    ('recipes/small.yaml', {'batch_size': '64', 'loss': 'wing'})
    """
    words, files, fields = iter(arguments), list[str](), dict[str, str]()
    for word in words:
        option, equals, value = word.partition("=")
        if not option.startswith("--"):
            files.append(word)
            continue
        if not equals and (value := next(words, "")) == "":
            raise RecipeError(f"{option} has no value: use --FIELD VALUE, as in --epochs 2")
        fields[option[2:].replace("-", "_")] = value
    if len(files) > 1:
        raise RecipeError(f"one recipe per training, not {' and '.join(files)}")
    return (files[0] if files else None), fields


def _check_folder(run: Path, taker: str) -> None:
    if run.is_file():
        kind = "a network already" if run.suffix == ".onnx" else "a file"
        raise WeightsError(f"{run}: {kind}; {taker} takes the folder of a run")


def _list_fields() -> None:
    from facedots.training.recipe import Recipe

    table = Table("option", "default", "meaning")
    for name, field in Recipe.model_fields.items():
        default = "required" if field.is_required() else str(field.default)
        table.add_row(f"--{name.replace('_', '-')}", default, field.description)
    Console().print(table)


@expand_options
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, written by `facedots train`.")],
    out: Annotated[Path, "ONNX file to write, over what is there."],
    checkpoint: Annotated[str, "best (by validation NME) or last."] = "best",
    label_style: Annotated[
        str, "Data set whose way of placing points to follow: a source of the recipe."
    ] = "",
    int8: Annotated[bool, "Convolutions in int8, half the size."] = (False),
) -> None:
    """Write the network of a run as one ONNX file.

    It holds schema, crop, normalization and license, and is checked against torch.
    """
    from facedots.inference.weights import is_finder
    from facedots.training.finder_export import export_finder
    from facedots.training.run import export_run

    _check_folder(run, "export")
    if is_finder(run):
        if label_style:
            raise WeightsError(f"{run}: a finder, which has no --label-style")
        difference = export_finder(run, out, checkpoint, int8=int8)
        echo(f"{out}: {out.stat().st_size / 1e6:.2f} MB")
        echo(f"mean difference between the scores of torch and ONNX Runtime: {difference:.5f}")
        return
    difference = export_run(run, out, checkpoint, label_style, int8=int8)
    echo(f"{out}: {out.stat().st_size / 1e6:.2f} MB")
    echo(f"mean difference between torch and ONNX Runtime: {difference:.5f} px of the crop")
