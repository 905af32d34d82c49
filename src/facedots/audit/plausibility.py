"""Whether a set of labels as a whole can be right: faces of its schema, in its images' pixels.

The other tests compare labels with each other, and so see nothing in a fault that all of them
share: columns read in a wrong order, coordinates between 0 and 1, labels of smaller images. Here a
set is compared with what is known beforehand: the mean face of the schema, the sizes of the images
and, with a network, where the faces are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedots.analysis.mesh import compare_shape
from facedots.analysis.shapes import MEAN_SHAPE
from facedots.audit.gaussian import last_axis_mean
from facedots.geometry import Matrix
from facedots.schema import IBUG68, KeypointSchema

MAX_NOT_FACES = 0.1
"""Share of faces unlike any from which the set is at fault: 0.02 % in 6,246 faces of 300-W and
YouTube Faces, nearly all where columns are mixed up. Single ones are outliers.
"""

MAX_DISTANCE = 0.25
"""Eye distances that a point of the median face may be off its place: 0.07 in 300-W, 0.11 in drawn
and in infants' faces.
"""

MIN_FACES = 10
"""Fewer faces have no median face: one person's open mouth is not at fault."""

MIN_EYE_DISTANCE = 4.0
"""Pixels; no face can be labeled below."""

MAX_TURN = 45.0
"""Degrees by which the median face may be tilted."""

MIN_REACH = 0.6
"""Share of width or height that some label reaches in every set whose images are its own."""

MAX_DISAGREEMENT = 0.25
"""Median distance of label and network, eye distances: 0.03 to 0.06 in sound sets."""


@dataclass(frozen=True)
class SetPlausibility:
    """What tells whether N labels can be right; NaN and empty where unknown.

    Attributes:
        faces: Labels that were compared with the mean face of the schema.
        not_faces: Those of them that are unlike any face.
        mirrored: Those of these that are mirror images.
        distances: ``float64 (K,)``, of the median face's points from their places, eye distances.
        displaced: Pairs of a point and the other point in whose place it lies.
        turn: Tilt of the median face, degrees.
        eye_distance: Median, pixels.
        largest: Largest coordinate, pixels.
        reach: How far labels reach, as the larger share of the images' widths and heights.
        outside: Share of faces with the middle or a quarter of the points outside the image.
        disagreement: Median distance of label and network, eye distances.
    """

    faces: int
    not_faces: int
    mirrored: int
    distances: Matrix
    displaced: tuple[tuple[int, int], ...]
    turn: float
    eye_distance: float
    largest: float
    reach: float
    outside: float
    disagreement: float

    def faults(self, schema: KeypointSchema) -> Iterator[str]:
        """What cannot be right, in words."""
        yield from self.label_faults(schema)
        if self.disagreement > MAX_DISAGREEMENT:
            much = f"{100 * self.disagreement:.0f} % of the eye distance from the labels"
            where = "labels lie elsewhere, or it does not know such faces"
            yield f"on half of the faces the network finds the points {much} or farther: {where}"

    def label_faults(self, schema: KeypointSchema) -> Iterator[str]:
        """The same without what the network says."""
        yield from self._shape_faults(schema)
        yield from self._scale_faults()

    def _shape_faults(self, schema: KeypointSchema) -> Iterator[str]:
        if self.not_faces > MAX_NOT_FACES * self.faces:
            share = f"{self.not_faces} of {self.faces} labels are no face of {schema.name}"
            if 2 * self.mirrored > self.not_faces:
                causes = "x and y exchanged, y counted upwards, or left and right exchanged"
                yield f"{share} but the mirror image of one: {causes}"
            else:
                yield f"{share}: columns mixed up, or points in another order"
        elif self.displaced:
            one, other = self.displaced[0]
            example = f"{schema.names[one]} in that of {schema.names[other]}"
            count = f"{len(self.displaced)} points lie in another one's place"
            yield f"{count}, as {example}: the set has another order than {schema.name}"
        elif self.distances.size and np.nanmax(self.distances) > MAX_DISTANCE:
            worst = int(np.nanargmax(self.distances))
            much = f"{100 * self.distances[worst]:.0f} % of the eye distance"
            yield f"{schema.names[worst]} lies {much} off its usual place: another definition?"
        elif abs(self.turn) > MAX_TURN:
            yield f"the faces are tilted by {self.turn:.0f} degrees: labels of turned images?"

    def _scale_faults(self) -> Iterator[str]:
        if self.largest <= 1.5:
            yield f"no coordinate is above {self.largest:.2g}: they are shares of the image's sides"
        elif self.eye_distance < MIN_EYE_DISTANCE:
            much = f"{self.eye_distance:.2g} pixels"
            yield f"the eyes are {much} apart: the coordinates are not pixels of these images"
        elif self.reach < MIN_REACH:
            much = f"{100 * self.reach:.0f} % of its image's width or height"
            yield f"no label reaches beyond {much}: they belong to smaller images"
        if self.outside > MAX_NOT_FACES:
            much = f"{100 * self.outside:.0f} % of the faces reach far out of their image"
            yield f"{much}: labels are shifted, or belong to larger images"


def measure_plausibility(
    labels: Matrix,
    predicted: Matrix,
    sizes: Matrix,
    eye_distances: ArrayLike,
    schema: KeypointSchema,
) -> SetPlausibility:
    """Compare N labels with what is known beforehand.

    Args:
        labels: ``(N, K, 2)``, pixels, known wrong orders corrected; NaN missing.
        predicted: ``(N, K, 2)``, pixels; NaN without a prediction.
        sizes: ``(N, 2)``, width and height of the images; NaN if unreadable.
        eye_distances: ``(N,)``, pixels.
        schema: Schema of the points; a mean face is known for IBUG68.
    """
    eyes = np.asarray(eye_distances, np.float64)
    enough = len(labels) >= MIN_FACES
    fits = []
    if schema == IBUG68:
        known = [points for points in labels if np.isfinite(points).all(axis=1).sum() > 3]
        fits = [fit for fit in map(compare_shape, known) if fit]
    distances, turn = np.empty(0), 0.0
    displaced: tuple[tuple[int, int], ...] = ()
    if fits and enough:
        median = MEAN_SHAPE + np.nanmedian([fit.residuals for fit in fits], axis=0)
        distances = np.linalg.norm(median - MEAN_SHAPE, axis=1)
        displaced = _displaced(median)
        turns = np.exp(1j * np.radians([fit.turn for fit in fits]))
        turn = float(np.degrees(np.angle(np.median(turns.real) + 1j * np.median(turns.imag))))
    shares = labels / sizes[:, None]
    reach = np.nanmax(shares, axis=(0, 1), initial=0.0, where=np.isfinite(shares))
    beyond = ((shares < 0) | (shares > 1)).any(axis=2)
    middle = last_axis_mean(shares.transpose(0, 2, 1))
    outside = (beyond.mean(axis=1) > 0.25) | ((middle < 0) | (middle > 1)).any(axis=1)
    gaps = last_axis_mean(np.linalg.norm(labels - predicted, axis=2)) / eyes
    return SetPlausibility(
        faces=len(fits),
        not_faces=sum(not fit.plausible for fit in fits),
        mirrored=sum(fit.mirrored and fit.near for fit in fits),
        distances=distances,
        displaced=displaced,
        turn=turn,
        eye_distance=_median(eyes),
        largest=float(np.nanmax(labels, initial=0.0)),
        reach=float(reach.max()) if enough and reach.any() else np.nan,
        outside=float(outside.mean()),
        disagreement=_median(gaps),
    )


def _displaced(shape: Matrix) -> tuple[tuple[int, int], ...]:
    """Points ``(K, 2)`` of a shape that are much nearer to another one's place in the mean face,
    whose own point is displaced too.
    """
    distances = np.linalg.norm(shape[:, None] - MEAN_SHAPE, axis=2)
    nearest = distances.argmin(axis=1)
    own, least = distances.diagonal(), distances.min(axis=1)
    moved = (nearest != np.arange(len(shape))) & (least < own / 2)
    return tuple((i, int(nearest[i])) for i in np.flatnonzero(moved & moved[nearest]).tolist())


def _median(values: Matrix) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else np.nan
