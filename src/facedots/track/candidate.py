"""A face that the network has found in one frame, and whether to believe it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from facedots.geometry import Floats, box_iou, tight_boxes
from facedots.schema import KeypointSchema
from facedots.uncertainty import sigma_of
from facedots.warp import Image

UNSURE_SCORE, LOST_SCORE = 0.9, 0.5
"""Scores of the network below which the detector is asked, and a face given up.

Below a half the network itself thinks it more likely that there is no face, or not there. Measured with ``benchmarks/score.py``
and ``small`` on 488 faces that it was not trained on, below 0.5 and 0.9: good crops 0 and 0 %, of spoilt pictures 0.2 and 0.2 %;
half as large 94 and 98 %, twice as large 95 and 100 %, shifted by 30 to 60 % of the box 50 and 65 %, without a face 100 and
100 %. What is shifted by less, the next crop is centred on.
"""

UNSURE, LOST = 0.045, 0.08
"""The same for a network without a score: doubts, median sigma over the square root of the tight box's area.

Measured with the first ``small`` on 240 faces of both sets: true boxes give up to 0.036 (99 %), boxes beside the face by half
its size 0.13 (median), backgrounds 0.069 or more (99 %). A network without sigma is judged by geometry and detector alone.
"""

AGREE = 0.3
"""Overlap (IoU) of the points' tight box with another box, of the detector or given to the network, that confirms them."""

_SAME_FACE = 0.25
"""Two sets of points nearer than this, on average and in face sizes, are one face found twice."""


@dataclass
class Candidate:
    """A face in this frame that is not yet anybody's.

    Attributes:
        points: ``float32 (K, 2)`` in pixels.
        covariance: ``float32 (K, 2, 2)`` in square pixels.
        confidence: ``float32 (K,)``, see :class:`~facedots.types.Face`.
        box: What the network was given, ``float32 (4,)``.
        schema: What the points mean.
        score: The network's belief in it; NaN where it has none.
        origins: The numbers of the people by whose last points it was found; none where the detector found it.
        detection_score: The detector's belief in it; ``None`` where it has not looked or not seen it.
        strikes: At how many looks in a row the detector has not seen it.
        tight: The tight box around the points.
        size: Square root of the area of that box, in pixels.
        doubt: Median sigma in sizes; NaN where the network gives none.
    """

    points: Floats
    covariance: Floats
    confidence: Floats
    box: Floats
    schema: KeypointSchema
    score: float = math.nan
    origins: frozenset[int] = frozenset()
    detection_score: float | None = None
    strikes: int = 0
    tight: Floats = field(init=False)
    size: float = field(init=False)
    doubt: float = field(init=False)

    def __post_init__(self) -> None:
        self.tight = tight_boxes(self.points[None])[0]
        self.size = max(1e-6, float(np.sqrt(np.prod(self.tight[2:] - self.tight[:2]))))
        self.doubt = float(np.median(self.sigma)) / self.size

    @property
    def sigma(self) -> Floats:
        """``float32 (K,)`` in pixels."""
        return sigma_of(self.covariance)

    @property
    def centre(self) -> Floats:
        """The middle of the tight box ``(2,)``."""
        return np.asarray((self.tight[:2] + self.tight[2:]) / 2, np.float32)

    @property
    def sure(self) -> bool:
        """Whether the network believes in it as it does in most faces; false where it does not say."""
        return self.doubt <= UNSURE if math.isnan(self.score) else self.score >= UNSURE_SCORE

    @property
    def lost(self) -> bool:
        """Whether the network does not believe in it at all; false where it does not say."""
        return self.doubt > LOST if math.isnan(self.score) else self.score < LOST_SCORE

    @property
    def doubtful(self) -> bool:
        """Whether the detector should soon say what it thinks of this face."""
        silent = math.isnan(self.score) and math.isnan(self.doubt)
        return not self.sure and (not silent or self.strikes > 0)

    def plausible(self, image: Image) -> bool:
        """Whether it is not lost, lies where it was looked for, and most of it is in the picture."""
        height, width = image.shape[:2]
        inside = np.clip(self.tight, -0.5, np.array([width, height, width, height]) - 0.5)
        in_picture = np.prod(inside[2:] - inside[:2]) >= 0.5 * self.size**2
        return not self.lost and bool(in_picture) and box_iou([self.tight], [self.box])[0, 0] >= AGREE


def distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates without those that are a face found twice; the one with less doubt stays and takes over the origins."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda one: one.doubt if np.isfinite(one.doubt) else 0.0):
        twin = next((other for other in kept if _distance(candidate, other) <= _SAME_FACE), None)
        if twin is None:
            kept.append(candidate)
        else:
            twin.origins |= candidate.origins
    return kept


def _distance(one: Candidate, other: Candidate) -> float:
    """Mean distance of the points, in sizes of the smaller face."""
    return float(np.linalg.norm(one.points - other.points, axis=1).mean()) / min(one.size, other.size)
