"""Which labels are probably wrong, and in what way.

Every label is put to up to five tests. Two look at its shape among the others: is it a usual face,
and is each point where the other points put it? Three ask the network: how far is its face from the
label, is their disagreement a usual one, and is each point where the network and the rest of the
disagreement put it? A face is suspicious where a test's number is out of line with those of the
other faces (:func:`facedots.audit.shapes.limit`), so the limits come from the data and say nothing
of how good a set is as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from facedots.audit.label_order import LEAST_FACES, LEAST_POINTS, PointPermutation
from facedots.audit.shapes import Frame, Gaussian, limit, mean_of_known, mirror
from facedots.geometry import Matrix
from facedots.schema import KeypointSchema

MOVED = 3
"""If more points than these are off, the whole label is called scattered, not its points moved."""

FAR_OFF = 1.5
"""A label that is so many times as far from the network's points as the limit is another face's;
below, the two disagree.
"""

FOLDS = 5
"""Face ``i`` is of fold ``i`` modulo this."""

MOVED_POINTS, OTHER_FACE, SCATTERED = "points moved", "another face's points", "points scattered"
ODD_SHAPE, DISAGREES = "an odd shape", "the network disagrees"


@dataclass(frozen=True)
class Test:
    """One number for each face.

    Attributes:
        meaning: What the number is.
        values: ``float64 (N,)``; the larger, the stranger; NaN where a face cannot be tested.
        limit: From where on a face is suspicious.
    """

    meaning: str
    values: Matrix
    limit: float

    @property
    def ratios(self) -> Matrix:
        """The values ``(N,)`` over the limit, 0 where unknown."""
        return np.nan_to_num(self.values / self.limit)


@dataclass(frozen=True)
class LabelOutliers:
    """What the tests say of N labels.

    Attributes:
        tests: By short name; none where there are too few faces or points.
        kinds: For each face what seems to be wrong, ``""`` where nothing is.
        points: For each face the points that seem moved.
        scores: ``float64 (N,)``: the largest ratio of a test to its limit; suspicious from 1 on.
        disagreement: ``float64 (N, K)``, distance of each point to where the network sees it, in
            the eye distance that a face of this size has from the front. NaN without a network.
    """

    tests: Mapping[str, Test]
    kinds: tuple[str, ...]
    points: tuple[tuple[int, ...], ...]
    scores: Matrix
    disagreement: Matrix

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Which faces are suspicious, ``bool (N,)``."""
        return np.array([bool(kind) for kind in self.kinds], bool)


@dataclass(frozen=True)
class _View:
    """One way to look at labels: at their shapes, or at what lies between them and the network's
    points.

    Attributes:
        samples: ``float64 (N, K, 2)``, eye distances; NaN where unknown.
        models: What is usual among the faces that are not of a fold, for each fold. A face is
            judged by others only: to a model that knows it, it would seem less strange.
        whole: How unlike the others each face is.
        single: How far each face's most displaced point is from where the others put it.
    """

    samples: Matrix
    models: tuple[Gaussian, ...]
    whole: Test
    single: Test

    @classmethod
    def of(cls, samples: Matrix, schema: KeypointSchema, what: str) -> "_View":
        known = np.isfinite(samples).any(axis=(1, 2))
        fold = np.arange(len(samples)) % FOLDS
        whole, single = np.full((2, len(samples)), np.nan)
        models = []
        for k in range(FOLDS):
            others, mine = samples[known & (fold != k)], known & (fold == k)
            # A face's mirror image is a face, too: twice as many examples, and nothing is stranger
            # on one side than on the other.
            models.append(Gaussian.fit(np.concatenate([others, mirror(others, schema)])))
            whole[mine] = models[-1].distances(samples[mine])
            single[mine] = np.nanmax(models[-1].beside(samples[mine]), axis=1)
        return cls(
            samples,
            tuple(models),
            Test(
                f"{what}: Mahalanobis distance, over the root of its degrees of freedom",
                whole,
                limit(whole),
            ),
            Test(
                f"{what}: its most displaced point beside where the others put it, eye distances",
                single,
                limit(single),
            ),
        )

    def beside(self, i: int, points: Matrix) -> Matrix:
        """How far each point ``(K,)`` of face ``i`` is from where the others put it, over the
        limit; 0 where unknown.
        """
        return np.asarray(
            np.nan_to_num(self.models[i % FOLDS].beside(points[None])[0]) / self.single.limit
        )

    def distance(self, i: int, points: Matrix) -> float:
        """How unlike the others the points ``(K, 2)`` of face ``i`` are, over the limit; 0 where
        unknown.
        """
        return float(
            np.nan_to_num(self.models[i % FOLDS].distances(points[None])[0]) / self.whole.limit
        )


def find_label_outliers(
    labels: Matrix,
    predicted: Matrix,
    permutations: Sequence[PointPermutation | None],
    schema: KeypointSchema,
) -> LabelOutliers:
    """Put all labels to the tests.

    Args:
        labels: ``(N, K, 2)``, pixels, with wrong orders undone and the displacement of all labels
            taken off already; NaN missing.
        predicted: ``(N, K, 2)``, where the network sees them, pixels; NaN where it was not asked.
        permutations: The wrong orders that were undone; they decide the kind of their faces.
        schema: What the points mean.
    """
    disagreement = np.full(labels.shape[:2], np.nan)
    if len(labels) < LEAST_FACES or schema.count < LEAST_POINTS:
        named = tuple(mistake.name if mistake else "" for mistake in permutations)
        return LabelOutliers(
            MappingProxyType({}), named, ((),) * len(labels), np.zeros(len(labels)), disagreement
        )
    frame = Frame.of(labels, schema)
    views = [_View.of(frame.lay(labels), schema, "shape")]
    tests = {"shape": views[0].whole, "shape's points": views[0].single}
    seen = np.isfinite(predicted).all(axis=(1, 2))
    if seen.sum() >= LEAST_FACES:
        gaps = np.full(labels.shape, np.nan)
        gaps[seen] = frame.turn(labels[seen] - predicted[seen], predicted[seen])
        disagreement = np.linalg.norm(gaps, axis=2)
        views.append(_View.of(gaps, schema, "network's error"))
        means = np.full(len(labels), np.nan)
        means[seen] = mean_of_known(disagreement[seen])
        tests["disagreement"] = Test(
            "mean distance of label and network, eye distances", means, limit(means)
        )
        tests |= {"network's error": views[1].whole, "network's points": views[1].single}
    scores = np.max([test.ratios for test in tests.values()], axis=0)
    kinds: list[str] = []
    points: list[tuple[int, ...]] = []
    for i, mistake in enumerate(permutations):
        kind, moved = _kind(i, views, tests) if scores[i] >= 1 else ("", ())
        kinds.append(mistake.name if mistake else kind)
        points.append(moved)
    return LabelOutliers(MappingProxyType(tests), tuple(kinds), tuple(points), scores, disagreement)


def _kind(i: int, views: Sequence[_View], tests: Mapping[str, Test]) -> tuple[str, tuple[int, ...]]:
    """What is wrong with a suspicious face, and which points seem moved."""
    moved, cooldown_fraction = _moved_points(i, views)
    if moved and cooldown_fraction:
        return MOVED_POINTS, moved
    if tests["shape"].ratios[i] >= 1:
        return (SCATTERED if len(moved) > MOVED else ODD_SHAPE), moved
    far = "disagreement" in tests and tests["disagreement"].ratios[i] >= FAR_OFF
    return (OTHER_FACE if far else DISAGREES), moved


def _moved_points(i: int, views: Sequence[_View]) -> tuple[tuple[int, ...], bool]:
    """The points of a face that are off, the worst first, each found after those before it were
    left out.

    At most one more than :data:`MOVED`; and whether nothing is strange about the rest.
    """
    moved: list[int] = []
    left = [view.samples[i].copy() for view in views]
    while len(moved) <= MOVED:
        pairs = list(zip(views, left, strict=True))
        off = np.max([view.beside(i, points) for view, points in pairs], axis=0)
        if off.max() < 1:
            return tuple(moved), all(view.distance(i, points) < 1 for view, points in pairs)
        moved.append(int(off.argmax()))
        for points in left:
            points[moved[-1]] = np.nan
    return tuple(moved), False
