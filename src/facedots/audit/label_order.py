"""Labels whose points are right but stand in the wrong order: eyes swapped, a mirror image whose
points kept their names, …
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from facedots.annotations.base import FaceAnnotation
from facedots.audit.scan import ImageScan, look
from facedots.audit.shapes import Frame, mean_of_known
from facedots.evaluation.protocol import Predictor
from facedots.geometry import Matrix
from facedots.schema import KeypointSchema

HALVED = 0.5
"""A mistake is certain if undoing it brings the points that it concerns to less than this share of
their distance, …
"""

CLOSE, FAR = 0.10, 0.10
"""… to less than ``CLOSE`` eye distances from where they should be, and they were farther than
``FAR`` from it.

With 0.15, one of sixty faces with another face's points passed for a mirrored one; with 0.12 none
did.
"""

CLOSE_TO_MEDIAN = 0.15
"""The same instead of ``CLOSE`` where the median face says where points should be, which no face is
quite like.
"""

LEAST_FACES, LEAST_POINTS = 30, 4
"""Fewer faces do not say what is usual, and faces of fewer points have no shape."""

MIRRORED, TURNED = "left and right swapped", "mirrored, unlike its image"


@dataclass(frozen=True)
class PointPermutation:
    """A way to get the order of points wrong.

    Attributes:
        name: A few words.
        order: ``label[order]`` undoes it.
        turned: The points are mirrored and their image is not: they are turned back before they are
            ordered.
    """

    name: str
    order: tuple[int, ...]
    turned: bool = False

    def corrected(self, points: ArrayLike, width: float) -> Matrix:
        """The points ``(K, 2)`` of a label as they should be, in an image of this width; pixels."""
        given = np.array(points, np.float64)
        if self.turned:
            given[:, 0] = width - 1 - given[:, 0]
        return given[list(self.order)]

    @property
    def concerned(self) -> list[int]:
        """The points that it moves."""
        return [i for i in range(len(self.order)) if self.turned or self.order[i] != i]


def permutations(schema: KeypointSchema) -> tuple[PointPermutation, ...]:
    """The wrong orders that a schema allows.

    All left and right points swapped; two mirrored regions exchanged, point by mirrored point, or
    in the order that each has; a symmetric region the wrong way round; the whole list reversed.
    """
    everything = list(range(schema.count))
    found = [PointPermutation(MIRRORED, schema.flip)]
    for name, region in schema.regions.items():
        target = {schema.region_of[schema.flip[i]] for i in region}
        for other in sorted(target):
            if other == name:
                found.append(
                    PointPermutation(
                        f"{_words(name)} the wrong way round",
                        _moved(everything, dict(_flips(region, schema))),
                    )
                )
            elif schema.regions[other] > region and len(schema.regions[other]) == len(region):
                title = f"{_words(name)} and {_words(other)} swapped"
                pairs = list(_flips(region, schema)) + list(_flips(schema.regions[other], schema))
                blocks = list(zip(region, schema.regions[other], strict=True))
                found.append(PointPermutation(title, _moved(everything, dict(pairs))))
                found.append(
                    PointPermutation(
                        title, _moved(everything, dict(blocks) | {b: a for a, b in blocks})
                    )
                )
    found.append(PointPermutation("the order of all points reversed", tuple(everything[::-1])))
    distinct = {mistake.order: mistake for mistake in reversed(found) if mistake.concerned}
    return tuple(reversed(distinct.values()))


def turned(schema: KeypointSchema) -> tuple[PointPermutation, ...]:
    """The mistakes of mirrored points in an image that is not: with the names that they had, or
    with left and right swapped.
    """
    return PointPermutation(TURNED, tuple(range(schema.count)), turned=True), PointPermutation(
        TURNED, schema.flip, turned=True
    )


def permutations_seen(
    labels: ArrayLike,
    predicted: ArrayLike,
    units: ArrayLike,
    candidates: Sequence[PointPermutation],
    width: ArrayLike,
) -> list[PointPermutation | None]:
    """Which mistake, if any, certainly keeps each label from where a network sees its points.

    Args:
        labels: ``(N, K, 2)``, pixels.
        predicted: ``(N, K, 2)``, pixels; NaN where nothing was seen: no mistake is found there.
        units: ``(N,)``, the eye distance in pixels that a face of this size has from the front.
        candidates: The mistakes to think of.
        width: ``(N,)``, of the images, pixels.
    """
    given, seen = np.asarray(labels, np.float64), np.asarray(predicted, np.float64)
    scale, wide = np.asarray(units, np.float64)[:, None], np.asarray(width, np.float64)

    def far(mistake: PointPermutation | None) -> Matrix:
        mended = (
            given
            if mistake is None
            else np.stack([mistake.corrected(face, w) for face, w in zip(given, wide, strict=True)])
        )
        return np.asarray(np.linalg.norm(mended - seen, axis=2) / scale)

    return _certain(far, len(given), candidates, CLOSE)


def permutations_in_shape(
    labels: ArrayLike, frame: Frame, schema: KeypointSchema
) -> list[PointPermutation | None]:
    """Which mistake, if any, certainly keeps each label from having the shape of the median face.

    Less than :func:`permutations_seen` knows: where most labels have the same mistake, it is the
    usual order; and faces in profile are too far from the median face for it to be sure.

    Args:
        labels: ``(N, K, 2)``, pixels.
        frame: The median face.
        schema: What the points should mean.
    """
    given = np.asarray(labels, np.float64)
    median = np.stack([frame.reference.real, frame.reference.imag], axis=-1)

    def far(mistake: PointPermutation | None) -> Matrix:
        mended = given if mistake is None else given[:, list(mistake.order)]
        return np.asarray(np.linalg.norm(frame.lay(mended) - median, axis=2))

    return _certain(far, len(given), permutations(schema), CLOSE_TO_MEDIAN)


def _certain(
    far: Callable[[PointPermutation | None], Matrix],
    count: int,
    candidates: Sequence[PointPermutation],
    close: float,
) -> list[PointPermutation | None]:
    """The mistake of each of ``count`` labels whose undoing certainly brings it nearer, and of
    several the one that does most.

    ``far`` says how far ``(N, K)`` the points are from their places, in eye distances, once a
    mistake is undone, or as they are.
    """
    before = far(None)
    gains = np.zeros(count)
    found: list[PointPermutation | None] = [None] * count
    for mistake in candidates if count else ():
        after = far(mistake)
        was, now = (
            mean_of_known(before[:, mistake.concerned]),
            mean_of_known(after[:, mistake.concerned]),
        )
        gain = np.nan_to_num(np.nansum(before - after, axis=1))
        for i in np.flatnonzero(
            (now < HALVED * was) & (now < close) & (was > FAR) & (gain > gains)
        ):
            found[i], gains[i] = mistake, gain[i]
    return found


def find_permutations(
    faces: Sequence[FaceAnnotation],
    labels: Matrix,
    sights: ImageScan,
    schema: KeypointSchema,
    network: Predictor | None,
) -> tuple[list[PointPermutation | None], ImageScan]:
    """The wrong order that each label certainly has, or None.

    Where a network saw the face, it decides; elsewhere the shapes of the other labels do. Labels
    far from what the network saw are tried mirrored, too, and then the network looks where the
    mirrored label is.

    Args:
        faces: N faces.
        labels: Their points ``(N, K, 2)``, pixels.
        sights: What was seen of them.
        schema: What the points should mean.
        network: Looks again; None where it was not asked at all.

    Returns:
        Also the sights, with those of mirrored labels as seen in the second look.
    """
    frame = Frame.of(labels, schema)
    units, width = frame.units(labels), sights.sizes[:, 0]
    found = permutations_seen(labels, sights.predicted, units, permutations(schema), width)
    unseen = np.asarray(np.isnan(sights.predicted).any(axis=(1, 2)))
    if unseen.any() and len(labels) >= LEAST_FACES and schema.count >= LEAST_POINTS:
        in_shape = permutations_in_shape(labels, frame, schema)
        found = [
            other if blind else one
            for blind, one, other in zip(unseen, found, in_shape, strict=True)
        ]
    if network is None:
        return found, sights
    far = np.asarray(_gap(labels, sights.predicted) > CLOSE * units)
    mirrored = np.array(
        [mistake is not None and mistake.name == MIRRORED for mistake in found], bool
    )
    doubtful = np.flatnonzero(
        mirrored | (far & np.array([mistake is None for mistake in found], bool))
    ).tolist()
    if not doubtful:
        return found, sights
    back = labels[doubtful] * (-1, 1)
    back[..., 0] += width[doubtful, None] - 1
    anew = look(
        [
            replace(faces[i], points=points.astype(np.float32))
            for i, points in zip(doubtful, back, strict=True)
        ],
        schema,
        network,
    )
    second = permutations_seen(
        labels[doubtful], anew.predicted, units[doubtful], turned(schema), width[doubtful]
    )
    first = np.stack(
        [
            mistake.corrected(face, 0) if mistake else face
            for mistake, face in zip(found, labels, strict=True)
        ]
    )
    for k, (i, mistake) in enumerate(zip(doubtful, second, strict=True)):
        if mistake and _gap(mistake.corrected(labels[i], width[i]), anew.predicted[k]) < _gap(
            first[i], sights.predicted[i]
        ):
            found[i] = mistake
            sights.plain[i], sights.mirrored[i], sights.brightness[i] = (
                anew.plain[k],
                anew.mirrored[k],
                anew.brightness[k],
            )
    return found, sights


def _gap(labels: Matrix, predicted: Matrix) -> Matrix:
    """Mean distance ``(...)`` of points ``(..., K, 2)``, pixels; NaN where none is known."""
    return np.asarray(mean_of_known(np.linalg.norm(labels - predicted, axis=-1)))


def _flips(region: tuple[int, ...], schema: KeypointSchema) -> list[tuple[int, int]]:
    return [(i, schema.flip[i]) for i in region]


def _moved(everything: list[int], to: dict[int, int]) -> tuple[int, ...]:
    return tuple(to.get(i, i) for i in everything)


def _words(region: str) -> str:
    return region.replace("_", " ")
