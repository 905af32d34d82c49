"""Labels with right points in the wrong order: eyes swapped, left and right exchanged, …"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from facedots.annotations.base import FaceAnnotation
from facedots.audit.scan import ImageScan, scan_images
from facedots.audit.shapes import ReferenceShape
from facedots.evaluation.metrics import known_mean
from facedots.geometry import Matrix
from facedots.schema import KeypointSchema
from facedots.spec import Predictor

MAX_RATIO = 0.5
"""A permutation is certain if correcting it brings its points to less than this share of their
distance from the target, …
"""

CLOSE, FAR = 0.10, 0.10
"""… to less than ``CLOSE`` eye distances from it, and they were farther than ``FAR``. (With 0.15, a
face with another face's points passed for a mirrored one.)
"""

CLOSE_TO_MEDIAN = 0.15
"""``CLOSE`` where the target is the median face, to which no face is equal."""

MIN_FACES, MIN_POINTS = 30, 4
"""Fewer faces have no reliable median, and faces of fewer points no shape."""

LEFT_RIGHT_SWAPPED, MIRRORED_POINTS = "left and right swapped", "mirrored, unlike its image"


@dataclass(frozen=True)
class PointPermutation:
    """A way to get the order of points wrong."""

    name: str  # a few words
    order: tuple[int, ...]  # label[order] corrects it
    mirrored: bool = False  # the points, unlike their image; they are mirrored back first

    def corrected(self, points: ArrayLike, width: float) -> Matrix:
        """The points ``(K, 2)`` of a label in their right order; the image's width is in pixels."""
        result = np.array(points, np.float64)
        if self.mirrored:
            result[:, 0] = width - 1 - result[:, 0]
        return result[list(self.order)]

    @property
    def moved_points(self) -> list[int]:
        """Indices of the points that it moves."""
        return [i for i in range(len(self.order)) if self.mirrored or self.order[i] != i]


Permutations = list[PointPermutation | None]
"""One entry per face; None for a label in order."""


def correct_labels(
    labels: Matrix, permutations: Sequence[PointPermutation | None], widths: Matrix
) -> Matrix:
    """Labels ``(N, K, 2)`` in their right order, in images of these widths ``(N,)``; pixels."""
    result = labels.copy()
    for i, permutation in enumerate(permutations):
        if permutation:
            result[i] = permutation.corrected(labels[i], widths[i])
    return result


def possible_permutations(schema: KeypointSchema) -> tuple[PointPermutation, ...]:
    """The wrong orders that a schema allows.

    All left and right points swapped; two mirrored regions exchanged, point by mirrored point, or
    in the order that each has; a symmetric region the wrong way round; the whole list reversed.
    """
    result = [PointPermutation(LEFT_RIGHT_SWAPPED, schema.flip)]
    for name, region in schema.regions.items():
        title = name.replace("_", " ")
        flips = {i: schema.flip[i] for i in region}
        for other in sorted({schema.region_of[i] for i in flips.values()}):
            partner = schema.regions[other]
            if other == name:
                result.append(_permutation(f"{title} the wrong way round", flips, schema))
            elif partner > region and len(partner) == len(region):
                swapped = f"{title} and {other.replace('_', ' ')} swapped"
                mirror = flips | {i: schema.flip[i] for i in partner}
                blocks = dict(zip(region, partner, strict=True))
                blocks |= {b: a for a, b in blocks.items()}
                result += [_permutation(swapped, order, schema) for order in (mirror, blocks)]
    reverse = tuple(reversed(range(schema.count)))
    result.append(PointPermutation("the order of all points reversed", reverse))
    # Of equal orders the first one names it.
    distinct = {one.order: one for one in reversed(result) if one.moved_points}
    return tuple(reversed(distinct.values()))


def mirror_permutations(schema: KeypointSchema) -> tuple[PointPermutation, ...]:
    """Mirrored points in an image that is not: under their old names, or left and right swapped."""
    orders = tuple(range(schema.count)), schema.flip
    return tuple(PointPermutation(MIRRORED_POINTS, order, mirrored=True) for order in orders)


def match_prediction(
    labels: ArrayLike,
    predicted: ArrayLike,
    eye_distances: ArrayLike,
    candidates: Sequence[PointPermutation],
    widths: ArrayLike,
) -> Permutations:
    """The permutation, if any, that certainly separates each label from its prediction.

    Args:
        labels: ``(N, K, 2)``, pixels.
        predicted: ``(N, K, 2)``, pixels; NaN, hence no permutation, without a prediction.
        eye_distances: ``(N,)``, see :meth:`ReferenceShape.eye_distances`.
        candidates: The permutations to try.
        widths: ``(N,)``, of the images, pixels.
    """
    points, target = np.asarray(labels, np.float64), np.asarray(predicted, np.float64)
    scale, width = np.asarray(eye_distances, np.float64)[:, None], np.asarray(widths, np.float64)

    def distances(permutation: PointPermutation | None) -> Matrix:
        corrected = correct_labels(points, [permutation] * len(points), width)
        scaled: Matrix = np.linalg.norm(corrected - target, axis=2) / scale
        return scaled

    return _best_correction(distances, len(points), candidates, CLOSE)


def match_shape(
    labels: ArrayLike, reference: ReferenceShape, schema: KeypointSchema
) -> Permutations:
    """The permutation, if any, that certainly separates each label ``(N, K, 2)`` from the median
    face. Weaker than :func:`match_prediction`: a permutation that most labels share is the usual
    order, and profiles are too far from the median face to be certain.
    """
    points = np.asarray(labels, np.float64)

    def distances(permutation: PointPermutation | None) -> Matrix:
        corrected = points[:, list(permutation.order)] if permutation else points
        result: Matrix = np.linalg.norm(reference.align(corrected) - reference.points, axis=2)
        return result

    return _best_correction(distances, len(points), possible_permutations(schema), CLOSE_TO_MEDIAN)


def _best_correction(
    distances: Callable[[PointPermutation | None], Matrix],
    count: int,
    candidates: Sequence[PointPermutation],
    close: float,
) -> Permutations:
    """The certain permutation of each of ``count`` labels, of several the one with most gain.

    ``distances``: of points from their targets ``(N, K)``, in eye distances, with a permutation
    corrected or (None) as they are.
    """
    before = distances(None)
    gains = np.zeros(count)
    best: Permutations = [None] * count
    for permutation in candidates if count else ():
        after, moved = distances(permutation), permutation.moved_points
        old, new = known_mean(before[:, moved]), known_mean(after[:, moved])
        gain = np.nan_to_num(np.nansum(before - after, axis=1))
        certain = (new < MAX_RATIO * old) & (new < close) & (old > FAR)
        for i in np.flatnonzero(certain & (gain > gains)):
            best[i], gains[i] = permutation, gain[i]
    return best


def find_permutations(
    faces: Sequence[FaceAnnotation],
    labels: Matrix,
    scan: ImageScan,
    schema: KeypointSchema,
    predictor: Predictor | None,
) -> tuple[Permutations, ImageScan]:
    """The certain permutation of each label, or None.

    Predictions decide; faces without one are compared with the median face. Labels ``(N, K, 2)``
    far from their prediction are tried mirrored, too, with a second prediction in the box of the
    mirrored label.

    Returns:
        Also the scan, with the second predictions of mirrored labels.
    """
    reference = ReferenceShape.fit(labels, schema)
    eyes, widths = reference.eye_distances(labels), scan.sizes[:, 0]
    candidates = possible_permutations(schema)
    result = match_prediction(labels, scan.predicted, eyes, candidates, widths)
    missing = ~scan.has_prediction
    if missing.any() and len(labels) >= MIN_FACES and schema.count >= MIN_POINTS:
        by_shape = match_shape(labels, reference, schema)
        result = [by_shape[i] if missing[i] else one for i, one in enumerate(result)]
    far = (_mean_distance(labels, scan.predicted) > CLOSE * eyes).tolist()
    doubtful = [
        i for i, one in enumerate(result) if (one.name == LEFT_RIGHT_SWAPPED if one else far[i])
    ]
    if predictor is None or not doubtful:
        return result, scan
    subset, width = labels[doubtful], widths[doubtful]
    flipped = subset * (-1, 1)
    flipped[..., 0] += width[:, None] - 1
    pairs = zip(doubtful, flipped.astype(np.float32), strict=True)
    tried = [replace(faces[i], points=points) for i, points in pairs]
    again = scan_images(tried, schema, predictor)
    candidates = mirror_permutations(schema)
    second = match_prediction(subset, again.predicted, eyes[doubtful], candidates, width)
    old = _mean_distance(correct_labels(labels, result, widths), scan.predicted)[doubtful]
    new = _mean_distance(correct_labels(subset, second, width), again.predicted)
    better = [k for k, permutation in enumerate(second) if permutation and new[k] < old[k]]
    brightness, plain, mirrored = scan.brightness.copy(), scan.plain.copy(), scan.mirrored.copy()
    for k in better:
        i = doubtful[k]
        result[i], brightness[i] = second[k], again.brightness[k]
        plain[i], mirrored[i] = again.plain[k], again.mirrored[k]
    return result, replace(scan, brightness=brightness, plain=plain, mirrored=mirrored)


def _mean_distance(labels: Matrix, predicted: Matrix) -> Matrix:
    """Mean distance ``(N,)`` of points ``(N, K, 2)``, pixels; NaN where none is known."""
    return known_mean(np.linalg.norm(labels - predicted, axis=-1))


def _permutation(name: str, changes: dict[int, int], schema: KeypointSchema) -> PointPermutation:
    return PointPermutation(name, tuple(changes.get(i, i) for i in range(schema.count)))
