"""Mirror test: the offset of all labels of a data set from the image features.

A predictor may have learned an offset, too. In predictions for the mirror image, mirrored back, it
points the other way: half the difference of both predictions is the predictor's bias, and their
mean has none. Labels minus that mean are the labels' own horizontal offset. The vertical offset is
relative to the labels that the predictor was trained on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.evaluation.metrics import norm_distances
from facedots.geometry import Matrix
from facedots.schema import KeypointSchema

SIZE_CLASSES = 5
"""Number of classes of faces by size, of equally many faces."""


@dataclass(frozen=True)
class SizeClass:
    """The offset among faces of one size.

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
    """Offset of labels from the features, to the right and down.

    Attributes:
        faces: Number of measured faces.
        pixels: Median over faces of the median over their points, pixels.
        percent: The same in percent of the eye distance.
        error: Standard error of ``pixels``, from the median deviation between faces.
        bias: Half the difference of both predictions: the predictor's bias to the right, pixels.
        nme: NME in percent that the offset costs a predictor without error.
        sizes: Offset by class of face size: constant in pixels for another pixel convention,
            constant in percent for a bias of annotators or predictors.
    """

    faces: int
    pixels: tuple[float, float]
    percent: tuple[float, float]
    error: tuple[float, float]
    bias: float
    nme: float
    sizes: tuple[SizeClass, ...]

    @property
    def significant(self) -> bool:
        """Horizontal offset above four standard errors and half a percent of the eye distance."""
        return abs(self.pixels[0]) > 4 * self.error[0] and abs(self.percent[0]) > 0.5


def measure_label_offset(
    labels: ArrayLike, plain: ArrayLike, mirrored: ArrayLike, schema: KeypointSchema
) -> LabelOffset | None:
    """Offset of labels; None without a face that was predicted. Medians make it robust.

    Args:
        labels: ``(N, K, 2)``, pixels.
        plain: ``(N, K, 2)``, predictions in the images, pixels; NaN without one.
        mirrored: ``(N, K, 2)``, predictions in the mirror images, mirrored back.
        schema: Schema of the points.
    """
    truth, one, other = (np.asarray(points, np.float64) for points in (labels, plain, mirrored))
    predicted = (one + other) / 2
    eyes = norm_distances(truth, schema)
    valid = np.isfinite(eyes) & np.isfinite(predicted).all(axis=(1, 2))
    if not valid.any():
        return None
    eyes = eyes[valid]
    offsets = np.nanmedian(truth[valid] - predicted[valid], axis=1)
    relative = offsets / eyes[:, None]
    median = np.median(offsets, axis=0)
    deviation = 1.4826 * np.median(np.abs(offsets - median), axis=0)
    classes = np.array_split(np.argsort(eyes, kind="stable"), SIZE_CLASSES)
    return LabelOffset(
        faces=len(offsets),
        pixels=_pair(median),
        percent=_pair(100 * np.median(relative, axis=0)),
        # The standard error of a median is sqrt(pi / 2) times that of a mean.
        error=_pair(1.2533 * deviation / np.sqrt(len(offsets))),
        bias=float(np.median((one - other)[valid][..., 0]) / 2),
        nme=float(100 * np.hypot(*median) * np.mean(1 / eyes)),
        sizes=tuple(
            _size_class(eyes[members], offsets[members], relative[members])
            for members in classes
            if len(members)
        ),
    )


def _size_class(eyes: Matrix, offsets: Matrix, relative: Matrix) -> SizeClass:
    pixels, percent = np.median(offsets, axis=0), 100 * np.median(relative, axis=0)
    return SizeClass(float(np.median(eyes)), _pair(pixels), _pair(percent))


def _pair(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])
