"""How well emotions are read from keypoints, on people who had no part in the fit.

    python benchmarks/emotions.py [--data ../shared/data --model small --fit-model small]

Five folds by person; shrinkage and temperature are chosen by five more inside of each, so no face
that counts had a part in any choice. The standard error is over people, by bootstrap.
``tools/fit_emotions.py`` fits what ships by the same functions.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from common import machine, markdown_table, options_with_data, parser_with_data
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import StratifiedGroupKFold

from facedots import IBUG68, Camera, KeypointPredictor, Pipeline, head_pose, read_image
from facedots.analysis import (
    EMOTION_POINTS,
    EMOTIONS,
    MAX_REPROJECTION_ERROR,
    SURE,
    UNSURE,
    frontal,
)
from facedots.geometry import Matrix

LABELS = ("neutral", "happiness", "surprise", "anger", "sadness", "disgust")
"""The words of ``labels.csv`` for :data:`EMOTIONS`; faces with other labels are left out."""

SHRINKAGES = (0.001, 0.003, 0.01, 0.03)
"""How far the covariance may be drawn towards a multiple of the identity."""
TIE = 0.01
"""Balanced accuracies this close are noise, half a standard error over people: then the largest
shrinkage is taken, whose weights are the smallest and carry farthest beyond the faces of the fit.
"""

FOLDS = 5

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class LabeledEmotions:
    """Frontal points of faces, what emotion a person saw in them, and whose they are.

    Attributes:
        points: ``float64 (N, 51, 2)``: :data:`EMOTION_POINTS`, in outer-eye distances; NaN where no
            face was found, or its points make no head.
        emotions: ``int64 (N,)``, indices of :data:`EMOTIONS`.
        people: N names.
    """

    points: Matrix
    emotions: Indices
    people: NDArray[np.str_]

    @property
    def known(self) -> NDArray[np.bool_]:
        """``(N,)``: whether a face was found whose points make a head."""
        return np.asarray(np.isfinite(self.points).all(axis=(1, 2)))

    def rows(self, rows: Indices | NDArray[np.bool_]) -> "LabeledEmotions":
        """Some of the faces."""
        return LabeledEmotions(self.points[rows], self.emotions[rows], self.people[rows])

    def folds(self, seed: int) -> Iterator[tuple[Indices, Indices]]:
        """Rows to fit and rows to test, with no person in both."""
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        yield from folds.split(self.points, self.emotions, self.people)


def read_faces(data: Path, model: str) -> LabeledEmotions:
    """The faces of ``data/expressions`` with the points that a network finds."""
    pipeline = Pipeline(predictor=KeypointPredictor(model))
    folder = data / "expressions"
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["emotion"] in LABELS]
    points = np.full((len(rows), len(EMOTION_POINTS), 2), np.nan)
    for i, row in enumerate(rows):
        image = read_image(folder / row["image"], orient=False)
        camera = Camera.guess((image.shape[0], image.shape[1]))
        for face in pipeline(image)[:1]:
            pose = head_pose(face.points, camera)
            if pose.reprojection_error <= MAX_REPROJECTION_ERROR:
                points[i] = frontal(face.points, pose, camera)[EMOTION_POINTS]
    emotions = np.array([LABELS.index(row["emotion"]) for row in rows])
    return LabeledEmotions(points, emotions, np.array([row["person"] for row in rows]))


def mirrored(points: Matrix) -> Matrix:
    """The points ``(N, 51, 2)`` of the mirror images."""
    flip = np.array(IBUG68.flip)[EMOTION_POINTS] - EMOTION_POINTS[0]
    return points[:, flip] * (-1, 1)


def fit(faces: LabeledEmotions, shrinkage: float) -> LinearDiscriminantAnalysis:
    """Discriminants of the faces and their mirror images; each emotion is equally likely."""
    points = np.concatenate([faces.points, mirrored(faces.points)])
    priors = np.full(len(EMOTIONS), 1 / len(EMOTIONS))
    fitted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors)
    return fitted.fit(points.reshape(len(points), -1), np.tile(faces.emotions, 2))


def scores(fitted: LinearDiscriminantAnalysis, faces: LabeledEmotions) -> Matrix:
    """The log-odds ``(N, 6)`` of the emotions, before the temperature."""
    return np.asarray(fitted.decision_function(faces.points.reshape(len(faces.points), -1)))


def choose(faces: LabeledEmotions) -> tuple[float, float]:
    """The largest shrinkage with about the best balanced accuracy in folds of these faces
    (:data:`TIE`), and the temperature at which the mean confidence equals the share that is right.
    """
    tried = list[tuple[float, float, float]]()
    for shrinkage in SHRINKAGES:
        held_out = np.zeros((len(faces.points), len(EMOTIONS)))
        for train, test in faces.folds(seed=1):
            held_out[test] = scores(fit(faces.rows(train), shrinkage), faces.rows(test))
        found = held_out.argmax(axis=1)
        right = float((found == faces.emotions).mean())
        temperature = brentq(over_confidence, 0.1, 10, args=(held_out, right))
        accuracy = float(balanced_accuracy_score(faces.emotions, found))
        tried.append((shrinkage, accuracy, float(temperature)))
    best = max(accuracy for _, accuracy, _ in tried)
    shrinkage, _, temperature = max(row for row in tried if row[1] >= best - TIE)
    return shrinkage, temperature


def over_confidence(temperature: float, log_odds: Matrix, right: float) -> float:
    """By how much the mean confidence is above the share that is right."""
    return float(softmax(log_odds / temperature, axis=1).max(axis=1).mean() - right)


def cross_validated(fitted_on: LabeledEmotions, faces: LabeledEmotions) -> Matrix:
    """The probabilities ``(N, 6)`` of the emotions, each face by a fit to other people; the points
    of the fit may come from another network than those of the faces.
    """
    probabilities = np.zeros((len(faces.points), len(EMOTIONS)))
    for train, test in faces.folds(seed=0):
        shrinkage, temperature = choose(fitted_on.rows(train))
        fitted = fit(fitted_on.rows(train), shrinkage)
        probabilities[test] = softmax(scores(fitted, faces.rows(test)) / temperature, axis=1)
    return probabilities


def calibration_error(probabilities: Matrix, truth: Indices, weights: Matrix) -> float:
    """Expected calibration error of the most probable emotion, over ten bins of its probability,
    of faces that count by their weights ``(N,)``.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = np.bincount(bins, weights * (confidence - right))
    return float(np.abs(gaps).sum() / weights.sum())


def standard_error(found: Indices, faces: LabeledEmotions, draws: int = 500) -> float:
    """That of the balanced accuracy, from drawing people with replacement."""
    rng = np.random.default_rng(0)
    _, person = np.unique(faces.people, return_inverse=True)
    count, values = person.max() + 1, list[float]()
    for _ in range(draws):
        weights = np.bincount(rng.integers(count, size=count), minlength=count)[person]
        values.append(balanced_accuracy_score(faces.emotions, found, sample_weight=weights))
    return float(np.std(values))


def summary(probabilities: Matrix, faces: LabeledEmotions, count: int) -> list[str]:
    """A row of numbers on the faces of the first ``count`` emotions, the others ruled out."""
    chosen = faces.emotions < count
    faces, likely = faces.rows(chosen), probabilities[chosen, :count]
    likely = likely / likely.sum(axis=1, keepdims=True)
    found, sure = likely.argmax(axis=1), likely.max(axis=1) >= SURE
    truth = faces.emotions
    accuracy, right = balanced_accuracy_score(truth, found), found == truth
    return [
        ", ".join(EMOTIONS[:count]),
        f"{len(truth)}",
        f"{accuracy:.3f} ± {standard_error(found, faces):.3f}",
        f"{right.mean():.3f}",
        f"{calibration_error(likely, truth, np.ones(len(truth))):.3f}",
        f"{calibration_error(likely, truth, 1 / np.bincount(truth)[truth]):.3f}",
        f"{1 - sure.mean():.0%}",
        f"{balanced_accuracy_score(truth[sure], found[sure]):.3f}",
    ]


def main() -> None:
    """Measure and print Markdown."""
    parser = parser_with_data(__doc__)
    parser.add_argument("--model", default="small", help="finds the points that are read")
    parser.add_argument("--fit-model", default="small", help="finds those of the fit")
    options = options_with_data(parser)
    cv2.setNumThreads(1)
    faces = read_faces(options.data, options.model)
    fitted_on = faces
    if options.fit_model != options.model:
        fitted_on = read_faces(options.data, options.fit_model)
    known = faces.known & fitted_on.known
    faces, fitted_on = faces.rows(known), fitted_on.rows(known)
    print(
        f"{options.model}, fitted to points of {options.fit_model}: {len(faces.points)} faces of "
        f"{len(np.unique(faces.people))} people, {(~known).sum()} more not found; "
        f"{machine()}\n"
    )
    probabilities = cross_validated(fitted_on, faces)
    head = ["emotions", "faces", "balanced accuracy", "accuracy", "ECE", "ECE, each emotion equal"]
    head += [UNSURE, "balanced accuracy of the others"]
    print(markdown_table(head, [summary(probabilities, faces, count) for count in (4, 6)]))
    found = np.where(probabilities.max(axis=1) >= SURE, probabilities.argmax(axis=1), len(EMOTIONS))
    names = [*EMOTIONS, UNSURE]
    table = confusion_matrix(faces.emotions, found, labels=range(len(names)))[:-1]
    rows = [
        [name, *(f"{value}" for value in row)] for name, row in zip(EMOTIONS, table, strict=True)
    ]
    print("\n" + markdown_table(["labeled \\ found", *names], rows))


if __name__ == "__main__":
    main()
