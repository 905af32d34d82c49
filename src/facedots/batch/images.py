"""Many images at once: find the faces of each, write what is made of it, collect what fails."""

import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from facedots.analysis.align import Template, align_face
from facedots.errors import (
    DEBUG,
    FacedotsError,
    FileNameError,
    OutputError,
    PointsError,
    describe_unexpected,
)
from facedots.geometry import Image
from facedots.io.files import is_input, protect
from facedots.io.headers import MAX_PIXELS
from facedots.io.images import OUTPUT_SUFFIXES, write_image
from facedots.io.inputs import (
    ImageSource,
    Names,
    distinct,
    each_name,
    find_images,
    is_url,
    source_key,
)
from facedots.io.result_files import RecordFile, earlier_rows
from facedots.io.text import csv_cell, csv_line, csv_name
from facedots.types import Face, ImageResult

T = TypeVar("T")

Images = str | Path | ImageSource | Iterable[str | Path | ImageSource]
"""One image or several, from :func:`list_images` or by names as it takes them."""
FindFaces = Callable[[Image], Sequence[Face]]
"""What finds the faces of an image: a :class:`~facedots.pipeline.Pipeline` or the like."""
Draw = Callable[[Image, Sequence[Face]], Image]
OnError = Callable[[str], object]
"""Receives the message of an image that failed, which names the image."""


def list_images(
    sources: Names,
    *,
    recursive: bool = False,
    max_pixels: int = MAX_PIXELS,
    on_error: OnError | None = None,
    on_skip: OnError | None = None,
) -> list[ImageSource]:
    """List the images that files, folders, patterns and URLs name, each once.

    Args:
        sources: One or several, each as in :func:`~facedots.io.inputs.find_images`.
        recursive: Search the folders of folders as well.
        max_pixels: Images with more are refused when they are read.
        on_error: Gets the message of each source without an image, and of each name that cannot
            be read; without it the first error is raised.
        on_skip: Gets a line for each source in which something was skipped.

    Raises:
        ImageError: A source has no image and there is no ``on_error``.
    """
    images = []
    for source in each_name(sources):
        try:
            images += find_images(
                source, recursive, max_pixels=max_pixels, on_error=on_error, on_skip=on_skip
            )
        except FacedotsError as error:
            if on_error is None:
                raise
            on_error(str(error))
    images = list(distinct(images))
    protect(image.location for image in images if not is_url(image.location))
    return images


def _each_image(images: Images, on_error: OnError | None = None) -> Iterator[ImageSource]:
    for image in [images] if isinstance(images, str | Path | ImageSource) else images:
        if isinstance(image, ImageSource):
            yield image
        else:
            yield from list_images(image, on_error=on_error)


def map_images(
    function: Callable[[ImageSource, Image], T], sources: Images, on_error: OnError | None = None
) -> Iterator[T]:
    """Read each image and apply a function to it.

    Args:
        function: Called with the source and the image, ``uint8 (H, W, 3)`` RGB.
        sources: The images, from :func:`list_images`, or their names.
        on_error: Gets the message of each image that cannot be read or processed, which is then
            skipped; without it the first error is raised. Unexpected errors are such messages too,
            unless ``FACEDOTS_DEBUG`` is set.

    Raises:
        OutputError: A result cannot be written; the others could not be written either.
    """
    for source in _each_image(sources, on_error):
        try:
            result = function(source, source.read())
        except FacedotsError as error:
            stops = isinstance(error, OutputError) and not isinstance(error, FileNameError)
            if stops or on_error is None:
                raise
            message = str(error)
            on_error(message if source.location in message else f"{source.location}: {message}")
        except (ImportError, AttributeError):  # what is installed fails, whatever the image
            raise
        except Exception as error:
            if on_error is None or DEBUG in os.environ:
                error.add_note(f"while working on {source.location}")
                raise
            on_error(f"{source.location}: {describe_unexpected(error)}")
        else:
            yield result


def predict_images(
    sources: Images,
    pipeline: FindFaces,
    *,
    draw: Draw | None = None,
    targets: Mapping[str, Path] | None = None,
    on_error: OnError | None = None,
) -> Iterator[ImageResult]:
    """Find the faces of images, one after the other.

    Args:
        sources: The images, from :func:`list_images`, or their names.
        pipeline: Finds the faces of an image.
        draw: Makes the image to write: ``draw(image, faces) -> image``.
        targets: The file to write for each location, from :func:`result_paths`; none without it.
        on_error: As in :func:`map_images`, which see for the errors too.

    Example:
        >>> from facedots.detection.opencv import Haar
        >>> from facedots.io.images import sample_portrait
        >>> from facedots.pipeline import Pipeline
        >>> results = predict_images(sample_portrait(), Pipeline(Haar()))
        >>> [len(result.faces) for result in results]
        [1]
    """

    def predict(source: ImageSource, image: Image) -> ImageResult:
        faces = pipeline(image)
        check_finite(faces)
        result = ImageResult(source.location, image.shape[1], image.shape[0], faces)
        if not draw or not targets:
            return result
        target = targets[source.location]
        try:
            write_image(target, draw(image, faces))
        except FileNameError as error:  # the faces are known nevertheless
            if on_error is None:
                raise
            on_error(str(error))
            return result
        return replace(result, drawing=target)

    return map_images(predict, sources, on_error)


def check_finite(faces: Sequence[Face]) -> None:
    """Refuse what no file of results can hold."""
    for face in faces:
        pose = face.pose
        angles = (pose.yaw, pose.pitch, pose.roll, pose.reprojection_error) if pose else ()
        if not all(map(math.isfinite, (face.score, *angles))):
            raise PointsError("the network's score or the head pose is not a number")
        if not math.isfinite(face.points.sum()):
            raise PointsError("the network's points are not all numbers")


TRANSFORMS_FILE = "transforms.csv"
TRANSFORM_COLUMNS = (
    *("file", "source", "face_id", "confidence", "template", "size"),
    *("m00", "m01", "m02", "m10", "m11", "m12"),
    *("inverse_00", "inverse_01", "inverse_02", "inverse_10", "inverse_11", "inverse_12"),
)


def align_images(
    sources: Images,
    pipeline: FindFaces,
    out: str | Path,
    *,
    size: int = 112,
    template: Template = "eyes",
    resume: bool = False,
    on_error: OnError | None = None,
) -> Generator[ImageResult, None, None]:
    """Write every face of images upright into a square of its own, and a table of the transforms.

    ``transforms.csv`` is there once the iterator is exhausted or closed, and whatever ends it, with
    the images until then. It has the affine maps from the image to the square and back:
    ``x' = m00 x + m01 y + m02``, ``y' = m10 x + m11 y + m12``. A row without a file is
    of an image without a face, or of a face whose file could not be written.

    Args:
        sources: The images, from :func:`list_images`, or their names.
        pipeline: Finds the faces of an image.
        out: Folder for ``<name>_aligned_<face>.<suffix>`` and the table.
        size: Side of a square in pixels.
        template: Where the parts of a face go; see :mod:`facedots.analysis.align`.
        resume: Skip the images whose faces an earlier run has put into the table and the folder.
        on_error: As in :func:`map_images`.

    Raises:
        OutputError: A file cannot be written, or would overwrite one of the sources; or the table
            to go on with is of other squares.
    """
    images, out = list(_each_image(sources, on_error)), Path(out)
    inputs = {Path(source.location).resolve() for source in images}
    earlier = _transforms(out, size, template) if resume else {}
    todo = [source for source in images if source_key(source.location) not in earlier]
    kept = [row for rows in earlier.values() for row in rows]
    targets = result_paths(todo, out, "aligned", taken=inputs | _stems(out, kept))

    def align_all(source: ImageSource, image: Image) -> ImageResult:
        faces, rows, location = pipeline(image), list[list[object]](), csv_cell(source.location)
        for face_id, face in enumerate(faces):
            path = targets[source.location]
            target = path.with_stem(f"{path.stem}_{face_id}")
            if target.resolve() in inputs:
                raise OutputError(f"{target} is a source and would be overwritten; change --out")
            aligned = align_face(image, face, size, template)
            try:
                write_image(target, aligned.image)
                name = csv_cell(target.relative_to(out).as_posix())
            except FileNameError as error:  # the other faces can be written
                if on_error is None:
                    raise
                on_error(str(error))
                name = ""
            score = f"{face.score:.4f}"
            maps = [f"{value:.8g}" for value in (*aligned.matrix.flat, *aligned.inverse.flat)]
            rows.append([name, location, face_id, score, template, size, *maps])
        if not faces:
            rows.append(["", location, "", "", template, size, *[""] * 12])
        table.write("".join(map(csv_line, rows)))
        return ImageResult(source.location, image.shape[1], image.shape[0], faces)

    head = "".join(map(csv_line, [TRANSFORM_COLUMNS, *kept]))
    with RecordFile(out / TRANSFORMS_FILE, head) as table:
        yield from map_images(align_all, todo, on_error)


def _transforms(out: Path, size: int, template: Template) -> dict[str, list[list[str]]]:
    """The rows of each source in the table of an earlier run whose faces are all there."""
    hint = "give another --out, or leave --resume out to replace it"
    images = earlier_rows(out / TRANSFORMS_FILE, TRANSFORM_COLUMNS, hint)
    if any(row[4:6] != [template, str(size)] for rows in images.values() for row in rows):
        file = out / TRANSFORMS_FILE
        raise OutputError(f"{file}: its faces have another --template or --size; {hint}")
    # A row of a face without a file is of one that could not be written.
    files = {key: [csv_name(row[0]) for row in rows if row[2]] for key, rows in images.items()}
    whole = (key for key, names in files.items() if all((out / name).is_file() for name in names))
    return {key: images[key] for key in whole}


def _stems(out: Path, rows: list[list[str]]) -> set[Path]:
    """The targets, without the number of the face, of the files that a table names."""
    files = ((out / csv_name(row[0]), f"_{row[2]}") for row in rows if row[0])
    return {file.with_stem(file.stem.removesuffix(number)).resolve() for file, number in files}


def result_paths(
    sources: Images, out: str | Path, ending: str, *, taken: Iterable[Path] = ()
) -> dict[str, Path]:
    """Name a file ``<out>/<name>_<ending>.<suffix>`` for each location of an image.

    No file is named twice, and none is a source or ``taken``, which are whole paths; a number is
    appended where one would be.
    """
    images = list(_each_image(sources))
    named = [*taken, *(Path(source.location).resolve() for source in images)]
    used, paths = {str(path).casefold() for path in named}, {}
    for source in images:
        path = Path(out) / source.relative
        suffix = path.suffix.lower() if path.suffix.lower() in OUTPUT_SUFFIXES else ".png"
        stem, number = f"{path.stem}_{ending}", 1
        path = path.with_name(stem + suffix)
        while str(path.resolve()).casefold() in used or is_input(path):
            number += 1
            path = path.with_name(f"{stem}_{number}{suffix}")
        paths[source.location] = path
        used.add(str(path.resolve()).casefold())
    return paths
