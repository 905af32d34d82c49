"""Audit of a whole data set: every measurement, in an order in which no fault hides another."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from facedots.annotations.base import FaceAnnotation
from facedots.audit.image_files import DuplicatePair, ImageFile, find_near_duplicates
from facedots.audit.label_order import PointPermutation, correct_labels, find_permutations
from facedots.audit.outliers import LabelOutliers, find_label_outliers
from facedots.audit.scan import ImageScan, Measure, measure_coverage, scan_images
from facedots.audit.shapes import ReferenceShape
from facedots.audit.stats import DataStats, data_stats
from facedots.audit.systematic_errors import (
    LabelOffset,
    SetFaults,
    find_set_faults,
    measure_label_offset,
)
from facedots.geometry import Matrix
from facedots.schema import KeypointSchema
from facedots.spec import Predictor

Subsets = Mapping[str, Sequence[FaceAnnotation]]

AGAINST = "against/"
"""Prefix of the names of subsets that the data set is only compared with."""


@dataclass(frozen=True)
class AuditImage:
    """A readable image of a subset of the data, or of the data that they are compared with."""

    subset: str
    file: ImageFile

    @property
    def name(self) -> str:
        """``subset/file name``."""
        return f"{self.subset}/{self.file.path.name}"


@dataclass(frozen=True)
class Audit:
    """Audit of N faces.

    Attributes:
        schema: Schema of their points.
        model: Name of the model whose predictions were compared; ``""`` without one.
        skip_reason: Why no predictions were compared; ``""`` with a model.
        faces: The annotations.
        subset_of: Name of the subset of each.
        labels: ``float64 (N, K, 2)``, as read, pixels.
        ordered: The same with wrong orders corrected.
        permutations: Per face the certain wrong order of its label, or None.
        scan: Image size, brightness and predictions of each face.
        stats: Counts of files and labels by subset, those only compared with under :data:`AGAINST`.
        images: All readable images, once per subset.
        near_duplicates: Pairs of images that look the same, by index.
        set_faults: By subset, why its labels as a whole cannot be right.
        label_offsets: By subset, where predictions were compared.
        label_outliers: The labels that are probably wrong.
        coverage: Distribution of sizes, poses and brightness.

    Example:
        >>> data = load_annotations("faces/")  # doctest: +SKIP
        >>> audit = audit_dataset(data.subsets, data.schema)  # doctest: +SKIP
        >>> [audit.faces[i].name for i in audit.ranking[:3]]  # doctest: +SKIP
        ['0817.jpg', '0112.jpg', '0400.jpg']
    """

    schema: KeypointSchema
    model: str
    skip_reason: str
    faces: tuple[FaceAnnotation, ...]
    subset_of: tuple[str, ...]
    labels: Matrix
    ordered: Matrix
    permutations: tuple[PointPermutation | None, ...]
    scan: ImageScan
    stats: DataStats
    images: tuple[AuditImage, ...]
    near_duplicates: tuple[DuplicatePair, ...]
    set_faults: Mapping[str, SetFaults]
    label_offsets: Mapping[str, LabelOffset]
    label_outliers: LabelOutliers
    coverage: tuple[Measure, ...]

    @property
    def subsets(self) -> tuple[str, ...]:
        """Names of the audited subsets, in their order."""
        return tuple(dict.fromkeys(self.subset_of))

    @property
    def subset_pairs(self) -> list[tuple[str, str]]:
        """Pairs of different subsets, at least one of them audited."""
        pairs = combinations(self.stats.subsets, 2)
        return [pair for pair in pairs if not all(name.startswith(AGAINST) for name in pair)]

    def mask(self, subset: str) -> NDArray[np.bool_]:
        """Faces of a subset, ``bool (N,)``."""
        return np.array([name == subset for name in self.subset_of], bool)

    def predicted_mask(self, subset: str) -> NDArray[np.bool_]:
        """Faces of a subset with a prediction, ``bool (N,)``."""
        return self.mask(subset) & self.scan.has_prediction

    def face_name(self, i: int) -> str:
        """``subset/name`` of a face."""
        prefix, name = f"{self.subset_of[i]}/", self.faces[i].name
        return name if name.startswith(prefix) else prefix + name

    @property
    def ranking(self) -> list[int]:
        """All faces: those in a wrong order first, then by outlier score."""
        certain = np.array([one is not None for one in self.permutations], bool)
        return [int(i) for i in np.lexsort((-self.label_outliers.scores, ~certain))]

    @property
    def equal_files(self) -> list[tuple[int, int]]:
        """Pairs of images with the same bytes, by index: each with the first that has them."""
        return _repeats(image.file.sha256 for image in self.images)

    @property
    def copied_labels(self) -> list[tuple[int, int]]:
        """Pairs of faces with exactly the same points in images of different bytes."""
        files = self.scan.images.items()
        content = {path: file.sha256 for path, file in files if isinstance(file, ImageFile)}
        hashes = [content.get(face.image) for face in self.faces]
        pairs = _repeats(points.tobytes() for points in self.labels)
        return [(i, j) for i, j in pairs if hashes[i] != hashes[j]]

    def near_duplicates_between(self, first: str, second: str) -> list[DuplicatePair]:
        """Near duplicates between two subsets, or within one given twice."""
        pairs, wanted = self.near_duplicates, {first, second}
        subsets = [image.subset for image in self.images]
        return [pair for pair in pairs if {subsets[pair.first], subsets[pair.second]} == wanted]


def _repeats(keys: Iterable[Hashable]) -> list[tuple[int, int]]:
    """Indices of equal keys: each repeated one with the first."""
    first: dict[Hashable, int] = {}
    pairs = [(first.setdefault(key, i), i) for i, key in enumerate(keys)]
    return [(i, j) for i, j in pairs if i != j]


def audit_dataset(
    subsets: Subsets,
    schema: KeypointSchema,
    predictor: Predictor | None = None,
    model: str = "the network",
    against: Subsets | None = None,
) -> Audit:
    """Audit a data set: duplicates, leaks, order, offset, outliers, coverage.

    Orders are corrected first, because points in a wrong order are offset and outliers; then the
    offset is subtracted, because it is part of every residual; then single labels are tested.

    Args:
        subsets: Faces by subset; at least one face.
        schema: Schema of their points.
        predictor: Predictions to compare with; left out if its schema is another.
        model: Name of the predictor's model in texts.
        against: Other data, whose images and people must not be shared.

    Example:
        >>> data = load_annotations("faces/")  # doctest: +SKIP
        >>> audit = audit_dataset(data.subsets, data.schema)  # doctest: +SKIP
    """
    skip_reason = "no network was given" if predictor is None else ""
    if predictor and predictor.spec.schema != schema:
        other = predictor.spec.schema
        points = f"{other.count} points of {other.name}, not those of {schema.name}"
        skip_reason = f"{model} predicts {points}"
    if skip_reason:
        predictor, model = None, ""
    faces = [face for annotations in subsets.values() for face in annotations]
    subset_of = [name for name, annotations in subsets.items() for _ in annotations]
    scan = scan_images(faces, schema, predictor)
    labels = np.stack([face.points for face in faces]).astype(np.float64)
    permutations, scan = find_permutations(faces, labels, scan, schema, predictor)
    ordered = correct_labels(labels, permutations, scan.sizes[:, 0])
    offsets: dict[str, LabelOffset] = {}
    faults: dict[str, SetFaults] = {}
    eyes = ReferenceShape.fit(ordered, schema).eye_distances(ordered)
    centered = ordered.copy()
    for name in subsets:
        mask = np.array([subset == name for subset in subset_of], bool)
        faults[name] = find_set_faults(
            ordered[mask], scan.predicted[mask], scan.sizes[mask], eyes[mask], schema
        )
        offset = measure_label_offset(ordered[mask], scan.plain[mask], scan.mirrored[mask], schema)
        if offset:
            offsets[name] = offset
            centered[mask] -= offset.pixels
    compared = {AGAINST + name: annotations for name, annotations in (against or {}).items()}
    others = scan_images([face for faces in compared.values() for face in faces], schema)
    files = {**others.images, **scan.images}
    everything = {**subsets, **compared}
    images = [
        AuditImage(name, file)
        for name, annotations in everything.items()
        for path in dict.fromkeys(face.image for face in annotations)
        if isinstance(file := files[path], ImageFile)
    ]
    return Audit(
        schema=schema,
        model=model,
        skip_reason=skip_reason,
        faces=tuple(faces),
        subset_of=tuple(subset_of),
        labels=labels,
        ordered=ordered,
        permutations=tuple(permutations),
        scan=scan,
        stats=data_stats(everything, schema, files),
        images=tuple(images),
        near_duplicates=tuple(find_near_duplicates([image.file for image in images])),
        set_faults=faults,
        label_offsets=offsets,
        label_outliers=find_label_outliers(centered, scan.predicted, permutations, schema),
        coverage=measure_coverage(ordered, scan.sizes, scan.brightness, schema),
    )
