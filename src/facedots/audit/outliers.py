"""Label outliers: labels that are probably wrong, and in what way.

Each label gets up to five tests. Two compare its shape with the others: the whole face, and each
point given the other points. Three compare it with the prediction: the mean distance, the whole
residual, and each point's residual given the others. A label is an outlier where a test exceeds its
limit (:func:`facedots.audit.shapes.outlier_limit`); limits come from the data, so they say
nothing about the quality of a set as a whole.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from facedots.audit.label_order import MIN_FACES, MIN_POINTS, PointPermutation
from facedots.audit.shapes import (
    Gaussian,
    ReferenceShape,
    last_axis_mean,
    mirror_shapes,
    outlier_limit,
)
from facedots.geometry import Matrix
from facedots.schema import KeypointSchema

MAX_MOVED = 3
"""With more wrong points than these a label is scattered, not its points moved."""

OTHER_FACE_RATIO = 1.5
"""Distance from the prediction, over the limit, from which on a label is another face's."""

FOLDS = 5
"""Cross-validation folds; face ``i`` is in fold ``i`` modulo this."""

MOVED_POINTS, OTHER_FACE, SCATTERED = "points moved", "another face's points", "points scattered"
ODD_SHAPE, DISAGREES = "an odd shape", "the network disagrees"


@dataclass(frozen=True)
class OutlierTest:
    """A number per face.

    Attributes:
        meaning: What the number is.
        values: ``float64 (N,)``, large for outliers; NaN untested.
        limit: Where outliers begin.
    """

    meaning: str
    values: Matrix
    limit: float

    @classmethod
    def of(cls, meaning: str, values: Matrix) -> "OutlierTest":
        """The test whose limit follows from its values."""
        return cls(meaning, values, outlier_limit(values))

    @property
    def ratios(self) -> Matrix:
        """Values ``(N,)`` over the limit, 0 untested."""
        return np.nan_to_num(self.values / self.limit)


@dataclass(frozen=True)
class LabelOutliers:
    """Test results of N labels.

    Attributes:
        tests: By short name; none with too few faces or points.
        kinds: Per face what seems wrong, ``""`` for nothing.
        points: Per face the points that seem moved.
        scores: ``float64 (N,)``, the largest ratio of a test to its limit; outliers from 1 on.
    """

    tests: Mapping[str, OutlierTest]
    kinds: tuple[str, ...]
    points: tuple[tuple[int, ...], ...]
    scores: Matrix

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Faces with something wrong, ``bool (N,)``."""
        return np.array([bool(kind) for kind in self.kinds], bool)

    @property
    def counts(self) -> dict[str, int]:
        """Faces of each kind, the most frequent first."""
        return dict(Counter(kind for kind in self.kinds if kind).most_common())


@dataclass(frozen=True)
class _CrossValidatedGaussian:
    """Gaussians over samples, each tested by the model that was fitted without its fold.

    Attributes:
        samples: ``float64 (N, K, 2)``, shapes or residuals, eye distances; NaN unknown.
        models: Per fold, fitted to the samples of the other folds.
        faces: Mahalanobis distance of each sample.
        points: Largest conditional residual of each sample.
    """

    samples: Matrix
    models: tuple[Gaussian, ...]
    faces: OutlierTest
    points: OutlierTest

    @classmethod
    def fit(cls, samples: Matrix, schema: KeypointSchema, name: str) -> "_CrossValidatedGaussian":
        valid = np.isfinite(samples).any(axis=(1, 2))
        fold = np.arange(len(samples)) % FOLDS
        distances, residuals = np.full((2, len(samples)), np.nan)
        models = []
        for k in range(FOLDS):
            train, test = samples[valid & (fold != k)], valid & (fold == k)
            # Mirror images double the examples and make left and right alike.
            model = Gaussian.fit(np.concatenate([train, mirror_shapes(train, schema)]))
            distances[test] = model.distances(samples[test])
            residuals[test] = np.nanmax(model.conditional_residuals(samples[test]), axis=1)
            models.append(model)
        meaning = "Mahalanobis distance, over the root of its degrees of freedom"
        faces = OutlierTest.of(f"{name}: {meaning}", distances)
        meaning = "largest distance of a point from where the others put it, eye distances"
        points = OutlierTest.of(f"{name}: {meaning}", residuals)
        return cls(samples, tuple(models), faces, points)

    def conditional_residuals(self, i: int, points: Matrix) -> Matrix:
        """Conditional residuals ``(K,)`` of points in place of sample ``i``, over the limit."""
        residuals = self.models[i % FOLDS].conditional_residuals(points[None])[0]
        ratios: Matrix = np.nan_to_num(residuals) / self.points.limit
        return ratios

    def distance(self, i: int, points: Matrix) -> float:
        """Mahalanobis distance of points in place of sample ``i``, over the limit."""
        distance = self.models[i % FOLDS].distances(points[None])[0]
        return float(np.nan_to_num(distance) / self.faces.limit)


def find_label_outliers(
    labels: Matrix,
    predicted: Matrix,
    permutations: Sequence[PointPermutation | None],
    schema: KeypointSchema,
) -> LabelOutliers:
    """Apply all tests to all labels.

    Args:
        labels: ``(N, K, 2)``, pixels, in their right order and without the offset that all of them
            share; NaN missing.
        predicted: ``(N, K, 2)``, pixels; NaN without a prediction.
        permutations: Wrong orders that were corrected; they decide the kind of their faces.
        schema: Schema of the points.
    """
    if len(labels) < MIN_FACES or schema.count < MIN_POINTS:
        kinds = [permutation.name if permutation else "" for permutation in permutations]
        nothing = ((),) * len(labels)
        return LabelOutliers(MappingProxyType({}), tuple(kinds), nothing, np.zeros(len(labels)))
    reference = ReferenceShape.fit(labels, schema)
    shapes = _CrossValidatedGaussian.fit(reference.align(labels), schema, "shape")
    models = [shapes]
    tests = {"shape": shapes.faces, "shape's points": shapes.points}
    valid = np.isfinite(predicted).all(axis=(1, 2))
    if valid.sum() >= MIN_FACES:
        residuals = np.full(labels.shape, np.nan)
        residuals[valid] = reference.align_offsets(
            labels[valid] - predicted[valid], predicted[valid]
        )
        errors = _CrossValidatedGaussian.fit(residuals, schema, "network's error")
        models.append(errors)
        distances = last_axis_mean(np.linalg.norm(residuals, axis=2))
        tests["disagreement"] = OutlierTest.of(
            "mean distance of label and network, eye distances", distances
        )
        tests |= {"network's error": errors.faces, "network's points": errors.points}
    scores = np.max([test.ratios for test in tests.values()], axis=0)
    kinds, points = [], []
    for i, permutation in enumerate(permutations):
        kind, moved = _classify(i, models, tests) if scores[i] >= 1 else ("", ())
        kinds.append(permutation.name if permutation else kind)
        points.append(moved)
    return LabelOutliers(MappingProxyType(tests), tuple(kinds), tuple(points), scores)


def _classify(
    i: int, models: Sequence[_CrossValidatedGaussian], tests: Mapping[str, OutlierTest]
) -> tuple[str, tuple[int, ...]]:
    """What is wrong with an outlier, and which points seem moved."""
    moved, rest_is_usual = _moved_points(i, models)
    if moved and rest_is_usual:
        return MOVED_POINTS, moved
    if tests["shape"].ratios[i] >= 1:
        return (SCATTERED if len(moved) > MAX_MOVED else ODD_SHAPE), moved
    far = "disagreement" in tests and tests["disagreement"].ratios[i] >= OTHER_FACE_RATIO
    return (OTHER_FACE if far else DISAGREES), moved


def _moved_points(
    i: int, models: Sequence[_CrossValidatedGaussian]
) -> tuple[tuple[int, ...], bool]:
    """Wrong points of a face, the worst first, each found without those before it.

    At most one more than :data:`MAX_MOVED`; and whether the rest of the face is usual.
    """
    moved: list[int] = []
    samples = [model.samples[i].copy() for model in models]
    while len(moved) <= MAX_MOVED:
        pairs = list(zip(models, samples, strict=True))
        residuals = np.max([model.conditional_residuals(i, points) for model, points in pairs], 0)
        if residuals.max() < 1:
            return tuple(moved), all(model.distance(i, points) < 1 for model, points in pairs)
        moved.append(int(residuals.argmax()))
        for points in samples:
            points[moved[-1]] = np.nan
    return tuple(moved), False
