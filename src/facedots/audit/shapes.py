"""Faces laid over each other: turned, zoomed and shifted, never mirrored, so that only their shapes differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.audit.gaussian import mean_of_known
from facedots.errors import DataError
from facedots.geometry import Matrix, check_shape
from facedots.schema import KeypointSchema

Points = NDArray[np.complex128]
"""Points of the plane as x + iy."""

CANDIDATES = 50
"""So many faces, evenly spread over the data, are tried as the first reference."""


@dataclass(frozen=True)
class Frame:
    """The reference that faces are laid over.

    Attributes:
        reference: ``complex128 (K,)``, x + iy of the median face, in eye distances of a usual face.
    """

    reference: Points

    @classmethod
    def of(cls, points: ArrayLike, schema: KeypointSchema, rounds: int = 5) -> "Frame":
        """The median face of ``(N, K, 2)`` points: generalised Procrustes analysis with a median, so that faults do not count.

        Its unit is the distance of the schema's ``norm_pair`` in the median face. A point that no face has is NaN.

        Raises:
            DataError: No face has the ``norm_pair``.
        """
        faces = _complex(points)
        usable = faces[np.isfinite(faces).sum(axis=1) >= np.isfinite(faces).sum(axis=1).max() - 1]
        chosen = usable[np.unique(np.linspace(0, len(usable) - 1, CANDIDATES).astype(int))]
        filled = np.where(np.isfinite(chosen), chosen, np.nanmean(chosen, axis=1, keepdims=True))
        costs = [
            np.median(np.nanmean(np.abs(_lay(usable, one)[0] - one), axis=1)) / np.abs(one - one.mean()).mean() for one in filled
        ]
        reference = filled[int(np.argmin(costs))]
        for _ in range(rounds):
            laid = _lay(faces, reference)[0]
            labelled = np.isfinite(laid).any(axis=0)
            reference = np.full(faces.shape[1], np.nan + 0j)
            reference[labelled] = np.nanmedian(laid.real[:, labelled], axis=0) + 1j * np.nanmedian(laid.imag[:, labelled], axis=0)
        right, left = schema.norm_pair
        across = reference[left] - reference[right]
        if not abs(across) > 0:
            raise DataError(
                f"no face has the points {schema.names[right]} and {schema.names[left]}, whose distance scales errors"
            )
        return cls((reference - np.nanmean(reference)) / across)

    def lay(self, points: ArrayLike) -> Matrix:
        """The points ``(N, K, 2)`` of faces where they lie once each face is laid over the reference, in eye distances."""
        return _real(_lay(_complex(points), self.reference)[0])

    def turn(self, offsets: ArrayLike, points: ArrayLike) -> Matrix:
        """Offsets ``(N, K, 2)`` in pixels, turned and zoomed like the faces ``points`` that they belong to: in eye distances."""
        return _real(_complex(offsets) * _lay(_complex(points), self.reference)[1][:, None])

    def units(self, points: ArrayLike) -> Matrix:
        """The eye distance ``(N,)`` in pixels that faces ``(N, K, 2)`` of these sizes have from the front.

        It is told by how far the points spread about their mean, whatever their order; a profile's own eye distance is short, and
        would make each of its points look far from its place.
        """
        faces = _complex(points)
        return _spread(faces) / _spread(np.where(np.isfinite(faces), self.reference, np.nan))


def mirror(laid: ArrayLike, schema: KeypointSchema) -> Matrix:
    """The mirror images ``(N, K, 2)`` of faces about the vertical through 0, each point under its new name."""
    return np.asarray(laid, np.float64)[:, list(schema.flip)] * (-1, 1)


def _complex(points: ArrayLike) -> Points:
    given = np.asarray(check_shape(points, "N K 2", "points"), np.float64)
    return np.asarray(given[..., 0] + 1j * given[..., 1])


def _real(points: Points) -> Matrix:
    return np.stack([points.real, points.imag], axis=-1)


def _spread(faces: Points) -> Matrix:
    """Root mean square distance ``(N,)`` of the known points of faces ``(N, K)`` from their mean."""
    middle = mean_of_known(faces.real) + 1j * mean_of_known(faces.imag)
    return np.asarray(np.sqrt(mean_of_known(np.abs(faces - middle[:, None]) ** 2)))


def _lay(faces: Points, reference: Points) -> tuple[Points, Points]:
    """Faces ``(N, K)`` laid over the reference in least squares, and the factor ``(N,)`` that turned and zoomed each.

    With points as complex numbers about their means, the factor is ``sum(conj(z) r) / sum(conj(z) z)``, as in
    :func:`facedots.geometry.fit_similarity`, here for all faces at once.
    """
    known = np.isfinite(faces) & np.isfinite(reference)
    count = known.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(known, faces, 0).sum(axis=1, keepdims=True) / count
        goal = np.where(known, reference, 0).sum(axis=1, keepdims=True) / count
        centred = np.where(known, faces - middle, 0)
        factor = (centred.conj() * np.where(known, reference - goal, 0)).sum(axis=1) / (np.abs(centred) ** 2).sum(axis=1)
        laid = factor[:, None] * (faces - middle) + goal
    return laid, factor
