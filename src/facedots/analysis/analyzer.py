"""All that is measured of a face, and the columns of it in tables."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facedots.analysis.emotion import EMOTIONS, emotion_probabilities, guess_emotion
from facedots.analysis.expression import SIGNALS, expression_signals
from facedots.analysis.gaze import eye_gaze, is_hidden
from facedots.analysis.pose import Camera, frontal, head_pose
from facedots.errors import PointsError
from facedots.geometry import Image, Matrix
from facedots.inference.predictor import KeypointPredictor
from facedots.io.results import FaceColumns
from facedots.schema import IBUG68
from facedots.types import Face, check_image


class FaceAnalyzer:
    """Adds head pose, expression signals, emotions and gaze to faces.

    Args:
        camera: What takes the images; guessed from each image's size if not given.

    Attributes:
        signals: Names of the signals, :data:`SIGNALS`.

    Example:
        >>> face = FaceAnalyzer()(image, Pipeline()(image))[0]  # doctest: +SKIP
        >>> face.pose.yaw, face.signals["smile"]  # doctest: +SKIP
    """

    signals = SIGNALS

    def __init__(self, camera: Camera | None = None) -> None:
        self._camera = camera

    def __call__(self, image: Image, faces: Sequence[Face]) -> list[Face]:
        """The faces of IBUG68 with ``pose``, ``signals``, ``emotions`` and, where the network finds
        pupils, ``gaze``; one with too few points stays as it is. Signals of regions that are mostly
        hidden are NaN, and emotions are read from the others. Of the RGB image ``uint8 (H, W, 3)``
        only the size matters.

        Raises:
            ShapeError: The image or the points have another shape.
        """
        height, width = check_image(image).shape[:2]
        camera = self._camera or Camera.guess((height, width))
        result = list(faces)
        for i, face in enumerate(faces):
            with contextlib.suppress(PointsError):
                pose = head_pose(face.points, camera)
                shape = _seen(frontal(face.points, pose, camera), face)
                signals, emotions = expression_signals(shape), emotion_probabilities(shape, pose)
                measured = replace(face, pose=pose, signals=signals, emotions=emotions)
                result[i] = replace(measured, gaze=eye_gaze(measured, camera))
        return result


def _seen(shape: Matrix, face: Face) -> Matrix:
    """The points ``(68, 2)``, NaN in regions that are mostly hidden: what is there was guessed."""
    seen = shape.copy()
    for name, points in IBUG68.regions.items():
        if is_hidden(face, name):
            seen[list(points)] = np.nan
    return seen


def face_columns(predictor: KeypointPredictor, *, analyzed: bool = False) -> FaceColumns:
    """The columns of what a network predicts and, where ``analyzed``, of what
    :class:`FaceAnalyzer` adds; ``dataclasses.replace`` chooses among them.

    Example:
        >>> face_columns(KeypointPredictor("tiny"), analyzed=True).names[-3:]
        ['emotion_disgusted', 'emotion_guess', 'source']
    """
    columns = FaceColumns(
        predictor.spec.schema,
        visibility=predictor.predicts_visibility,
        pupils=predictor.predicts_pupils,
    )
    if not analyzed:
        return columns
    extra = {"emotion_guess": _guess}
    return replace(columns, pose=True, signals=SIGNALS, emotions=EMOTIONS, extra=extra)


def _guess(face: Face) -> str | None:
    return guess_emotion(face.emotions) if face.emotions else None
