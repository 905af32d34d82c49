"""Systematic errors: faults that all labels of a set share, which comparing labels cannot show.

A set is compared with what is known beforehand (the mean face of its schema, the sizes of its
images) and with a network's predictions in the images and in their mirror images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedots.analysis.shapes import MEAN_SHAPE, ShapeFit, compare_shape
from facedots.evaluation.metrics import known_mean, norm_distances
from facedots.geometry import Matrix
from facedots.schema import IBUG68, KeypointSchema

MAX_NOT_FACES = 0.1
"""Share of faces unlike any, or far out of their images, from which the set is at fault."""

MAX_DISTANCE = 0.25
"""Eye distances that a point of the median face may be off its place."""

MIN_FACES = 10
"""Fewer faces have no median face: one person's open mouth is not at fault."""

MIN_EYE_DISTANCE = 4.0
"""Pixels; no face can be labeled below."""

MAX_TURN = 45.0
"""Degrees by which the median face may be tilted."""

MIN_REACH = 0.6
"""Share of width or height that some label reaches in every set whose images are its own."""

MAX_DISAGREEMENT = 0.25
"""Median distance of label and network, eye distances. All limits: docs/experiments.md."""

SIZE_CLASSES = 5
"""Number of classes of faces by size, of equally many faces."""

Pair = tuple[float, float]


@dataclass(frozen=True)
class SetFaults:
    """Why the labels of a set, as a whole, cannot be right."""

    compared: int  # labels that were compared with the mean face of the schema
    labels: tuple[str, ...]  # faults, in words
    network: tuple[str, ...]  # the same where a network contradicts the labels


def find_set_faults(
    labels: Matrix,
    predicted: Matrix,
    sizes: Matrix,
    eye_distances: ArrayLike,
    schema: KeypointSchema,
) -> SetFaults:
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
    fits: list[ShapeFit] = []
    if schema == IBUG68:
        known = [points for points in labels if np.isfinite(points).all(axis=1).sum() > 3]
        fits = [fit for fit in map(compare_shape, known) if fit]
    faults = [*_shape_faults(fits, enough, schema), *_scale_faults(labels, sizes, eyes, enough)]
    disagreement = _median(known_mean(np.linalg.norm(labels - predicted, axis=2)) / eyes)
    network = []
    if disagreement > MAX_DISAGREEMENT:
        network.append(
            f"on half of the faces the network finds the points {100 * disagreement:.0f} % of the "
            "eye distance from the labels or farther: labels lie elsewhere, or it does not know "
            "such faces"
        )
    return SetFaults(len(fits), tuple(faults), tuple(network))


def _shape_faults(fits: Sequence[ShapeFit], enough: bool, schema: KeypointSchema) -> Iterator[str]:
    strange = [fit for fit in fits if not fit.plausible]
    if len(strange) > MAX_NOT_FACES * len(fits):
        share = f"{len(strange)} of {len(fits)} labels are no face of {schema.name}"
        if 2 * sum(fit.mirrored and fit.near for fit in fits) > len(strange):
            causes = "x and y exchanged, y counted upwards, or left and right exchanged"
            yield f"{share} but the mirror image of one: {causes}"
        else:
            yield f"{share}: columns mixed up, or points in another order"
        return
    if not fits or not enough:
        return
    median = MEAN_SHAPE + np.nanmedian([fit.residuals for fit in fits], axis=0)
    distances = np.linalg.norm(median - MEAN_SHAPE, axis=1)
    turns = np.exp(1j * np.radians([fit.turn for fit in fits]))
    turn = np.degrees(np.angle(np.median(turns.real) + 1j * np.median(turns.imag)))
    worst = int(np.nanargmax(distances))
    if displaced := _displaced(median):
        one, other = displaced[0]
        example = f"{schema.names[one]} in that of {schema.names[other]}"
        count = f"{len(displaced)} points lie in another one's place"
        yield f"{count}, as {example}: the set has another order than {schema.name}"
    elif distances[worst] > MAX_DISTANCE:
        much = f"{100 * distances[worst]:.0f} % of the eye distance"
        yield f"{schema.names[worst]} lies {much} off its usual place: another definition?"
    elif abs(turn) > MAX_TURN:
        yield f"the faces are tilted by {turn:.0f} degrees: labels of turned images?"


def _scale_faults(labels: Matrix, sizes: Matrix, eyes: Matrix, enough: bool) -> Iterator[str]:
    shares = labels / sizes[:, None]
    reach = np.nanmax(shares, axis=(0, 1), initial=0.0, where=np.isfinite(shares)).max()
    if (largest := np.nanmax(labels, initial=0.0)) <= 1.5:
        yield f"no coordinate is above {largest:.2g}: they are shares of the image's sides"
    elif (eye_distance := _median(eyes)) < MIN_EYE_DISTANCE:
        much = f"{eye_distance:.2g} pixels"
        yield f"the eyes are {much} apart: the coordinates are not pixels of these images"
    elif enough and 0 < reach < MIN_REACH:
        much = f"{100 * reach:.0f} % of its image's width or height"
        yield f"no label reaches beyond {much}: they belong to smaller images"
    beyond = ((shares < 0) | (shares > 1)).any(axis=2)
    middle = known_mean(shares.transpose(0, 2, 1))
    outside = (beyond.mean(axis=1) > 0.25) | ((middle < 0) | (middle > 1)).any(axis=1)
    if outside.mean() > MAX_NOT_FACES:
        much = f"{100 * outside.mean():.0f} % of the faces reach far out of their image"
        yield f"{much}: labels are shifted, or belong to larger images"


def _displaced(shape: Matrix) -> list[tuple[int, int]]:
    """Points ``(K, 2)`` of a shape that are much nearer to another one's place in the mean face,
    whose own point is displaced too.
    """
    distances = np.linalg.norm(shape[:, None] - MEAN_SHAPE, axis=2)
    nearest = distances.argmin(axis=1)
    own, least = distances.diagonal(), distances.min(axis=1)
    moved = (nearest != np.arange(len(shape))) & (least < own / 2)
    return [(i, int(nearest[i])) for i in np.flatnonzero(moved & moved[nearest]).tolist()]


def _median(values: Matrix) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else np.nan


@dataclass(frozen=True)
class SizeClass:
    """The median offset among faces of one size, right and down."""

    eye_distance: float  # median, pixels
    pixels: Pair
    percent: Pair  # of the eye distance


@dataclass(frozen=True)
class LabelOffset:
    """Offset of labels from the features, right and down, medians over faces.

    By class of face size (``sizes``), another pixel convention is constant in pixels, a bias of
    annotators or predictors in percent.
    """

    faces: int  # measured ones
    pixels: Pair
    percent: Pair  # of the eye distance
    error: Pair  # standard error of the pixels, from the median deviation between faces
    bias: float  # of the predictor to the right, pixels: half the difference of both predictions
    nme: float  # percent that the offset costs a predictor without error
    sizes: tuple[SizeClass, ...]

    @property
    def significant(self) -> bool:
        """Horizontal offset above four standard errors and half a percent of the eye distance."""
        return abs(self.pixels[0]) > 4 * self.error[0] and abs(self.percent[0]) > 0.5


def measure_label_offset(
    labels: ArrayLike, plain: ArrayLike, mirrored: ArrayLike, schema: KeypointSchema
) -> LabelOffset | None:
    """Mirror test: offset of labels; None without a face that was predicted.

    A predictor may have learned an offset, too. In predictions for the mirror image, mirrored back,
    it points the other way, so that the mean of both has none: labels minus that mean are the
    labels' own horizontal offset. The vertical one is relative to the predictor's training labels.

    Args:
        labels: ``(N, K, 2)``, pixels.
        plain: ``(N, K, 2)``, predictions in the images, pixels; NaN without one.
        mirrored: ``(N, K, 2)``, predictions in the mirror images, mirrored back.
        schema: Schema of the points.
    """
    truth, one, other = (np.asarray(points, np.float64) for points in (labels, plain, mirrored))
    predicted = (one + other) / 2
    eyes = norm_distances(truth, schema)
    valid = np.isfinite(eyes) & np.isfinite(predicted).all(axis=(1, 2))
    if not valid.any():
        return None
    eyes = eyes[valid]
    offsets = np.nanmedian(truth[valid] - predicted[valid], axis=1)
    relative = offsets / eyes[:, None]
    median = np.median(offsets, axis=0)
    deviation = 1.4826 * np.median(np.abs(offsets - median), axis=0)
    classes = np.array_split(np.argsort(eyes, kind="stable"), SIZE_CLASSES)
    sizes = [
        SizeClass(float(np.median(eyes[of])), _pair(offsets[of]), _pair(relative[of], 100))
        for of in classes
        if len(of)
    ]
    # The standard error of a median is sqrt(pi / 2) times that of a mean.
    x, y = (1.2533 * deviation / np.sqrt(len(offsets))).tolist()
    return LabelOffset(
        faces=len(offsets),
        pixels=_pair(offsets),
        percent=_pair(relative, 100),
        error=(x, y),
        bias=float(np.median((one - other)[valid][..., 0]) / 2),
        nme=float(100 * np.hypot(*median) * np.mean(1 / eyes)),
        sizes=tuple(sizes),
    )


def _pair(offsets: Matrix, factor: float = 1.0) -> Pair:
    """Median ``x, y`` of offsets ``(N, 2)``, times a factor."""
    x, y = (factor * np.median(offsets, axis=0)).tolist()
    return x, y
