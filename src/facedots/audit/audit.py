"""The whole audit of a data set: everything is measured here, in an order in which no fault can
hide another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedots.annotations.base import FaceAnnotation
from facedots.audit.coverage import Measure, coverage
from facedots.audit.duplicates import DuplicatePair, find_near_duplicates
from facedots.audit.label_offset import LabelOffset, label_offset
from facedots.audit.label_order import PointPermutation, find_permutations
from facedots.audit.outliers import LabelOutliers, find_label_outliers
from facedots.audit.scan import ImageScan, look
from facedots.audit.stats import DataStats, data_stats
from facedots.evaluation.protocol import Predictor
from facedots.geometry import Matrix
from facedots.schema import KeypointSchema

Parts = Mapping[str, Sequence[FaceAnnotation]]

AGAINST = "against/"
"""Stands before the names of the parts that a data set is only compared with."""


@dataclass(frozen=True)
class AuditImage:
    """An image of the data set, or of what it is compared with.

    Attributes:
        part: Of which part.
        path: Its file.
        digest: SHA-256 of its bytes; ``""`` where they cannot be read.
        look: See :func:`facedots.audit.scan.look_of`.
    """

    part: str
    path: Path
    digest: str
    look: NDArray[np.bool_]


@dataclass(frozen=True)
class Audit:
    """What was found out about N faces.

    Attributes:
        schema: What their points mean.
        network: How the network is called that was asked; ``""`` without one.
        not_asked: Why no network was asked; ``""`` with one.
        faces: The annotations.
        part_of: The part of each.
        labels: ``float64 (N, K, 2)``, as read, pixels.
        ordered: The same with wrong orders undone.
        mistakes: For each face the wrong order that its label certainly has, or None.
        sights: What was seen of each.
        stats: Counts of files and labels, part by part; parts that were only compared with begin
            with :data:`AGAINST`.
        images: All images, each once.
        twins: Pairs of images that look the same, by index.
        displacements: Part -> the displacement of its labels, where a network was asked.
        suspects: The labels that are probably wrong.
        coverage: What sizes, poses and brightnesses there are.
    """

    schema: KeypointSchema
    network: str
    not_asked: str
    faces: tuple[FaceAnnotation, ...]
    part_of: tuple[str, ...]
    labels: Matrix
    ordered: Matrix
    permutations: tuple[PointPermutation | None, ...]
    sights: ImageScan
    stats: DataStats
    images: tuple[AuditImage, ...]
    duplicates: tuple[DuplicatePair, ...]
    displacements: Mapping[str, LabelOffset]
    label_outliers: LabelOutliers
    coverage: tuple[Measure, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The audited parts, in their order."""
        return tuple(dict.fromkeys(self.part_of))

    def in_part(self, part: str) -> NDArray[np.bool_]:
        """Which faces are of a part, ``bool (N,)``."""
        return np.array([name == part for name in self.part_of], bool)

    @property
    def ranking(self) -> list[int]:
        """All faces, the most suspicious first: those in a wrong order, then by score."""
        certain = np.array([mistake is not None for mistake in self.permutations], bool)
        return [int(i) for i in np.lexsort((-self.label_outliers.scores, ~certain))]


def audit(
    parts: Parts,
    schema: KeypointSchema,
    network: Predictor | None = None,
    network_name: str = "a network",
    against: Parts | None = None,
) -> Audit:
    """Measure everything.

    Orders come first, because points in a wrong order would be displaced and strange; then the
    displacement, because it is part of every disagreement; then the tests of single labels.

    Args:
        parts: The faces of each part of the data set; there is at least one face.
        schema: What their points mean.
        network: Sees where the points should be; its schema must be the same, else it is not asked.
        network_name: How it is called in texts.
        against: Faces of other data, with which images and people are only compared.
    """
    not_asked = "no network was given" if network is None else ""
    if network and network.spec.schema != schema:
        not_asked = f"{network_name} finds {network.spec.schema.count} points of {network.spec.schema.name}, not those of {schema.name}"
    asked = None if not_asked else network
    faces = [face for annotations in parts.values() for face in annotations]
    part_of = [part for part, annotations in parts.items() for _ in annotations]
    compared = {AGAINST + name: annotations for name, annotations in (against or {}).items()}
    sights = look(faces, schema, asked)
    labels = np.stack([face.points for face in faces]).astype(np.float64)
    found, sights = find_permutations(faces, labels, sights, schema, asked)
    ordered = np.stack(
        [
            mistake.corrected(face, size[0]) if mistake else face
            for mistake, face, size in zip(found, labels, sights.sizes, strict=True)
        ]
    )
    displacements: dict[str, LabelOffset] = {}
    steady = ordered.copy()
    for part in parts:
        chosen = np.array([name == part for name in part_of], bool)
        if result := label_offset(ordered[chosen], sights.only(chosen), schema):
            displacements[part] = result
            steady[chosen] -= result.pixels
    images = _images(faces, part_of, sights, compared, schema)
    return Audit(
        schema=schema,
        network="" if not_asked else network_name,
        not_asked=not_asked,
        faces=tuple(faces),
        part_of=tuple(part_of),
        labels=labels,
        ordered=ordered,
        permutations=tuple(found),
        sights=sights,
        stats=data_stats({**parts, **compared}, schema),
        images=images,
        duplicates=tuple(find_near_duplicates([entry.look for entry in images])),
        displacements=displacements,
        label_outliers=find_label_outliers(steady, sights.predicted, found, schema),
        coverage=coverage(ordered, sights, schema),
    )


def _images(
    faces: Sequence[FaceAnnotation],
    part_of: Sequence[str],
    sights: ImageScan,
    compared: Parts,
    schema: KeypointSchema,
) -> tuple[AuditImage, ...]:
    """All images, each once, in the order of the faces; those that are only compared with come
    last.
    """
    found: dict[tuple[str, Path], AuditImage] = {}
    for part, face, digest, seen in zip(part_of, faces, sights.digests, sights.looks, strict=True):
        found.setdefault((part, face.image), AuditImage(part, face.image, digest, seen))
    for part, others in compared.items():
        seen_there = look(others, schema)
        for face, digest, seen in zip(others, seen_there.digests, seen_there.looks, strict=True):
            found.setdefault((part, face.image), AuditImage(part, face.image, digest, seen))
    return tuple(found.values())
