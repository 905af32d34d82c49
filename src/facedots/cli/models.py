"""``facedots models``: which networks come with facedots, and on what terms."""

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facedots.cli.options import expand_options
from facedots.cli.output import echo
from facedots.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from facedots.geometry import Floats


@expand_options
def models(
    as_json: Annotated[bool, "Print JSON, with the same facts.", {"name": "json"}] = False,
) -> None:
    """List the networks that come with facedots. Size, input, terms, training data, scores."""
    from facedots.detection import finder
    from facedots.inference.session import TERMS, describe_model
    from facedots.inference.weights import WEIGHTS

    descriptions = [describe_model(name) for name in WEIGHTS]
    if as_json:
        typer.echo(json.dumps(descriptions, indent=2, ensure_ascii=False))
    elif not descriptions:
        typer.echo(
            "no networks come with this copy; `facedots train` makes one, "
            "`facedots export` writes its file"
        )
    else:
        detectors = [
            f"{name}: detector of faces, {weights.path.stat().st_size / 1e6:.2f} MB, chosen by "
            f"--detector {name}"
            for name, weights in finder.WEIGHTS.items()
            if weights.path.is_file()
        ]
        typer.echo("\n".join([*map(_summary, descriptions), *detectors, TERMS]))


def _summary(model: "Mapping[str, Any]") -> str:
    """A paragraph on one network; what is empty is left out."""
    color = "RGB" if model["channels"] == 3 else "gray"
    whole = "the face" if model["crop"] == "box" else "the frame"
    scores = "; ".join(f"{name} {score}" for name, score in model["scores"].items())
    rows = {
        "file": f"{model['bytes'] / 1e6:.2f} MB, {model['file']}",
        "input": f"{model['input_size']} × {model['input_size']} {color}, "
        f"{model['crop_scale']:g} × the side of {whole}",
        "points": f"{model['points']} ({model['schema']})"
        + ", whether each is hidden" * model["visibility"]
        + ", the pupils" * model["pupils"],
        "license": model["weights_license"] or "unknown",
        "trained on": model["trained_on"] or "unknown",
        "note": model["note"],
        "scores": scores or "not measured",
    }
    title = f"{model['name']}: {model['title']}" if model["title"] else model["name"]
    return "\n".join([title, *(f"  {label:<10}  {text}" for label, text in rows.items() if text)])


@expand_options
def features(
    weights: Annotated[
        str,
        typer.Argument(
            help="A name from `facedots models`, an .onnx file, or the folder of a run."
        ),
    ],
    *,
    image: Annotated[Path, "The image to look at."],
    out: Annotated[Path, "Folder for the images, which replace those there."],
    layer: Annotated[str | None, "One layer instead of all; a wrong name lists them."] = None,
    kernel: Annotated[int, "The kernel that filters the image."] = 0,
    channel: Annotated[
        int | None, "One input channel of the kernels instead of their mean."
    ] = None,
    box: Annotated[
        str | None, "The face's tight box; else a detector finds it.", {"metavar": "X0,Y0,X1,Y1"}
    ] = None,
) -> None:
    """Draw kernels, feature maps, and what a kernel does to an image.

    Without --layer: the feature maps of all layers, and the kernels of the first. Batch norm does
    not show: it is folded into the convolutions.
    """
    from facedots.inference.weights import weights_file
    from facedots.io.images import read_image
    from facedots.plots.curves import save_figure
    from facedots.plots.kernels import feature_figures

    corners, pixels = None if box is None else _parse_box(box), read_image(image)
    draw = functools.partial(feature_figures, layer=layer, kernel=kernel, channel=channel)
    try:
        figures = draw(weights_file(weights), pixels, corners)
    except ImageError as error:
        raise ImageError(f"{image}: {error}; give its box as --box x0,y0,x1,y1") from error
    for name, figure in figures.items():
        path = out / (re.sub(r"[^-.#\w]", "_", name) + ".png")
        save_figure(figure, path)
        echo(path)


def _parse_box(text: str) -> "Floats":
    from facedots.geometry import check_boxes

    try:
        return check_boxes([[float(number) for number in text.split(",")]])[0]
    except ValueError as error:
        reason = "--box needs four numbers with an area, as in 10,20,110,140"
        raise typer.BadParameter(reason) from error
