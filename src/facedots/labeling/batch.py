"""Whom to correct first: the images of whose points the network is least sure."""

import csv
import io
import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.cvat import cvat_labels, to_cvat
from facedots.annotations.exports import stored_points
from facedots.annotations.label_studio import label_studio_config, to_label_studio
from facedots.errors import AnnotationError, DataError, OutputError
from facedots.geometry import Floats, tight_boxes
from facedots.io.files import atomic_write
from facedots.schema import KeypointSchema
from facedots.types import Face, ImageResult


def doubt(face: Face) -> float:
    """How unsure a face's points are: their mean sigma in percent of the longer side of the tight
    box around them.

    Infinite where the network gives no sigma. Of the measures at hand this one found most, tried
    once with the first ``small``: the tenth of 770 YouTube frames with the largest doubt held 42 %
    of the tenth with the largest NME, where the lowest or the mean confidence and sigma over the
    eye distance found 31-38 %, and chance 10 %. The side of the box, unlike the eye distance, does
    not vanish in a profile.
    """
    if not np.isfinite(face.sigma).any():
        return math.inf
    box = tight_boxes(face.points[None])[0]
    return 100 * float(np.nanmean(face.sigma) / max(box[2] - box[0], box[3] - box[1]))


def image_doubt(result: ImageResult) -> float:
    """The doubt of an image's worst face; infinite where none was found, since a person should look
    there first.
    """
    return max(map(doubt, result.faces), default=math.inf)


def rank_by_uncertainty(results: Iterable[ImageResult]) -> list[ImageResult]:
    """Images by doubt, largest first: those without a face, then those whose faces are least sure."""
    return sorted(results, key=lambda result: (bool(result.faces), -image_doubt(result)))


def least_sure_points(result: ImageResult, count: int = 3) -> list[str]:
    """The names of the points with the largest sigma in an image's worst face, largest first."""
    face = max(result.faces, key=doubt, default=None)
    if face is None or not np.isfinite(face.sigma).any():
        return []
    return [
        face.schema.names[i]
        for i in np.argsort(-np.nan_to_num(face.sigma, nan=-1.0), kind="stable")[:count]
    ]


IMAGES, EXPORT, QUEUE = "images", "export.json", "queue.csv"
CVAT = ("cvat/annotations.xml", "cvat/labels.json")
LABEL_STUDIO = ("label_studio/tasks.json", "label_studio/config.xml")


@dataclass(frozen=True)
class LabelingBatch:
    """What was exported.

    Attributes:
        image_folder: The folder with the images themselves.
        schema: What the points mean.
        sources: Name of a numbered copy -> path of the image below ``image_folder``.
        predicted: That path -> the predicted faces, each ``float32 (K, 2)`` in pixels of the stored
            image.
    """

    image_folder: Path
    schema: KeypointSchema
    sources: Mapping[str, str]
    predicted: Mapping[str, Sequence[Floats]]


def save_batch(
    folder: Path,
    image_folder: Path,
    results: Sequence[ImageResult],
    schema: KeypointSchema,
    model: str,
) -> None:
    """Fill a folder with numbered images, :data:`CVAT`, :data:`LABEL_STUDIO`, :data:`QUEUE` and
    :data:`EXPORT`.

    Args:
        folder: Has no folder ``images`` yet, or an empty one.
        image_folder: The folder that the sources of the results are relative to.
        results: In the order in which people are to see them.
        schema: What the points mean.
        model: What predicted.

    Raises:
        OutputError: The folder cannot be written, or was filled before.
    """
    images = folder / IMAGES
    if images.is_dir() and any(images.iterdir()):
        raise OutputError(
            f"{images}: holds images already; export into a new folder, so that their numbers are right"
        )
    copies = [
        replace(result, source=f"{i:05d}_{Path(result.source).name}")
        for i, result in enumerate(results, start=1)
    ]
    try:
        images.mkdir(parents=True, exist_ok=True)
        for result, copy in zip(results, copies, strict=True):
            shutil.copyfile(image_folder / result.source, images / copy.source)
    except OSError as error:
        raise OutputError(f"{images}: images cannot be copied there: {error}") from error
    served = [replace(copy, source=f"{IMAGES}/{copy.source}") for copy in copies]
    export = {
        "image_folder": str(image_folder.resolve()),
        "model": model,
        "schema": schema.to_json(),
        "images": [
            {
                "file": copy.source,
                "source": result.source,
                "faces": [_places(face.points) for face in result.faces],
            }
            for result, copy in zip(results, copies, strict=True)
        ],
    }
    atomic_write(folder / CVAT[0], to_cvat(copies, schema))
    atomic_write(folder / CVAT[1], cvat_labels(schema, _usual_shape(results)))
    atomic_write(folder / LABEL_STUDIO[0], to_label_studio(served, schema, model=model))
    atomic_write(folder / LABEL_STUDIO[1], label_studio_config(schema))
    atomic_write(folder / QUEUE, _queue(results, copies))
    atomic_write(folder / EXPORT, json.dumps(export, ensure_ascii=False, allow_nan=False) + "\n")


def _places(points: Floats) -> list[list[float] | None]:
    """Points for JSON, None where missing."""
    return [
        None if math.isnan(x + y) else [round(x, 3), round(y, 3)]
        for x, y in np.asarray(points, np.float64).tolist()
    ]


def _usual_shape(results: Sequence[ImageResult]) -> Floats:
    """The median of all faces, each moved and scaled into one box ``(K, 2)``: a drawing of nobody."""
    shapes = np.stack(
        [np.asarray(face.points, np.float64) for result in results for face in result.faces]
    )
    low, high = np.nanmin(shapes, axis=1, keepdims=True), np.nanmax(shapes, axis=1, keepdims=True)
    return np.asarray(
        np.nanmedian((shapes - low) / (high - low).max(axis=2, keepdims=True).clip(1e-6), axis=0),
        np.float32,
    )


def _queue(results: Sequence[ImageResult], copies: Sequence[ImageResult]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "image", "faces", "doubt", "least_sure_points"])
    for result, copy in zip(results, copies, strict=True):
        doubt = image_doubt(result)
        known = "" if math.isinf(doubt) else f"{doubt:.3f}"
        table.writerow(
            [
                copy.source,
                result.source,
                len(result.faces),
                known,
                " ".join(least_sure_points(result)),
            ]
        )
    return text.getvalue()


def load_batch(folder: Path) -> LabelingBatch:
    """What :func:`save_batch` left in a folder.

    Raises:
        DataError: The folder is not one of these, or the images are gone from where they were.
    """
    file = folder / EXPORT
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        image_folder, schema = (
            Path(content["image_folder"]),
            KeypointSchema.from_json(content["schema"]),
        )
        images = [(image["file"], image["source"], image["faces"]) for image in content["images"]]
        faces = {source: [_points(face) for face in found] for _, source, found in images}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: not what `facedots label export` writes: {error}") from error
    if not image_folder.is_dir():
        raise DataError(
            f"{file}: the images are no longer in {image_folder}; put them back, or change that path in the file"
        )
    copies = {source: folder / IMAGES / name for name, source, _ in images}
    stored = {
        source: [stored_points(face, copies[source]) for face in found]
        for source, found in faces.items()
        if found
    }
    return LabelingBatch(image_folder, schema, {name: source for name, source, _ in images}, stored)


def _points(places: Sequence[Sequence[float] | None]) -> Floats:
    return np.array([place or (np.nan, np.nan) for place in places], np.float32).reshape(-1, 2)


def originals(
    work: LabelingBatch, corrected: Sequence[FaceAnnotation], source: object
) -> list[FaceAnnotation]:
    """Faces that people put on the numbered copies, as faces of the images themselves.

    Raises:
        AnnotationError: Images that were not exported, or are gone since.
    """
    faces, faults = [], list[str]()
    for face in corrected:
        source = work.sources.get(face.group)
        if source is None:
            faults.append(f"{face.group}: not one of the images that were exported")
        elif not (work.image_folder / source).is_file():
            faults.append(
                f"{face.group}: no file {work.image_folder / source}; put it back, or take the image out of the export"
            )
        else:
            name = source + face.name.removeprefix(face.group)
            faces.append(replace(face, image=work.image_folder / source, name=name, group=source))
    if faults:
        raise AnnotationError(source, list(dict.fromkeys(faults)))
    return faces
