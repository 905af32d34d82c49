"""``facedots models``: which networks come with facedots, and on what terms."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from facedots.errors import ImageError, WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from facedots.geometry import Floats, Image
    from facedots.inference.predictor import KeypointPredictor


def models(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with the same facts.")
    ] = False,
) -> None:
    """List the networks that come with facedots: size, input, terms, training data, scores."""
    from facedots.inference.weights import TERMS, WEIGHTS, describe_model

    descriptions = [describe_model(name) for name in WEIGHTS]
    if as_json:
        typer.echo(json.dumps(descriptions, indent=2, ensure_ascii=False))
    elif not descriptions:
        typer.echo(
            "no networks come with this copy; `facedots train` makes one, "
            "`facedots export` writes its file"
        )
    else:
        typer.echo("\n".join([*map(_summary, descriptions), TERMS]))


def _summary(model: "Mapping[str, Any]") -> str:
    """A paragraph on one network; what is empty is left out."""
    color = "RGB" if model["channels"] == 3 else "gray"
    whole = "the face" if model["crop"] == "box" else "the frame"
    scores = "; ".join(f"{name} {score}" for name, score in model["scores"].items())
    rows = {
        "file": f"{model['bytes'] / 1e6:.2f} MB, {model['file']}",
        "input": f"{model['input_size']} × {model['input_size']} {color}, "
        f"{model['crop_scale']:g} × the side of {whole}",
        "points": f"{model['points']} ({model['schema']})",
        "license": model["weights_license"] or "unknown",
        "trained on": model["trained_on"] or "unknown",
        "note": model["note"],
        "scores": scores or "not measured",
    }
    title = f"{model['name']}: {model['title']}" if model["title"] else model["name"]
    return "\n".join([title, *(f"  {label:<10}  {text}" for label, text in rows.items() if text)])


def features(
    weights: Annotated[
        str,
        typer.Argument(
            help="A name from `facedots models`, an .onnx file, or the folder of a run."
        ),
    ],
    *,
    image: Annotated[Path, typer.Option(help="The image to look at.")],
    out: Annotated[Path, typer.Option(help="Folder for the images.")],
    layer: Annotated[
        str | None, typer.Option(help="One layer instead of all; a wrong name lists them.")
    ] = None,
    kernel: Annotated[int, typer.Option(help="The kernel that filters the image.")] = 0,
    channel: Annotated[
        int | None, typer.Option(help="One input channel of the kernels instead of their mean.")
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(metavar="X0,Y0,X1,Y1", help="The face's tight box; else a detector finds it."),
    ] = None,
) -> None:
    """Draw the kernels of a layer, the feature maps that an image produces, and what one kernel
    does to the image.

    Without --layer: the feature maps of all layers, and the kernels of the first. Batch norm does
    not show: it is folded into the convolutions.
    """
    from facedots.inference.predictor import KeypointPredictor
    from facedots.inference.weights import weights_file
    from facedots.inspection.layers import (
        cut_crop,
        feature_maps,
        find_layer,
        list_layers,
        load_model,
    )
    from facedots.io.images import read_image
    from facedots.plots.curves import save_figure
    from facedots.plots.kernels import filter_figure, kernel_grid, map_grid

    file = weights_file(weights)
    predictor, model, pixels = KeypointPredictor(file), load_model(file), read_image(image)
    layers = list_layers(model)
    if not layers:
        raise WeightsError(f"{file}: the network has no convolution")
    chosen = layers[0] if layer is None else find_layer(layers, layer)
    crop, square = cut_crop(predictor, pixels, _box(predictor, pixels, box, image))
    figures = {
        f"kernels-{chosen.name}": kernel_grid(chosen, channel),
        f"filter-{chosen.name}-{kernel}": filter_figure(
            pixels, crop, square, chosen, kernel=kernel, channel=channel
        ),
    }
    maps = feature_maps(model, crop)
    for number, name in enumerate(maps):
        if layer is None or name == chosen.name:
            figures[f"maps-{number:02}-{name}"] = map_grid(maps[name], name)
    console = Console(highlight=False)
    for name, figure in figures.items():
        path = out / (re.sub(r"[^-.#\w]", "_", name) + ".png")
        save_figure(figure, path)
        console.print(str(path), soft_wrap=True)


def _box(
    predictor: "KeypointPredictor", pixels: "Image", given: str | None, source: Path
) -> "Floats | None":
    """The box on the command line, else the detector's best; none where the network sees the whole
    frame.
    """
    import numpy as np

    from facedots.detection.retinaface import RetinaFace
    from facedots.geometry import check_boxes

    if given is not None:
        try:
            return np.asarray(
                check_boxes([[float(number) for number in given.split(",")]])[0], np.float32
            )
        except ValueError as error:
            raise typer.BadParameter(
                "--box needs four numbers with an area, as in 10,20,110,140"
            ) from error
    if predictor.spec.crop.mode == "frame":
        return None
    found = RetinaFace()(pixels)
    if not len(found):
        raise ImageError(f"{source}: no face found; give its box as --box x0,y0,x1,y1")
    return np.asarray(found.boxes[0], np.float32)
