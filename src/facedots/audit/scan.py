"""One pass over the images: size, brightness, perceptual hash, predictions (plain and mirrored)."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.annotations.base import FaceAnnotation
from facedots.audit.image_files import ImageFile, load_image_file
from facedots.errors import ImageError
from facedots.geometry import Floats, Image, Matrix, tight_boxes
from facedots.schema import KeypointSchema
from facedots.spec import Predictor


@dataclass(frozen=True)
class ImageScan:
    """Measurements of N annotated faces, in their order.

    Attributes:
        images: Each image file once; the error where it cannot be read.
        sizes: ``float64 (N, 2)``, width and height of the image; NaN if unreadable.
        brightness: ``float64 (N,)``, mean gray level of the face in [0, 255]; NaN if unreadable.
        plain: ``float64 (N, K, 2)``, predicted points, pixels; NaN without predictor, image or box.
        mirrored: ``float64 (N, K, 2)``, points predicted in the mirror image, mirrored back.
    """

    images: Mapping[Path, ImageFile | ImageError]
    sizes: Matrix
    brightness: Matrix
    plain: Matrix
    mirrored: Matrix

    @property
    def predicted(self) -> Matrix:
        """Mean ``(N, K, 2)`` of both predictions, in which a sideways bias cancels out."""
        return (self.plain + self.mirrored) / 2

    @property
    def has_prediction(self) -> NDArray[np.bool_]:
        """Faces with a prediction of all points, ``bool (N,)``."""
        mask: NDArray[np.bool_] = np.isfinite(self.predicted.sum(axis=(1, 2)))
        return mask


def scan_images(
    faces: Sequence[FaceAnnotation],
    schema: KeypointSchema,
    predictor: Predictor | None = None,
    threads: int | None = None,
) -> ImageScan:
    """Read each image once and measure its faces; an image that cannot be read leaves NaN.

    Args:
        faces: N faces.
        schema: Schema of the faces' points and of the predictor.
        predictor: Predicts in each face's tight box, plain and mirrored.
        threads: Images at a time; by default one per processor, at most 8.
    """
    sizes, brightness = np.full((len(faces), 2), np.nan), np.full(len(faces), np.nan)
    plain, mirrored = np.full((2, len(faces), schema.count, 2), np.nan)
    by_image: defaultdict[Path, list[int]] = defaultdict(list)
    for i, face in enumerate(faces):
        by_image[face.image].append(i)

    def scan(path: Path) -> ImageFile | ImageError:
        try:
            file, image = load_image_file(path)
        except ImageError as error:
            return error
        for i in by_image[path]:
            points = faces[i].points
            sizes[i] = file.width, file.height
            brightness[i] = _brightness(image, points)
            if predictor and _has_box(points):
                plain[i], mirrored[i] = predict_with_flip(image, points, schema, predictor)
        return file

    with ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1)) as pool:
        images = dict(zip(by_image, pool.map(scan, by_image), strict=True))
    return ImageScan(images, sizes, brightness, plain, mirrored)


def predict_with_flip(
    image: Image, points: Floats, schema: KeypointSchema, predictor: Predictor
) -> tuple[Matrix, Matrix]:
    """Predict a face in the image and in its mirror image, both as ``(K, 2)`` in image pixels.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        points: Label ``(K, 2)``; only its tight box is used.
        schema: Schema of the points and of the predictor.
        predictor: Predicts the points.
    """
    last = image.shape[1] - 1
    box = tight_boxes(points[None])
    flipped_box = np.abs((last, 0, last, 0) - box[:, [2, 1, 0, 3]])
    flipped_image = np.ascontiguousarray(image[:, ::-1])
    plain = predictor.predict(image, box).points[0].astype(np.float64)
    flipped = predictor.predict(flipped_image, flipped_box).points[0]
    mirrored = flipped[list(schema.flip)].astype(np.float64)
    mirrored[:, 0] = last - mirrored[:, 0]
    return plain, mirrored


def _has_box(points: Floats) -> bool:
    """The labeled ones of the points (K, 2) span an area."""
    labeled = points[np.isfinite(points).all(axis=1)]
    return len(labeled) > 1 and bool((np.ptp(labeled, axis=0) > 0).all())


def _brightness(image: Image, points: Floats) -> float:
    """Mean gray level within the points' box, or of the whole image if the box lies outside."""
    region = image
    if _has_box(points):
        x0, y0, x1, y1 = np.round(tight_boxes(points[None])[0]).astype(int)
        crop = image[max(0, y0) : max(0, y1 + 1), max(0, x0) : max(0, x1 + 1)]
        region = crop if crop.size else image
    return float(cv2.cvtColor(np.ascontiguousarray(region), cv2.COLOR_RGB2GRAY).mean())
