"""``facedots filter``: stickers and make-up on the faces of pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facedots.cli.pictures import (
    DetectorChoice,
    DetectorFile,
    DetectorName,
    MaxSide,
    Model,
    Passes,
    Recursive,
    Sources,
    Threads,
    find_all,
    for_each,
    make_pipeline,
    report_failures,
    result_paths,
)

if TYPE_CHECKING:
    from facedots.io.inputs import Picture
    from facedots.warp import Image


def filter_pictures(
    sources: Sources,
    *,
    effects: Annotated[
        str,
        typer.Option(
            "--with", metavar="NAME,…", help="Effects in the order in which they go on, and own stickers as .yaml files."
        ),
    ],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the new pictures.")],
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    recursive: Recursive = False,
    passes: Passes = 1,
    threads: Threads = 1,
) -> None:
    """Put stickers and make-up on every face: sunglasses, moustache, hat, crown, dog-ears, dog-nose, party-mask, lips, …

    A name that is not known gets the list of all. Pictures without a face are written as they are, and reported as such.
    """
    from facedots.apps.effects import named_effects
    from facedots.io.images import write_image

    chosen = named_effects(effects)
    pipeline = make_pipeline(model, detector, detector_file, max_side=max_side, passes=passes, threads=threads)
    pictures, failures = find_all(sources, recursive)
    targets = result_paths(pictures, out, "filtered")

    def work(picture: "Picture", image: "Image") -> None:
        faces = pipeline(image)
        for effect in chosen:
            image = effect(image, faces)
        write_image(targets[picture], image)
        typer.echo(f"{targets[picture]}: {len(faces) or 'no'} face{'s' * (len(faces) != 1)}{'' if faces else ' found'}")

    failures += for_each(pictures, work, "filtering")
    report_failures(failures)
    if failures:
        raise typer.Exit(1)
