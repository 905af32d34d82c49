"""What emotion a face shows: probabilities from its keypoints, by linear discriminant analysis."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from facedots.errors import ShapeError
from facedots.geometry import Matrix, check_shape
from facedots.head import HeadPose
from facedots.schema import IBUG68

EMOTIONS = ("neutral", "happy", "surprised", "angry", "sad", "disgusted")
"""The emotions that :func:`emotion_probabilities` tells apart."""

UNSURE = "unsure"
"""What :func:`guess_emotion` says where no emotion reaches :data:`SURE`."""

SURE = 0.5
"""The least probability at which an emotion is named."""

MAX_REPROJECTION_ERROR = 0.15
"""From here on, in eye distances, points make no head, and say nothing about its emotion."""

EMOTION_POINTS = range(17, 68)
"""The points that count: all but the jaw, whose shape says more about people than about moods."""

EMOTION_FILE = Path(__file__).parents[1] / "assets" / "emotions.json"
"""The mean face, the weights, their origin and terms; ``tools/fit_emotions.py`` writes it."""


@cache
def emotion_weights() -> tuple[Matrix, Matrix, Matrix]:
    """The mean face ``(51, 2)`` of :data:`EMOTION_POINTS`, frontal, in outer-eye distances; for
    each of :data:`EMOTIONS` the weights ``(6, 51, 2)`` of the differences from it, and the log-odds
    ``(6,)`` of the mean face.
    """
    stored = json.loads(EMOTION_FILE.read_text("utf-8"))
    mean, weights, bias = (np.array(stored[name]) for name in ("mean", "weights", "bias"))
    return mean, weights, bias


def emotion_probabilities(points: ArrayLike, pose: HeadPose) -> dict[str, float]:
    """The probability of each of :data:`EMOTIONS`, in [0, 1]; their sum is 1.

    The softmax of a weighted sum of how far the frontal points lie from a mean face, fitted to
    faces that people labeled; beforehand, all six are equally likely. A missing point (NaN) counts
    as that of the mean face; beyond :data:`MAX_REPROJECTION_ERROR` of the pose all six stay equally
    likely. docs/reading.md says how often it is right, and what it is not for.

    Args:
        points: ``(68, 2)``, as :func:`~facedots.analysis.pose.frontal` gives them.
        pose: The one that they were made frontal with.

    Raises:
        ShapeError: The points are not (68, 2).
    """
    shape = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    if pose.reprojection_error > MAX_REPROJECTION_ERROR:
        return dict.fromkeys(EMOTIONS, 1 / len(EMOTIONS))
    mean, weights, bias = emotion_weights()
    offsets = np.nan_to_num(shape[EMOTION_POINTS] - mean)
    scores = np.tensordot(weights, offsets, 2) + bias
    powers = np.exp(scores - scores.max())
    return dict(zip(EMOTIONS, (powers / powers.sum()).tolist(), strict=True))


def guess_emotion(emotions: Mapping[str, float]) -> str:
    """The most probable of the emotions, or :data:`UNSURE` where none reaches :data:`SURE`.

    Args:
        emotions: Probability by name, as :func:`emotion_probabilities` gives and
            :attr:`Face.emotions <facedots.types.Face.emotions>` holds.

    Example:
        >>> guess_emotion({"neutral": 0.2, "happy": 0.7, "surprised": 0.1})
        'happy'
        >>> guess_emotion({"neutral": 0.4, "happy": 0.3, "surprised": 0.3})
        'unsure'

    Raises:
        ShapeError: There is no emotion.
    """
    if not emotions:
        raise ShapeError("no emotions: a probability by name is needed")
    name = max(emotions, key=emotions.__getitem__)
    return name if emotions[name] >= SURE else UNSURE
