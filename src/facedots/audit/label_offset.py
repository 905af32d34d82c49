"""The mirror test: do the labels of a data set as a whole lie beside the features that they mean?

A network may have learned to put its points beside the features, too. Once the points that it sees
in the mirror image are brought back, that bias points the other way; so half the difference between
both views is the network's bias, and their mean has none. Labels minus that mean are the labels'
own displacement to the right. Nothing is learned that way of up and down: there it is the
displacement against the labels that the network was trained on, which is all that can be said.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedots.audit.scan import ImageScan
from facedots.evaluation.metrics import norm_distances
from facedots.geometry import Matrix
from facedots.schema import KeypointSchema

CLASSES = 5
"""Classes of faces by size that are told apart, of equally many faces."""


@dataclass(frozen=True)
class SizeClass:
    """The displacement among faces of one size.

    Attributes:
        eye_distance: Median, pixels.
        pixels: Right and down, pixels.
        percent: Right and down, percent of the eye distance.
    """

    eye_distance: float
    pixels: tuple[float, float]
    percent: tuple[float, float]


@dataclass(frozen=True)
class LabelOffset:
    """How far the labels lie beside the features, to the right and down.

    Attributes:
        faces: How many it was measured on.
        pixels: Median over faces of the median over their points, pixels.
        percent: The same in percent of the eye distance.
        error: One standard error of ``pixels``, from the median deviation between faces.
        bias: Half the difference between both views: by how much the network itself puts points too
            far right, pixels.
        nme: What the displacement costs a network that finds the features exactly, NME in percent.
        sizes: The same for classes of faces of like size: constant in pixels speaks for another way
            to count pixels, constant in percent for people or networks that aim beside.
    """

    faces: int
    pixels: tuple[float, float]
    percent: tuple[float, float]
    error: tuple[float, float]
    bias: float
    nme: float
    sizes: tuple[SizeClass, ...]

    @property
    def clear(self) -> bool:
        """The labels are displaced sideways: by more than four standard errors and half a percent
        of the eye distance.
        """
        return abs(self.pixels[0]) > 4 * self.error[0] and abs(self.percent[0]) > 0.5


def label_offset(
    labels: ArrayLike, sights: ImageScan, schema: KeypointSchema
) -> LabelOffset | None:
    """The displacement of labels ``(N, K, 2)``; None where no face was seen by a network.

    Medians throughout, so that some faults do not count.
    """
    truth = np.asarray(labels, np.float64)
    eyes = norm_distances(truth, schema)
    usable = np.isfinite(eyes) & np.isfinite(sights.predicted).all(axis=(1, 2))
    if not usable.any():
        return None
    eyes = eyes[usable]
    faces = np.nanmedian(truth[usable] - sights.predicted[usable], axis=1)
    middle = np.median(faces, axis=0)
    deviation = 1.4826 * np.median(np.abs(faces - middle), axis=0)
    bias = float(np.median((sights.plain - sights.mirrored)[usable][..., 0]) / 2)
    groups = [
        group for group in np.array_split(np.argsort(eyes, kind="stable"), CLASSES) if len(group)
    ]
    return LabelOffset(
        faces=len(faces),
        pixels=_pair(middle),
        percent=_pair(100 * np.median(faces / eyes[:, None], axis=0)),
        error=_pair(
            1.2533 * deviation / np.sqrt(len(faces))
        ),  # of a median: sqrt(pi / 2) times that of a mean
        bias=bias,
        nme=float(100 * np.hypot(*middle) * np.mean(1 / eyes)),
        sizes=tuple(
            SizeClass(
                float(np.median(eyes[group])),
                _pair(np.median(faces[group], axis=0)),
                _pair(100 * np.median(faces[group] / eyes[group, None], axis=0)),
            )
            for group in groups
        ),
    )


def _pair(values: Matrix) -> tuple[float, float]:
    return float(values[0]), float(values[1])
