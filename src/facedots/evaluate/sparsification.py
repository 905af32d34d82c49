"""Whether a predicted uncertainty puts errors into the right order: leave out the least sure ones, and see what remains.

Ilg et al., "Uncertainty Estimates and Multi-Hypotheses Networks for Optical Flow" (ECCV 2018), section 4, made this a measure of
how well an uncertainty puts errors in order; its scale does not matter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedots.evaluate.metrics import Doubles
from facedots.geometry import check_shape

BAD_NME = 8.0
"""A face with an NME above this, in percent, is one that somebody should look at again."""


@dataclass(frozen=True)
class Sparsification:
    """The mean error of what remains when the least sure of N cases are left out one after the other.

    Attributes:
        removed: ``(N,)``, share of the cases left out, in percent, from 0 to just below 100.
        remaining: ``(N,)``, mean error of the others; where several are equally sure, on average over their orders.
        best: ``(N,)``, the same if the largest errors went first: no uncertainty can do better.
        random: Mean error of all: what remains, on average, if cases are left out at random.
    """

    removed: Doubles
    remaining: Doubles
    best: Doubles
    random: float

    @property
    def ause(self) -> float:
        """Area under the sparsification error, in percent of that of leaving out at random: 0 is perfect, 100 is worth nothing.

        The sparsification error is ``remaining - best``. NaN if all errors are the same, since then no order is better.
        """
        worst = float(np.sum(self.random - self.best))
        return 100 * float(np.sum(self.remaining - self.best)) / worst if worst > 1e-9 * len(self.best) * self.random else np.nan


def sparsification(errors: ArrayLike, uncertainty: ArrayLike) -> Sparsification:
    """What remains of errors ``(N,)`` when the cases with the largest uncertainty ``(N,)`` are left out.

    Cases where either is not finite are left out from the start.

    >>> result = sparsification([4, 1, 1], [9, 2, 3])
    >>> result.remaining.tolist(), result.ause
    ([2.0, 1.0, 1.0], 0.0)
    """
    came, said = _pairs(errors, uncertainty)
    order = np.argsort(said, kind="stable")
    came, said = came[order], said[order]
    if not len(came):
        return Sparsification(came, came, came, np.nan)
    _, which, counts = np.unique(said, return_inverse=True, return_counts=True)
    expected = (np.bincount(which, came) / counts)[which]
    left = np.arange(len(came), 0, -1)
    return Sparsification(
        removed=100 * np.arange(len(came)) / len(came),
        remaining=np.cumsum(expected)[::-1] / left,
        best=np.cumsum(np.sort(came))[::-1] / left,
        random=float(came.mean()),
    )


def bad_removed(errors: ArrayLike, uncertainty: ArrayLike, bad: float = BAD_NME, drop: float = 0.1) -> float:
    """The share of bad cases, in percent, that go when the least sure ones are dropped; NaN if none is bad.

    Args:
        errors: ``(N,)``; cases where it or the uncertainty is not finite do not count.
        uncertainty: ``(N,)``.
        bad: Cases with a larger error are bad.
        drop: The share of all cases to drop, rounded to whole cases; of equally sure ones, each as likely as another.

    >>> bad_removed([9, 9, 1, 1, 1, 1, 1, 1, 1, 1], [5, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    50.0
    """
    came, said = _pairs(errors, uncertainty)
    is_bad = came > bad
    count = round(drop * len(said))
    if not is_bad.any() or not count:
        return np.nan
    limit = np.sort(said)[-count]
    surely, maybe = said > limit, said == limit
    chance = (count - surely.sum()) / maybe.sum()
    return float(100 * (is_bad[surely].sum() + chance * is_bad[maybe].sum()) / is_bad.sum())


def _pairs(errors: ArrayLike, uncertainty: ArrayLike) -> tuple[Doubles, Doubles]:
    came = np.asarray(check_shape(errors, "N", "errors"), np.float64)
    said = np.asarray(check_shape(uncertainty, str(len(came)), "uncertainty"), np.float64)
    known = np.isfinite(came) & np.isfinite(said)
    return came[known], said[known]
