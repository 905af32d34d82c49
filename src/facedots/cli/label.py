"""``facedots label``: predictions to correct in CVAT or Label Studio, and the corrections back."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from facedots.cli.options import (
    Host,
    LabelOptions,
    MaxPixels,
    Port,
    Recursive,
    Workers,
    expand_options,
)
from facedots.cli.output import ImageRun, echo, is_printed, output_file
from facedots.errors import DataError
from facedots.io.headers import MAX_PIXELS
from facedots.io.text import count_noun
from facedots.pipeline_options import ModelName, PipelineOptions

label_app = typer.Typer(
    no_args_is_help=True, help="Send predictions to CVAT or Label Studio, read corrections."
)


@label_app.command(name="export")
@expand_options
def export_labels(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", exists=True, file_okay=False, help="Folder with images."),
    ],
    *,
    out: Annotated[
        Path, "New folder for the images and what the tools import.", {"file_okay": False}
    ],
    top: Annotated[
        int | None, "Only the N images that need it most.", {"min": 1, "metavar": "N"}
    ] = None,
    networks: PipelineOptions,
    recursive: Recursive = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Write predictions as imports for CVAT and Label Studio.

    The most uncertain images come first, those without a face before all others; ranking.csv lists
    the order. docs/annotating.md goes through both tools step by step.
    """
    from facedots.labeling.batch import (
        CVAT,
        IMAGES,
        LABEL_STUDIO,
        RANKING,
        check_unfilled,
        rank_by_uncertainty,
        save_batch,
    )

    check_unfilled(out)
    pipeline = networks.load()
    with ImageRun([str(folder)], recursive, max_pixels) as run:
        names = {image.location: image.relative.as_posix() for image in run.images}
        results = [
            replace(result, source=names[result.source])
            for result in run.predict("finding faces", pipeline)
        ]
        chosen = rank_by_uncertainty(results)[:top]
        counts = [len(result.faces) for result in chosen]
        if not any(counts):
            images = count_noun(len(chosen), "image")
            raise DataError(f"{folder}: no face found in {images}, so there is nothing to correct")
        save_batch(out, folder, chosen, pipeline.predictor.spec.schema, networks.model)
        echo(
            f"{out}: {len(chosen)} of {count_noun(len(results), 'image')}, "
            f"{count_noun(sum(counts), 'face')}, "
            f"{count_noun(counts.count(0), 'image')} without a face"
        )
        echo(
            f"CVAT: labels from {CVAT[1]}, images from {IMAGES}/, then upload {CVAT[0]} as CVAT 1.1"
        )
        echo(
            f"Label Studio: interface from {LABEL_STUDIO[1]}, serve {IMAGES}/ as local files, "
            f"import {LABEL_STUDIO[0]}"
        )
        echo(
            f"the order: {RANKING}; afterwards: facedots label import EXPORTED_FILE "
            f"--exported {out} --out fixed.csv"
        )


@label_app.command(name="import")
@expand_options
def import_labels(
    file: Annotated[
        Path,
        typer.Argument(
            help="What CVAT (.zip or .xml) or Label Studio (.json) exported; without --exported, "
            "labels in any format."
        ),
    ],
    *,
    out: Annotated[
        Path, "The CSV file to write, over what is there; .xml is for dlib.", {"dir_okay": False}
    ],
    exported: Annotated[
        Path | None,
        "The folder that `facedots label export` wrote.",
        {"metavar": "DIR", "file_okay": False},
    ] = None,
    labels: LabelOptions,
    changes: Annotated[
        Path | None, "Write each point that was changed into this CSV file.", {"dir_okay": False}
    ] = None,
) -> None:
    """Read corrected faces into a CSV file, and list what was changed.

    Also converts labels of any format: facedots label import LABELS --images DIR --out FILE.

    Give --exported after `facedots label export`, or --images for images annotated from scratch.
    Missing points ("outside" in CVAT, deleted in Label Studio) become empty cells; which points are
    hidden is kept in CSV. Images without annotations are left out.
    """
    from facedots.annotations.csv_table import annotations_csv
    from facedots.annotations.load import load_annotations
    from facedots.annotations.tool_files import to_imglab
    from facedots.io.result_files import RecordFile
    from facedots.labeling.changes import changes_csv, load_corrections, summary

    out, changes, options = output_file(out), output_file(changes), labels.load()
    say = partial(echo, err=is_printed(out, changes))
    if (exported is None) == (options.images is None):
        raise DataError(
            "give --exported, the folder that `facedots label export` wrote, "
            "or --images, a folder of images"
        )
    lines, moved = list[str](), ""
    if exported is not None:
        corrections = load_corrections(file, exported, options)
        faces, schema = corrections.faces, corrections.batch.schema
        root: Path | None = corrections.batch.image_folder
        moved = changes_csv(corrections.changes, schema)
        lines += summary(corrections.changes)
        if corrections.unlabeled:
            lines.append(f"images without a face in this export: {corrections.unlabeled}")
    elif changes is not None:
        raise DataError("--changes needs --exported: without it predictions are unknown")
    else:
        annotations = load_annotations(file, options)
        faces, schema, root = annotations.faces, annotations.schema, options.images
    xml = out.suffix.lower() == ".xml"
    text = to_imglab(faces) if xml else annotations_csv(faces, schema)
    with RecordFile(out, text), RecordFile(changes, moved) if changes else nullcontext():
        lines.append(f"{out}: {count_noun(len(faces), 'face')} of images in {root}")
    say(*lines)
    say(f"look at it: facedots data show {out} --images {root}")


@label_app.command(name="interface")
@expand_options
def print_interface(*, model: ModelName = "small") -> None:
    """Print the labeling interface of a Label Studio project for the points of a network."""
    from facedots.annotations.labeling_interface import label_studio_config
    from facedots.inference.session import Session

    typer.echo(label_studio_config(Session(model).spec.schema), nl=False)


@label_app.command(name="serve")
@expand_options
def serve_labels(
    *,
    host: Host = "127.0.0.1",
    port: Port = 9090,
    workers: Workers = 1,
    images: Annotated[
        Path | None,
        "Label Studio's document root for local files, where it can be read here.",
        {"metavar": "DIR", "file_okay": False},
    ] = None,
    label_studio_url: Annotated[
        str, "Address of Label Studio, to fetch images from.", {"envvar": "LABEL_STUDIO_URL"}
    ] = "",
    label_studio_token: Annotated[
        str,
        "Token of one of its users, better by LABEL_STUDIO_API_KEY.",
        {"envvar": "LABEL_STUDIO_API_KEY"},
    ] = "",
    password: Annotated[
        str,
        "What Label Studio must send with Basic Auth, better by FACEDOTS_PASSWORD.",
        {"envvar": "FACEDOTS_PASSWORD"},
    ] = "",
    networks: PipelineOptions,
) -> None:
    """Predict for Label Studio as its ML backend, until Ctrl-C or SIGTERM.

    Tasks are scored so that those sorted by prediction score begin with the worst. Images come
    from --images and from --label-studio-url, and from nowhere else. docs/annotating.md has the
    steps.
    """
    from facedots.service.label_studio import LabelSettings, create_label_app
    from facedots.service.run import run_workers

    if images is None and not label_studio_url:
        raise DataError("say where images are: --images DIR, --label-studio-url URL, or both")
    if images and not images.is_dir():
        raise DataError(f"{images}: no such folder")
    settings = LabelSettings(
        networks=networks,
        images=images,
        url=label_studio_url,
        token=label_studio_token,
        password=password,
    )
    settings.open()  # what is wrong with the networks is said before a worker starts
    run_workers(partial(create_label_app, settings), settings.limits, host, port, workers)
