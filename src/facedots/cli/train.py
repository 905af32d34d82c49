"""``facedots train``: one recipe, one run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from facedots.errors import RecipeError

FREE_ARGUMENTS = {"ignore_unknown_options": True}
"""Lets a recipe's fields through as options; they are listed in one place, the recipe, and not here
again.
"""


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
        str | None,
        typer.Option(help="Folder or file with the data, or synthetic:N for N drawn faces."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the run.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Go on with the run in this folder; its own recipe and data hold."),
    ] = None,
    fields: Annotated[
        bool, typer.Option("--fields", help="List the fields of a recipe and stop.")
    ] = False,
) -> None:
    """Train a network as a recipe says; any field of the recipe can be overridden.

    For example: facedots train recipes/small.yaml --data DIR --out runs/a --epochs 2 --batch-size
    64 --loss wing

    Own points of any kind: recipes/custom.yaml, and docs/custom-data.md.

    Ctrl-C stops early and leaves a usable run; --resume RUN goes on after its last whole epoch,
    exactly.
    """
    from facedots.training.recipe import load_recipe
    from facedots.training.run import load_run
    from facedots.training.run import train as run_training

    if fields:
        return _list_fields()
    recipe, overrides = parse_arguments(arguments or [])
    if resume is not None:
        if recipe or overrides or data or out:
            raise RecipeError("--resume RUN stands alone: the run's own recipe and data hold")
        chosen, source = load_run(resume)
    elif recipe is None or data is None or out is None:
        raise RecipeError("a training needs a recipe, --data and --out; or --resume RUN alone")
    else:
        chosen, source = load_recipe(recipe, overrides), data
    if source.startswith("synthetic:"):
        Console(stderr=True).print(
            f"[yellow]{source}: these faces are drawn, not real; the network will not know photographs[/]"
        )
    written = run_training(chosen, source, resume or Path(out or ""), resume=resume is not None)
    return Console(highlight=False).print(f"{written}", soft_wrap=True)


def parse_arguments(arguments: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """The recipe's file and the fields to override, from ``--field value`` or ``--field=value`` in
    any order.

    Raises:
        RecipeError: An option has no value, or there are two files.

    >>> parse_arguments(["--batch-size", "64", "recipes/small.yaml", "--loss=wing"])
    ('recipes/small.yaml', {'batch_size': '64', 'loss': 'wing'})
    """
    rest, files, fields = list(arguments), list[str](), dict[str, str]()
    while rest:
        word = rest.pop(0)
        name, given, value = word.partition("=")
        if not name.startswith("--"):
            files.append(word)
        elif given or rest:
            fields[name[2:].replace("-", "_")] = value if given else rest.pop(0)
        else:
            raise RecipeError(
                f"{name}: a recipe's field is overridden by --FIELD VALUE, as in --epochs 2"
            )
    if len(files) > 1:
        raise RecipeError(f"one recipe a training, not {' and '.join(files)}")
    return (files[0] if files else None), fields


def _list_fields() -> None:
    from facedots.training.recipe import Recipe

    table = Table("option", "default", "meaning")
    for name, field in Recipe.model_fields.items():
        default = "required" if field.is_required() else str(field.default)
        table.add_row(f"--{name.replace('_', '-')}", default, field.description)
    Console().print(table)


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, as `facedots train` leaves it.")],
    out: Annotated[Path, typer.Option(help="ONNX file to write.")],
    checkpoint: Annotated[str, typer.Option(help="best (by validation NME) or last.")] = "best",
    style: Annotated[
        str, typer.Option(help="Whose way of labeling to follow: one of the recipe's sources.")
    ] = "",
    int8: Annotated[
        bool, typer.Option("--int8", help="Half the bytes again: convolutions in int8.")
    ] = False,
) -> None:
    """Write the network of a run as one ONNX file with its schema, framing, normalization and
    license, checked against torch.
    """
    from facedots.training.run import export_run

    difference = export_run(run, out, checkpoint, style, int8=int8)
    console = Console(highlight=False)
    console.print(f"{out}: {out.stat().st_size / 1e6:.2f} MB", soft_wrap=True)
    console.print(
        f"mean difference between torch and ONNX Runtime: {difference:.5f} px of the crop"
    )
