"""A rule of thumb from expression signals to a word for the face. It sees the shape of a face, not what a person feels."""

from collections.abc import Mapping
from dataclasses import dataclass

EMOTIONS = ("neutral", "happy", "surprised", "frowning")
"""What the rule can say. ``frowning`` is no more than low brows: anger, thought, sun in the eyes, or a low brow at rest."""

SMILE = (0.07, 0.13)
GAPE = (0.08, 0.20)
RAISED = (0.01, 0.05)
LOWERED = (0.03, 0.07)
"""Each signal in outer-eye distances: where its score begins, and where it is 1."""


@dataclass(frozen=True)
class EmotionGuess:
    """What a rule of thumb makes of the signals of one face.

    Attributes:
        name: The word with the highest score.
        scores: Word -> score in [0, 1]; how far its signs show, not a probability, and the scores have no fixed sum.
    """

    name: str
    scores: Mapping[str, float]


def guess_emotion(signals: Mapping[str, float]) -> EmotionGuess:
    """Neutral, happy, surprised or frowning, by fixed rules from the signals of :func:`~facedots.apps.expression.expression`.

    happy
        as far as ``smile`` shows;
    surprised
        as far as ``mouth_open`` and ``brow_raise`` both show, and less the more the face smiles;
    frowning
        as far as ``frown`` shows, and less the more the face smiles, since laughing eyes pull the brows down;
    neutral
        as far as none of them does.

    This is a heuristic: rules and limits were set by hand while looking at faces, without a data set of labelled emotions, and a
    face at rest may look like any of the words. Do not decide about people by it. A missing signal (NaN) does not show.

    >>> guess_emotion({"smile": 0.2, "mouth_open": 0.1, "brow_raise": 0.0, "frown": 0.0}).name
    'happy'
    """
    smile, gape = _ramp(signals["smile"], SMILE), _ramp(signals["mouth_open"], GAPE)
    raised, lowered = _ramp(signals["brow_raise"], RAISED), _ramp(signals["frown"], LOWERED)
    happy, surprised, frowning = smile, min(gape, raised) * (1 - smile), lowered * (1 - smile)
    neutral = 1 - max(happy, surprised, frowning)
    scores = dict(zip(EMOTIONS, (neutral, happy, surprised, frowning), strict=True))
    return EmotionGuess(max(scores, key=scores.__getitem__), scores)


def _ramp(value: float, limits: tuple[float, float]) -> float:
    """0 up to the first limit, 1 from the second one on; NaN gives 0.

    >>> _ramp(3, (2, 4)), _ramp(float("nan"), (2, 4))
    (0.5, 0.0)
    """
    begins, full = limits
    return min(max(0.0, (value - begins) / (full - begins)), 1.0)
