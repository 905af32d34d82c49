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
from facedots.audit.shapes import Gaussian, ReferenceShape, mirror_shapes, outlier_limit
from facedots.evaluation.metrics import known_mean
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
    """A number per face, large for outliers."""

    meaning: str
    values: Matrix  # (N,), NaN untested
    limit: float  # where outliers begin

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
    """Test results of N labels."""

    tests: Mapping[str, OutlierTest]  # by short name; none with too few faces or points
    kinds: tuple[str, ...]  # what seems wrong with a face, "" for nothing
    points: tuple[tuple[int, ...], ...]  # of each face, those that seem moved
    scores: Matrix  # (N,), the largest ratio of a test to its limit; outliers from 1 on

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Faces with something wrong, ``bool (N,)``."""
        return np.array([bool(kind) for kind in self.kinds], bool)

    @property
    def counts(self) -> dict[str, int]:
        """Faces of each kind, the most frequent first."""
        return dict(Counter(kind for kind in self.kinds if kind).most_common())


class _CrossValidatedGaussian:
    """Gaussians over samples ``(N, K, 2)``, shapes or residuals in eye distances (NaN unknown);
    each sample is tested, as a face and by its worst point, by the model fitted without its fold.
    """

    def __init__(self, samples: Matrix, schema: KeypointSchema, name: str) -> None:
        self.samples = samples
        self._models = []
        valid = np.isfinite(samples).any(axis=(1, 2))
        fold = np.arange(len(samples)) % FOLDS
        distances, residuals = np.full((2, len(samples)), np.nan)
        for k in range(FOLDS):
            train, test = samples[valid & (fold != k)], valid & (fold == k)
            # Mirror images double the examples and make left and right alike.
            model = Gaussian.fit(np.concatenate([train, mirror_shapes(train, schema)]))
            distances[test] = model.distances(samples[test])
            residuals[test] = np.nanmax(model.conditional_residuals(samples[test]), axis=1)
            self._models.append(model)
        meaning = "Mahalanobis distance, over the root of its degrees of freedom"
        self.faces = OutlierTest.of(f"{name}: {meaning}", distances)
        meaning = "largest distance of a point from where the others put it, eye distances"
        self.points = OutlierTest.of(f"{name}: {meaning}", residuals)

    def ratios(self, i: int, points: Matrix) -> tuple[Matrix, float]:
        """Conditional residuals ``(K,)`` and Mahalanobis distance of points in place of sample
        ``i``, over their limits.
        """
        model = self._models[i % FOLDS]
        residuals = np.nan_to_num(model.conditional_residuals(points[None])[0])
        distance = np.nan_to_num(model.distances(points[None])[0])
        return residuals / self.points.limit, float(distance / self.faces.limit)


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
    count = len(labels)
    if count < MIN_FACES or schema.count < MIN_POINTS:
        wrong = tuple(permutation.name if permutation else "" for permutation in permutations)
        return LabelOutliers(MappingProxyType({}), wrong, ((),) * count, np.zeros(count))
    reference = ReferenceShape.fit(labels, schema)
    shapes = _CrossValidatedGaussian(reference.align(labels), schema, "shape")
    models = [shapes]
    tests = {"shape": shapes.faces, "shape's points": shapes.points}
    valid = np.isfinite(predicted).all(axis=(1, 2))
    if valid.sum() >= MIN_FACES:
        residuals, target = np.full(labels.shape, np.nan), predicted[valid]
        residuals[valid] = reference.align_offsets(labels[valid] - target, target)
        errors = _CrossValidatedGaussian(residuals, schema, "network's error")
        models.append(errors)
        distances = known_mean(np.linalg.norm(residuals, axis=2))
        meaning = "mean distance of label and network, eye distances"
        tests["disagreement"] = OutlierTest.of(meaning, distances)
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
    """Wrong points of a face, the worst first, each found without those before it, at most one more
    than :data:`MAX_MOVED`; and whether the rest of the face is usual.
    """
    moved: list[int] = []
    samples = [model.samples[i].copy() for model in models]
    while len(moved) <= MAX_MOVED:
        ratios = [one.ratios(i, points) for one, points in zip(models, samples, strict=True)]
        residuals = np.max([points for points, _ in ratios], axis=0)
        if residuals.max() < 1:
            return tuple(moved), all(face < 1 for _, face in ratios)
        moved.append(int(residuals.argmax()))
        for points in samples:
            points[moved[-1]] = np.nan
    return tuple(moved), False
