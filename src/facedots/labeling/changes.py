"""What people changed: predicted faces compared with the corrected ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import ReadOptions, load_annotations
from facedots.errors import DataError
from facedots.geometry import Floats, Matrix, tight_boxes
from facedots.io.text import csv_cell, csv_line
from facedots.labeling.batch import IMAGES, LabelingBatch, load_batch
from facedots.schema import KeypointSchema
from facedots.tracking.track import assign

MOVED = 0.05
"""Pixels beyond which a point counts as moved; tools round to hundredths."""

SAME = 1.0
"""Largest mean distance, in sides of its box, between a face and its corrected version."""

COLUMNS = ("name", "change", "point", "distance", "old_x", "old_y", "new_x", "new_y")


@dataclass(frozen=True, eq=False)
class FaceChange:
    """A face before and after correction.

    Attributes:
        name: The corrected face's; the image's where the face was removed.
        before: ``float32 (K, 2)``, pixels; all NaN where the face was added.
        after: The same; all NaN where the face was removed.

    Example:
        >>> before = np.zeros((2, 2), np.float32)
        >>> FaceChange("a.jpg", before, before + 3).kind
        'corrected'
    """

    name: str
    before: Floats
    after: Floats

    @property
    def distances(self) -> Matrix:
        """Pixels by which each point moved, ``(K,)``; NaN where it is missing before or after."""
        distances: Matrix = np.linalg.norm(self.after.astype(np.float64) - self.before, axis=1)
        return distances

    @property
    def moved(self) -> Matrix:
        """The distances of the points that moved by more than :data:`MOVED`."""
        return self.distances[self.distances > MOVED]

    @property
    def kind(self) -> str:
        """``"added"``, ``"removed"``, ``"corrected"`` or ``"kept"``."""
        if np.isnan(self.before).all():
            return "added"
        if np.isnan(self.after).all():
            return "removed"
        same = (np.isnan(self.before) == np.isnan(self.after)).all() and not len(self.moved)
        return "kept" if same else "corrected"

    @property
    def point_kinds(self) -> list[str]:
        """For each point ``"moved"``, ``"removed"``, ``"added"``, or ``""`` if unchanged."""
        old, new = np.isfinite(self.before).all(axis=1), np.isfinite(self.after).all(axis=1)
        cases = [old & new & (self.distances > MOVED), old & ~new, new & ~old]
        kinds: list[str] = np.select(cases, ["moved", "removed", "added"], "").tolist()
        return kinds


def find_changes(
    predicted: Mapping[str, Sequence[Floats]],
    corrected: Iterable[FaceAnnotation],
    empty: Iterable[str] = (),
) -> list[FaceChange]:
    """The changes to the faces of all images that were corrected, image by image.

    Faces before and after are paired so that their points move least in total; a face that would
    move further than its own size counts as removed, and another as added.

    Args:
        predicted: Image -> the points ``(K, 2)`` of its faces.
        corrected: Faces by people; ``group`` is the image.
        empty: Images that people annotated and left without a face.
    """
    groups: dict[str, list[FaceAnnotation]] = {}
    for face in corrected:
        groups.setdefault(face.group, []).append(face)
    for image in empty:
        groups.setdefault(image, [])
    return [
        change
        for image, faces in groups.items()
        for change in _in_image(image, predicted.get(image, ()), faces)
    ]


@dataclass(frozen=True, eq=False)
class Corrections:
    """What people made of an exported batch.

    Attributes:
        batch: What was exported.
        faces: The corrected faces, on the images themselves.
        changes: What was changed, face by face.

    Example:
        >>> corrections = load_corrections(Path("export.zip"), Path("work"))  # doctest: +SKIP
    """

    batch: LabelingBatch
    faces: Sequence[FaceAnnotation]
    changes: Sequence[FaceChange]

    @property
    def unlabeled(self) -> int:
        """Images of the batch without a corrected face."""
        return len(set(self.batch.sources.values()) - {face.group for face in self.faces})


def load_corrections(file: Path, exported: Path, options: ReadOptions | None = None) -> Corrections:
    """Read the export of an annotation tool back to the images that it is about.

    Args:
        file: What CVAT (.zip, .xml) or Label Studio (.json) exported.
        exported: The folder that :func:`~facedots.labeling.batch.save_batch` filled.
        options: How to read the file.

    Faces of an image that was annotated and is empty now count as removed; which images those are,
    see :attr:`~facedots.annotations.load.AnnotationSet.empty`.

    Raises:
        DataError: The folder is not one of these, or the file no such export.
        AnnotationError: The file has faults, or is about other images.
    """
    batch = load_batch(exported)
    options = replace(options or ReadOptions(), images=exported / IMAGES, schema=batch.schema)
    options = replace(options, format=options.format or tool_format(file))
    annotations = load_annotations(file, options)
    faces = batch.originals(annotations.faces, file)
    empty = [batch.sources[name] for name in annotations.empty if name in batch.sources]
    return Corrections(batch, faces, find_changes(batch.predicted, faces, empty))


def tool_format(file: Path) -> str:
    """The format of an annotation tool's export, by the file's ending; else :class:`DataError`."""
    formats = {".json": "label-studio", ".xml": "cvat", ".zip": "cvat"}
    if file.suffix.lower() not in formats:
        tools = "neither an export of CVAT (.zip, .xml) nor of Label Studio (.json)"
        raise DataError(f"{file}: {tools}")
    return formats[file.suffix.lower()]


def _in_image(
    image: str, before: Sequence[Floats], after: Sequence[FaceAnnotation]
) -> list[FaceChange]:
    costs = [[_distance(old, new.points) for new in after] for old in before]
    old_of = {new: old for old, new in (assign(costs, SAME) if costs else [])}
    nan, changes = np.float32("nan"), list[FaceChange]()
    for i, face in enumerate(after):
        old = before[old_of[i]] if i in old_of else face.points * nan
        changes.append(FaceChange(face.name, old, face.points))
    removed = sorted(set(range(len(before))) - set(old_of.values()))
    return changes + [FaceChange(image, before[i], before[i] * nan) for i in removed]


def _distance(old: Floats, new: Floats) -> float:
    """Mean distance of points in sides of the old face's box; infinite without common points."""
    common = np.isfinite(old).all(axis=1) & np.isfinite(new).all(axis=1)
    if not common.any():
        return float("inf")
    box = tight_boxes(old[None])[0]
    side = max(box[2] - box[0], box[3] - box[1], 1e-6)
    return float(np.linalg.norm(old[common] - new[common], axis=1).mean() / side)


def changes_csv(changes: Iterable[FaceChange], schema: KeypointSchema) -> str:
    """A CSV table with a row per point moved, added or removed, and per face added or removed.

    Columns are :data:`COLUMNS`; distances and coordinates are in pixels of the stored image, and
    empty where unknown.
    """
    lines = [csv_line(COLUMNS)]
    for change in changes:
        if change.kind in ("added", "removed"):
            lines.append(csv_line([csv_cell(change.name), f"face {change.kind}", *[""] * 6]))
            continue
        numbers = np.column_stack([change.distances, change.before, change.after]).tolist()
        for name, kind, row in zip(schema.names, change.point_kinds, numbers, strict=True):
            if kind:
                cells = ["" if np.isnan(value) else f"{value:.2f}" for value in row]
                lines.append(csv_line([csv_cell(change.name), kind, csv_cell(name), *cells]))
    return "".join(lines)


def summary(changes: Sequence[FaceChange]) -> list[str]:
    """Lines with the numbers of faces and points that were changed, and by how much."""
    kinds = [change.kind for change in changes]
    order = ("kept", "corrected", "added", "removed")
    counts = [f"{kinds.count(kind)} {kind}" for kind in order if kind in kinds]
    lines = [f"faces: {', '.join(counts) or 'none'}"]
    compared = [change for change in changes if change.kind in ("kept", "corrected")]
    if not compared:
        return lines
    moved = np.concatenate([change.moved for change in compared])
    total = sum(int(np.isfinite(change.distances).sum()) for change in compared)
    line = f"points: {len(moved)} of {total} moved"
    if len(moved):
        line += f", by {np.median(moved):.2f} px in the median and {moved.max():.2f} px at most"
    lines.append(line)
    points = [kind for change in compared for kind in change.point_kinds]
    if {"added", "removed"} & set(points):
        lines.append(f"points: {points.count('added')} added, {points.count('removed')} removed")
    worst = sorted(
        (change for change in compared if len(change.moved)), key=lambda change: -change.moved.max()
    )
    return lines + [
        f"  {change.name}: {len(change.moved)} moved, by {change.moved.max():.2f} px at most"
        for change in worst[:5]
    ]
