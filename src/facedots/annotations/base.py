"""Faces with labeled keypoints, whatever file they came from."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedots.errors import AnnotationError, ImageError
from facedots.geometry import Floats, Matrix
from facedots.io.images import read_image

Origin = tuple[float, float]


@dataclass(frozen=True, eq=False)
class FaceAnnotation:
    """One annotated face; two are equal only if they are the same object, since arrays have no
    single answer to ``==``.

    Attributes:
        image: The image's file.
        points: ``float32 (K, 2)``, (x, y) in pixels of the stored image; (0, 0) is the center of
            its top-left pixel. A missing point is NaN.
        name: Identifies the face within its data set, as in ``"training/Luis_Fonsi_21.jpg"``.
        group: What a split must keep on one side: the person or the photo; ``""`` where unknown.
        label_bias_x: How far right of where mirroring would agree the labels sit, in pixels.
        style: Which way of labeling the points follow: the name of their data set; `""` where there
            is but one.
    """

    image: Path
    points: Floats
    name: str
    group: str = ""
    label_bias_x: float = 0.0
    style: str = ""


def check_images(annotations: Iterable[FaceAnnotation]) -> None:
    """Open and decode every image once.

    Raises:
        AnnotationError: With all images that are missing or cannot be decoded.
    """
    faults: list[str] = []
    for path in dict.fromkeys(annotation.image for annotation in annotations):
        try:
            read_image(path, orient=False)
        except ImageError as error:
            faults.append(str(error))
    if faults:
        raise AnnotationError("images", faults)


def _pixels(points: Matrix, origin: Origin) -> Floats:
    """The file's coordinates as pixels whose (0, 0) is the center of the top-left pixel."""
    return np.asarray(points - np.asarray(origin), np.float32)
