"""``facedots label``: predictions for people to correct in CVAT or Label Studio, the least sure
first, and the way back.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facedots.cli.options import PipelineOptions, Recursive, expand_options
from facedots.cli.output import collect_failures, show_progress
from facedots.errors import DataError
from facedots.io.files import atomic_write

if TYPE_CHECKING:
    from facedots.annotations.base import FaceAnnotation
    from facedots.schema import KeypointSchema

label_app = typer.Typer(
    no_args_is_help=True,
    help="Predictions to correct in CVAT or Label Studio, and the corrections back.",
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
        Path,
        typer.Option(file_okay=False, help="New folder for the images and what the tools import."),
    ],
    top: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the N images that need it most.")
    ] = None,
    networks: PipelineOptions,
    recursive: Recursive = False,
) -> None:
    """Write predictions as imports for CVAT and Label Studio, the images that need a person most
    first.

    First come images in which no face was found, then those of whose points the network is least
    sure (queue.csv lists them). docs/annotating.md goes through both tools step by step.
    """
    from facedots.batch import list_images, predict_images
    from facedots.labeling.batch import (
        CVAT,
        IMAGES,
        LABEL_STUDIO,
        QUEUE,
        rank_by_uncertainty,
        save_batch,
    )

    pipeline = networks.load()
    with collect_failures() as failures:
        images = list_images([str(folder)], recursive=recursive, on_error=failures.append)
        names = {image.location: image.relative.as_posix() for image in images}
        shown = show_progress(images, "finding faces")
        results = [
            replace(result, source=names[result.source])
            for result in predict_images(shown, pipeline, on_error=failures.append)
        ]
        chosen = rank_by_uncertainty(results)[:top]
        counts = [len(result.faces) for result in chosen]
        if not any(counts):
            raise DataError(
                f"{folder}: no face found in {len(chosen)} images, so there is nothing to correct"
            )
        save_batch(out, folder, chosen, pipeline.predictor.spec.schema, networks.model)
        typer.echo(
            f"{out}: {len(chosen)} of {len(results)} images, {sum(counts)} faces, "
            f"{counts.count(0)} images without a face"
        )
        typer.echo(
            f"CVAT: labels from {CVAT[1]}, images from {IMAGES}/, then upload {CVAT[0]} as CVAT 1.1"
        )
        typer.echo(
            f"Label Studio: interface from {LABEL_STUDIO[1]}, serve {IMAGES}/ as local files, "
            f"import {LABEL_STUDIO[0]}"
        )
        typer.echo(
            f"the order: {QUEUE}; afterwards: facedots label import EXPORTED_FILE --exported {out} "
            "--out fixed.csv"
        )


@label_app.command(name="import")
def import_labels(
    file: Annotated[
        Path, typer.Argument(help="What CVAT (.zip or .xml) or Label Studio (.json) exported.")
    ],
    *,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The CSV file to write.")],
    exported: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, help="The folder that `facedots label export` wrote."
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Or the images, where they were annotated from scratch.",
        ),
    ] = None,
    changes: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write each point that was changed into this CSV file."),
    ] = None,
) -> None:
    """Read corrected faces back into a CSV file that can be trained on, and say what was changed.

    Points that people hid ("outside" in CVAT, deleted in Label Studio) become empty cells. Images
    that nobody has annotated are left out.
    """
    from facedots.annotations.csv_points import annotations_csv
    from facedots.annotations.schemas import schema_beside
    from facedots.labeling.batch import IMAGES, load_batch, originals
    from facedots.labeling.changes import changes_csv, find_changes, summary
    from facedots.schema import IBUG68

    if (exported is None) == (images is None):
        raise DataError(
            "give --exported, the folder that `facedots label export` wrote, or --images, a folder of images"
        )
    if images is not None:
        if changes is not None:
            raise DataError("--changes needs --exported: what was predicted is known only there")
        root, schema = images, schema_beside(images) or IBUG68
        faces = _read(file, root, schema)
    else:
        work = load_batch(Path(exported or ""))
        root, schema = work.image_folder, work.schema
        faces = originals(work, _read(file, Path(exported or "") / IMAGES, schema), file)
        found = find_changes(work.predicted, faces)
        if changes is not None:
            atomic_write(changes, changes_csv(found, schema))
        bare = len(set(work.sources.values()) - {face.group for face in faces})
        typer.echo(
            "\n".join(
                [
                    *summary(found),
                    *([f"images without a face in this export: {bare}"] if bare else []),
                ]
            )
        )
    atomic_write(out, annotations_csv(faces, schema))
    typer.echo(f"{out}: {len(faces)} faces of images in {root}")
    typer.echo(f"look at it: facedots data show {out} --images {root}")


def _read(file: Path, root: Path, schema: "KeypointSchema") -> "list[FaceAnnotation]":
    """The faces in an export, by the file's ending."""
    from facedots.annotations.cvat import read_cvat
    from facedots.annotations.label_studio import read_label_studio

    readers = {".json": read_label_studio, ".xml": read_cvat, ".zip": read_cvat}
    if file.suffix.lower() not in readers:
        raise DataError(
            f"{file}: neither an export of CVAT (.zip, .xml) nor of Label Studio (.json)"
        )
    return readers[file.suffix.lower()](file, root, schema)
