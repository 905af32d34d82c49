"""How a network is measured: each labeled face once, in the image as stored, with the true box or a
detector's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.detection.base import Detector
from facedots.errors import DataError, ImageError
from facedots.evaluation.metrics import Doubles, Scores, nme, norm_distances, score
from facedots.evaluation.slices import ATTRIBUTES, face_attributes
from facedots.geometry import Floats, Matrix, box_iou, tight_boxes
from facedots.io.images import read_image
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec, Predictor
from facedots.types import Detections, Keypoints
from facedots.uncertainty import sigma_of

MIN_OVERLAP = 0.3
"""A detection that overlaps the labeled face by less (IoU) has found something else: the face
counts as missed.
"""


@dataclass(frozen=True)
class Evaluation:
    """The faces of a data set beside what a network made of them, in the order of the annotations.

    Attributes:
        names: N names, as the annotations have them.
        groups: N people or photos, as the annotations have them; ``""`` where unknown.
        images: N image files.
        true: ``float32 (N, K, 2)``, the labels in pixels; NaN where a point has none.
        predicted: ``float32 (N, K, 2)`` in pixels; NaN for a missed face.
        covariance: ``float32 (N, K, 2, 2)`` in square pixels; NaN for a missed face and where the
            network gives none.
        confidence: ``float32 (N, K)`` in [0, 1], that a point is within 5 % of the eye distance;
            NaN like the covariance.
        score: ``float32 (N,)`` in [0, 1], the network's belief that it saw a face; NaN for a missed
            face and where it gives none.
        squares: ``float64 (N, 3)``, center x, center y, side in pixels of the square that the
            network saw; NaN for a missed face.
        attributes: Name -> ``float64 (N,)``, see :data:`facedots.evaluation.slices.ATTRIBUTES`.
        skipped: Name and reason of each face that could not be measured at all; they count nowhere.
        schema: What the K points mean.
        dof: Of the law of the errors, see :mod:`facedots.uncertainty`.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    images: tuple[Path, ...]
    true: Floats
    predicted: Floats
    covariance: Floats
    confidence: Floats
    score: Floats
    squares: Matrix
    attributes: Mapping[str, Doubles]
    skipped: tuple[tuple[str, str], ...]
    schema: KeypointSchema
    dof: float | None = None

    @cached_property
    def nme(self) -> Doubles:
        """``float64 (N,)`` in percent; ``inf`` for a missed face."""
        return nme(self.predicted, self.true, self.schema)

    @cached_property
    def scores(self) -> Scores:
        """The summary of the N faces."""
        return score(self.predicted, self.true, self.schema)

    @property
    def sigma(self) -> Floats:
        """``float32 (N, K)`` in pixels; NaN for a missed face and where the network gives none."""
        return sigma_of(self.covariance)

    @property
    def missed(self) -> tuple[str, ...]:
        """The names of the faces without a prediction."""
        return tuple(
            name for name, error in zip(self.names, self.nme, strict=True) if np.isinf(error)
        )


@dataclass(frozen=True)
class _Measured:
    """One face that was measured; the fields are those of :class:`Evaluation`."""

    annotation: FaceAnnotation
    found: Keypoints | None
    square: Matrix
    attributes: Mapping[str, float]


def evaluate(
    predictor: Predictor,
    annotations: Iterable[FaceAnnotation],
    boxes: Literal["truth"] | Detector = "truth",
) -> Evaluation:
    """Let a network find the points of labeled faces.

    With a detector the test goes end to end: the network gets the detector's best-scored box,
    whatever the labels say. The labels only judge it: no box, or one with an IoU below
    :data:`MIN_OVERLAP` with the face's tight box, is a missed face, which counts as a failure, not
    as absent.

    A face is skipped, with the reason, where its image cannot be read or its labels give no scale
    (a point of the ``norm_pair`` is missing) or no box.

    Args:
        predictor: The network.
        annotations: The labeled faces; images are read one after the other.
        boxes: ``"truth"`` for the tight box of the true points, or a detector.

    Raises:
        DataError: Not one face could be measured, or the labels are not of the network's schema.
    """
    measured: list[_Measured] = []
    skipped: list[tuple[str, str]] = []
    for annotation in annotations:
        try:
            reason = _fault(annotation, predictor.spec.schema)
            if not reason:
                measured.append(_measure(predictor, annotation, boxes))
        except ImageError as error:
            reason = str(error)
        if reason:
            skipped.append((annotation.name, reason))
    if not measured:
        reasons = (
            "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
            or "there are no annotations"
        )
        raise DataError(f"none of {len(skipped)} faces could be measured: {reasons}")
    return _joined(measured, skipped, predictor.spec)


def _joined(
    measured: list[_Measured], skipped: list[tuple[str, str]], spec: ModelSpec
) -> Evaluation:
    count = spec.schema.count
    nothing = Keypoints(
        points=np.full((1, count, 2), np.nan, np.float32),
        covariance=np.full((1, count, 2, 2), np.nan, np.float32),
        confidence=np.full((1, count), np.nan, np.float32),
        score=np.full(1, np.nan, np.float32),
        schema=spec.schema,
    )
    found = [nothing if face.found is None else face.found for face in measured]
    return Evaluation(
        names=tuple(face.annotation.name for face in measured),
        groups=tuple(face.annotation.group for face in measured),
        images=tuple(face.annotation.image for face in measured),
        true=np.stack([face.annotation.points for face in measured]),
        predicted=np.concatenate([face.points for face in found]),
        covariance=np.concatenate([face.covariance for face in found]),
        confidence=np.concatenate([face.confidence for face in found]),
        score=np.concatenate([face.score for face in found]),
        squares=np.stack([face.square for face in measured]),
        attributes={
            a.name: np.array([face.attributes[a.name] for face in measured]) for a in ATTRIBUTES
        },
        skipped=tuple(skipped),
        schema=spec.schema,
        dof=spec.dof,
    )


def _fault(annotation: FaceAnnotation, schema: KeypointSchema) -> str:
    """Why a face cannot be measured, or nothing."""
    if annotation.points.shape != (schema.count, 2):
        raise DataError(
            f"{annotation.name}: {len(annotation.points)} points, but the network predicts {schema.count} ({schema.name})"
        )
    if np.isnan(norm_distances(annotation.points[None], schema)).any():
        return "the two points that scale the error are not both labeled, or coincide"
    box = tight_boxes(annotation.points[None])[0]
    return "" if (box[2:] > box[:2]).all() else "the labeled points lie on one line: no box"


def _measure(
    predictor: Predictor, annotation: FaceAnnotation, boxes: Literal["truth"] | Detector
) -> _Measured:
    image = read_image(annotation.image, orient=False)
    attributes = face_attributes(image, annotation.points, predictor.spec.schema)
    box = tight_boxes(annotation.points[None])
    if not isinstance(boxes, str):
        box = _found(boxes(image), box)
    if not len(box):
        return _Measured(annotation, None, np.full(3, np.nan), attributes)
    square = predictor.spec.crop.crop_squares(box, (image.shape[0], image.shape[1]))[0]
    return _Measured(annotation, predictor.predict(image, box), square, attributes)


def _found(detections: Detections, true_box: Floats) -> Floats:
    """The best-scored detection ``(1, 4)``, or ``(0, 4)`` if there is none or it is not on the
    labeled face.
    """
    best = detections.boxes[np.argsort(-detections.scores, kind="stable")[:1]].reshape(-1, 4)
    return best[box_iou(best, true_box)[:, 0] >= MIN_OVERLAP]
