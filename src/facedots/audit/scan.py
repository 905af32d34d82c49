"""What the images show: one pass over them, and how sizes, poses and brightness are distributed."""

import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.analysis.pose import Camera, head_pose
from facedots.annotations.base import FaceAnnotation
from facedots.audit.image_files import ImageFile, load_image_file
from facedots.errors import ImageError, PointsError
from facedots.evaluation.metrics import norm_distances
from facedots.geometry import Floats, Image, Matrix, spans_box, tight_boxes
from facedots.io.tar_files import ImagePlace
from facedots.schema import IBUG68, KeypointSchema
from facedots.spec import Predictor

RARE = 0.02
"""Share of the faces below which a class is rare: too few to learn from or to test on."""


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

    images: Mapping[ImagePlace, ImageFile | ImageError]
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
        return np.asarray(np.isfinite(self.predicted.sum(axis=(1, 2))))


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
    by_image: defaultdict[ImagePlace, list[int]] = defaultdict(list)
    for i, face in enumerate(faces):
        by_image[face.image].append(i)

    def scan(path: ImagePlace) -> ImageFile | ImageError:
        try:
            file, image = load_image_file(path)
        except ImageError as error:
            return error
        for i in by_image[path]:
            points = faces[i].points
            sizes[i] = file.width, file.height
            brightness[i] = _brightness(image, points)
            if predictor and spans_box(points):
                plain[i], mirrored[i] = _predict_with_flip(image, points, schema, predictor)
        return file

    with ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1)) as pool:
        images = dict(zip(by_image, pool.map(scan, by_image), strict=True))
    return ImageScan(images, sizes, brightness, plain, mirrored)


def _predict_with_flip(
    image: Image, points: Floats, schema: KeypointSchema, predictor: Predictor
) -> tuple[Matrix, Matrix]:
    """Points ``(K, 2)`` predicted in the tight box of a label, in the image and in its mirror
    image, both in pixels of the image.
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


def _brightness(image: Image, points: Floats) -> float:
    """Mean gray level within the points' box, or of the whole image if the box lies outside."""
    region = image
    if spans_box(points):
        x0, y0, x1, y1 = np.round(tight_boxes(points[None])[0]).astype(int)
        crop = image[max(0, y0) : max(0, y1 + 1), max(0, x0) : max(0, x1 + 1)]
        region = crop if crop.size else image
    return float(cv2.cvtColor(np.ascontiguousarray(region), cv2.COLOR_RGB2GRAY).mean())


@dataclass(frozen=True)
class Measure:
    """A number per face, and classes to count it in."""

    name: str  # with its unit
    values: Matrix  # (N,), NaN unknown
    edges: tuple[float, ...]  # inner ones of the classes; the first and the last class are open

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in words."""
        edges = zip(self.edges, self.edges[1:], strict=False)
        inner = [f"{low:g} to {high:g}" for low, high in edges]
        return (f"below {self.edges[0]:g}", *inner, f"{self.edges[-1]:g} and more")

    def shares(self, mask: NDArray[np.bool_] | None = None) -> Matrix:
        """Share ``(classes,)`` of each class among the (masked) faces; NaN without a value."""
        values = self.values if mask is None else self.values[mask]
        values = values[np.isfinite(values)]
        classes = np.searchsorted(self.edges, values, side="right")
        counts = np.bincount(classes, minlength=len(self.edges) + 1)
        return counts / len(values) if len(values) else np.full(len(counts), np.nan)

    @property
    def rare(self) -> tuple[str, ...]:
        """Classes with less than :data:`RARE` of the faces."""
        shares = zip(self.classes, self.shares(), strict=True)
        return tuple(name for name, share in shares if share < RARE)


def measure_coverage(
    labels: Matrix, sizes: Matrix, brightness: Matrix, schema: KeypointSchema
) -> tuple[Measure, ...]:
    """Eye distance, brightness and, for IBUG68 only, the head's yaw, pitch and roll.

    Args:
        labels: ``(N, K, 2)``, pixels.
        sizes: ``(N, 2)``, width and height of each face's image; NaN unknown.
        brightness: ``(N,)``, gray level of each face.
        schema: Schema of the points.
    """
    measures = [
        Measure("eye distance, px", norm_distances(labels, schema), (16, 32, 64, 128)),
        Measure("brightness of the face, gray level", brightness, (50, 100, 150, 200)),
    ]
    if schema == IBUG68:
        angles = [_angles(face, size) for face, size in zip(labels, sizes, strict=True)]
        yaw, pitch, roll = np.array(angles).reshape(-1, 3).T
        measures += [
            Measure("yaw, degrees", yaw, (-45, -20, 20, 45)),
            Measure("pitch, degrees", pitch, (-30, -15, 15, 30)),
            Measure("roll, degrees", roll, (-30, -15, 15, 30)),
        ]
    return tuple(measures)


def _angles(points: Matrix, size: Matrix) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, through a typical camera; NaN where the pose fit fails."""
    try:
        pose = head_pose(points, Camera.guess((int(size[1]), int(size[0]))))
    except (PointsError, ValueError):
        return math.nan, math.nan, math.nan
    return pose.yaw, pose.pitch, pose.roll
