"""A batch of images for labeling tools: the most uncertain first, predictions out, corrections
back.
"""

import contextlib
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.cvat import cvat_labels, to_cvat
from facedots.annotations.image_files import stored_points
from facedots.annotations.label_studio import to_label_studio
from facedots.annotations.labeling_interface import label_studio_config
from facedots.errors import AnnotationError, DataError, OutputError
from facedots.geometry import Floats
from facedots.io.files import atomic_write, protect
from facedots.io.results import results_document
from facedots.io.text import csv_cell, csv_line, file_name, json_line
from facedots.schema import KeypointSchema
from facedots.types import ImageResult

IMAGES, EXPORT, RANKING = "images", "export.json", "ranking.csv"
CVAT = ("cvat/annotations.xml", "cvat/labels.json")
LABEL_STUDIO = ("label_studio/tasks.json", "label_studio/config.xml")


@dataclass(frozen=True)
class LabelingBatch:
    """Images that were exported for correction.

    Attributes:
        folder: What :func:`save_batch` filled.
        image_folder: The folder with the images themselves.
        schema: What the points mean.
        sources: Name of a numbered copy -> path of the image below ``image_folder``.
        predicted: That path -> the predicted faces, each ``float32 (K, 2)`` in pixels of the stored
            image.

    Example:
        >>> batch = load_batch(Path("work"))  # doctest: +SKIP
    """

    folder: Path
    image_folder: Path
    schema: KeypointSchema
    sources: Mapping[str, str]
    predicted: Mapping[str, Sequence[Floats]]

    def originals(
        self, corrected: Sequence[FaceAnnotation], source: object
    ) -> list[FaceAnnotation]:
        """Faces labeled on the numbered copies, as faces of the images themselves; ``source`` is
        the file that errors name.

        Raises:
            AnnotationError: Images that were not exported, or no longer exist.
        """
        faces, faults = [], list[str]()
        for face in corrected:
            name = self.sources.get(face.group)
            if name is None:
                faults.append(f"{face.group}: not one of the images that were exported")
            elif not (self.image_folder / name).is_file():
                hint = "put it back, or take the image out of the export"
                faults.append(f"{face.group}: no file {self.image_folder / name}; {hint}")
            else:
                mark = face.name.removeprefix(face.group)
                image = self.image_folder / name
                faces.append(replace(face, image=image, name=name + mark, group=name))
        if faults:
            raise AnnotationError(source, list(dict.fromkeys(faults)))
        return faces


def save_batch(
    folder: Path,
    image_folder: Path,
    results: Sequence[ImageResult],
    schema: KeypointSchema,
    model: str,
) -> None:
    """Fill a folder with numbered images and what the labeling tools import.

    Args:
        folder: Has no folder ``images`` yet, or an empty one.
        image_folder: The folder that the sources of the results are relative to.
        results: In the order in which people are to see them.
        schema: What the points mean.
        model: Name of the model.

    Raises:
        OutputError: The folder cannot be written, or was filled before.
    """
    check_unfilled(folder)
    copies = [
        replace(result, source=file_name(f"{i:05d}_{Path(result.source).name}"))
        for i, result in enumerate(results, start=1)
    ]
    fields = {"points": lambda face: _to_json(face.points)}
    document = results_document(results, schema, model, fields)
    for image, copy in zip(document["images"], copies, strict=True):
        image["file"] = copy.source
    document["image_folder"] = str(image_folder.resolve())
    document["keypoint_schema"] = json.loads(schema.to_json())
    served = [replace(copy, source=f"{IMAGES}/{copy.source}") for copy in copies]
    with _complete(folder / IMAGES) as images:
        for result, copy in zip(results, copies, strict=True):
            shutil.copyfile(image_folder / result.source, images / copy.source)
        atomic_write(folder / CVAT[0], to_cvat(copies, schema))
        atomic_write(folder / CVAT[1], cvat_labels(schema, _median_shape(results)))
        atomic_write(folder / LABEL_STUDIO[0], to_label_studio(served, schema, model=model))
        atomic_write(folder / LABEL_STUDIO[1], label_studio_config(schema))
        atomic_write(folder / RANKING, _ranking_csv(results, copies))
        atomic_write(folder / EXPORT, json_line(document))


def check_unfilled(folder: Path) -> None:
    """Raise :class:`OutputError` where the folder was filled before."""
    images = folder / IMAGES
    if images.is_dir() and any(images.iterdir()):
        hint = "export into a new folder, so that their numbers are right"
        raise OutputError(f"{images}: holds images already; {hint}")


@contextlib.contextmanager
def _complete(images: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name after the block; of an error nothing is left."""
    part = images.with_name(f".{images.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        if images.is_dir():
            images.rmdir()
        part.rename(images)
    except OSError as error:
        raise OutputError(f"{images}: images cannot be copied there: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def load_batch(folder: Path) -> LabelingBatch:
    """What :func:`save_batch` left in a folder.

    Raises:
        DataError: The folder is not one of these, or the images have been moved.
    """
    file = folder / EXPORT
    protect(folder / name for name in (EXPORT, RANKING, *CVAT, *LABEL_STUDIO))
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        image_folder = Path(content["image_folder"])
        schema = KeypointSchema.from_json(json.dumps(content["keypoint_schema"]))
        sources = {image["file"]: image["source"] for image in content["images"]}
        faces = {
            image["file"]: [_from_json(face["points"]) for face in image["faces"]]
            for image in content["images"]
            if image["faces"]
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: not what `facedots label export` writes: {error}") from error
    if not image_folder.is_dir():
        hint = "put them back, or change that path in the file"
        raise DataError(f"{file}: the images are no longer in {image_folder}; {hint}")
    protect(image_folder / name for name in sources.values())
    protect(folder / IMAGES / name for name in sources)
    predicted = {
        sources[name]: [stored_points(face, folder / IMAGES / name)[0] for face in shown]
        for name, shown in faces.items()
    }
    return LabelingBatch(folder, image_folder, schema, sources, predicted)


def rank_by_uncertainty(results: Iterable[ImageResult]) -> list[ImageResult]:
    """Images without a face first, then the others from the most to the least uncertain."""
    return sorted(results, key=lambda result: (bool(result.faces), -result.uncertainty))


def most_uncertain_points(result: ImageResult, count: int = 3) -> list[str]:
    """The names of the points with the largest sigma in an image's worst face, largest first."""
    face = max(result.faces, key=lambda face: face.uncertainty, default=None)
    if face is None or not np.isfinite(face.sigma).any():
        return []
    order = np.argsort(-np.nan_to_num(face.sigma, nan=-1.0), kind="stable")
    return [face.schema.names[i] for i in order[:count]]


def _to_json(points: Floats) -> list[list[float] | None]:
    """Points for JSON, None where missing."""
    return [
        None if math.isnan(x + y) else [round(x, 3), round(y, 3)]
        for x, y in points.astype(np.float64).tolist()
    ]


def _from_json(points: Sequence[Sequence[float] | None]) -> Floats:
    return np.array([point or (np.nan, np.nan) for point in points], np.float32).reshape(-1, 2)


def _median_shape(results: Sequence[ImageResult]) -> Floats:
    """The median ``(K, 2)`` of all faces, each moved and scaled into one box."""
    shapes = np.stack([face.points for result in results for face in result.faces], dtype=float)
    low, high = np.nanmin(shapes, axis=1, keepdims=True), np.nanmax(shapes, axis=1, keepdims=True)
    scaled = (shapes - low) / (high - low).max(axis=2, keepdims=True).clip(1e-6)
    median: Floats = np.nanmedian(scaled, axis=0).astype(np.float32)
    return median


def _ranking_csv(results: Sequence[ImageResult], copies: Sequence[ImageResult]) -> str:
    lines = [csv_line(["file", "image", "faces", "uncertainty", "most_uncertain_points"])]
    for result, copy in zip(results, copies, strict=True):
        value = result.uncertainty
        cells = [copy.source, csv_cell(result.source), len(result.faces)]
        points = " ".join(most_uncertain_points(result))
        lines.append(csv_line([*cells, "" if math.isinf(value) else f"{value:.3f}", points]))
    return "".join(lines)
