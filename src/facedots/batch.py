"""Many images at once: find the faces of each, write what is made of it, collect what fails."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from facedots.analysis.align import Template, align_face
from facedots.errors import FacedotsError, OutputError
from facedots.geometry import Image
from facedots.io.files import atomic_write
from facedots.io.images import SUFFIXES, write_image
from facedots.io.inputs import ImageSource, distinct, find_images
from facedots.types import Face, ImageResult

T = TypeVar("T")

FindFaces = Callable[[Image], Sequence[Face]]
"""What finds the faces of an image: a :class:`~facedots.pipeline.Pipeline` or the like."""
Draw = Callable[[Image, Sequence[Face]], Image]
OnError = Callable[[str], object]
"""Receives the message of an image that failed, which names the image."""


def list_images(
    sources: Iterable[str], *, recursive: bool = False, on_error: OnError | None = None
) -> list[ImageSource]:
    """List the images that files, folders, patterns and URLs name, each once.

    Args:
        sources: As in :func:`~facedots.io.inputs.find_images`.
        recursive: Search the folders of folders as well.
        on_error: Gets the message of each source without an image; without it the first error is
            raised.

    Raises:
        ImageError: A source has no image and there is no ``on_error``.
    """
    images = []
    for source in sources:
        try:
            images += find_images(source, recursive)
        except FacedotsError as error:
            if on_error is None:
                raise
            on_error(str(error))
    return list(distinct(images))


def map_images(
    function: Callable[[ImageSource, Image], T],
    sources: Iterable[ImageSource],
    on_error: OnError | None = None,
) -> Iterator[T]:
    """Read each image and apply a function to it.

    Args:
        function: Called with the source and the image, ``uint8 (H, W, 3)`` RGB.
        sources: The images.
        on_error: Gets the message of each image that cannot be read or processed, which is then
            skipped; without it the first error is raised.

    Raises:
        OutputError: A result cannot be written; the others could not be written either.
        FacedotsError: An image fails and there is no ``on_error``.
    """
    for source in sources:
        try:
            result = function(source, source.read())
        except OutputError:
            raise
        except FacedotsError as error:
            if on_error is None:
                raise
            message = str(error)
            on_error(message if source.location in message else f"{source.location}: {message}")
        else:
            yield result


def predict_images(
    sources: Iterable[ImageSource],
    pipeline: FindFaces,
    *,
    draw: Draw | None = None,
    targets: Mapping[str, Path] | None = None,
    on_error: OnError | None = None,
) -> Iterator[ImageResult]:
    """Find the faces of images, one after the other.

    Args:
        sources: The images, from :func:`list_images`.
        pipeline: Finds the faces of an image.
        draw: Makes the image to write: ``draw(image, faces) -> image``.
        targets: The file to write for each location, from :func:`result_paths`; none without it.
        on_error: As in :func:`map_images`, which see for the errors too.

    Example:
        >>> from facedots.detection.haar import Haar
        >>> from facedots.io.images import sample_portrait
        >>> from facedots.pipeline import Pipeline
        >>> images = list_images([str(sample_portrait())])
        >>> [len(result.faces) for result in predict_images(images, Pipeline(Haar()))]
        [1]
    """

    def predict(source: ImageSource, image: Image) -> ImageResult:
        faces = pipeline(image)
        if draw and targets:
            write_image(targets[source.location], draw(image, faces))
        return ImageResult(source.location, image.shape[1], image.shape[0], faces)

    return map_images(predict, sources, on_error)


TRANSFORMS_FILE = "transforms.csv"
TRANSFORM_COLUMNS = (
    *("file", "source", "face_id", "confidence", "template", "size"),
    *("m00", "m01", "m02", "m10", "m11", "m12"),
    *("inverse_00", "inverse_01", "inverse_02", "inverse_10", "inverse_11", "inverse_12"),
)


def align_images(
    sources: Sequence[ImageSource],
    pipeline: FindFaces,
    out: Path,
    *,
    size: int = 112,
    template: Template = "eyes",
    on_error: OnError | None = None,
) -> Iterator[ImageResult]:
    """Write every face of images upright into a square of its own, and a table of the transforms.

    ``transforms.csv`` is complete once the iterator is exhausted. It has the affine maps from
    the image to the square and back: ``x' = m00 x + m01 y + m02``, ``y' = m10 x + m11 y + m12``.

    Args:
        sources: The images.
        pipeline: Finds the faces of an image.
        out: Folder for ``<name>_aligned_<face>.<suffix>`` and the table.
        size: Side of a square in pixels.
        template: Where the parts of a face go; see :mod:`facedots.analysis.align`.
        on_error: As in :func:`map_images`.

    Raises:
        OutputError: A file cannot be written, or would overwrite one of the sources.
    """
    targets = result_paths(sources, out, "aligned")
    inputs = {Path(source.location).resolve() for source in sources}
    rows: list[Sequence[object]] = [TRANSFORM_COLUMNS]

    def align_all(source: ImageSource, image: Image) -> ImageResult:
        faces = pipeline(image)
        for face_id, face in enumerate(faces):
            path = targets[source.location]
            target = path.with_stem(f"{path.stem}_{face_id}")
            if target.resolve() in inputs:
                raise OutputError(f"{target} is a source and would be overwritten; change --out")
            aligned = align_face(image, face, size, template)
            write_image(target, aligned.image)
            name, score = target.relative_to(out).as_posix(), f"{face.score:.4f}"
            maps = [f"{value:.8g}" for value in (*aligned.matrix.flat, *aligned.inverse.flat)]
            rows.append([name, source.location, face_id, score, template, size, *maps])
        return ImageResult(source.location, image.shape[1], image.shape[0], faces)

    yield from map_images(align_all, sources, on_error)
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    atomic_write(out / TRANSFORMS_FILE, table.getvalue())


def result_paths(sources: Sequence[ImageSource], out: Path, ending: str) -> dict[str, Path]:
    """Name a file ``<out>/<name>_<ending>.<suffix>`` for each location of an image.

    No file is named twice, and none is a source; a number is appended where one would be.
    """
    taken = {str(Path(source.location).resolve()).casefold() for source in sources}
    paths = {}
    for source in sources:
        path = out / source.relative
        suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else ".png"
        stem, number = f"{path.stem}_{ending}", 1
        path = path.with_name(stem + suffix)
        while str(path.resolve()).casefold() in taken:
            number += 1
            path = path.with_name(f"{stem}_{number}{suffix}")
        paths[source.location] = path
        taken.add(str(path.resolve()).casefold())
    return paths
