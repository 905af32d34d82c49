"""One pass over the images: how large and bright they are, what they look like, where a network
sees the points.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.annotations.base import FaceAnnotation
from facedots.errors import ImageError
from facedots.evaluation.protocol import Predictor
from facedots.geometry import Floats, Image, Matrix, tight_boxes
from facedots.io.images import decode_image
from facedots.schema import KeypointSchema

SIDE = 16
"""A look is the signs of so many times so many cosine coefficients."""

_THUMB = 64
_FLAT = 2.0  # gray levels; an image that varies less looks like nothing


@dataclass(frozen=True)
class ImageScan:
    """What was seen of N annotated faces, in their order.

    Attributes:
        digests: N SHA-256 of the files' bytes; ``""`` where a file cannot be read.
        sizes: ``float64 (N, 2)``, width and height of the image; NaN where it cannot be read.
        brightness: ``float64 (N,)``, mean gray level of the face in [0, 255]; NaN where unknown.
        looks: ``bool (N, 256)``, see :func:`look_of`; all false where there is none.
        plain: ``float64 (N, K, 2)``, where the network sees the points, pixels; NaN without
            network, image or box.
        mirrored: ``float64 (N, K, 2)``, the same seen in the mirror image, brought back.
    """

    digests: tuple[str, ...]
    sizes: Matrix
    brightness: Matrix
    looks: NDArray[np.bool_]
    plain: Matrix
    mirrored: Matrix

    @property
    def predicted(self) -> Matrix:
        """The mean ``(N, K, 2)`` of both views, in which a sideways bias of the network cancels
        out.
        """
        return np.asarray((self.plain + self.mirrored) / 2)

    def only(self, chosen: NDArray[np.bool_]) -> "ImageScan":
        """Those of the chosen faces, ``bool (N,)``."""
        digests = tuple(digest for digest, one in zip(self.digests, chosen, strict=True) if one)
        return ImageScan(
            digests,
            self.sizes[chosen],
            self.brightness[chosen],
            self.looks[chosen],
            self.plain[chosen],
            self.mirrored[chosen],
        )


def look(
    faces: Sequence[FaceAnnotation],
    schema: KeypointSchema,
    network: Predictor | None = None,
    threads: int | None = None,
) -> ImageScan:
    """See all faces; an image that cannot be read leaves NaN.

    Args:
        faces: N faces.
        schema: What their points mean; the network's must be the same.
        network: Looks at each face and its mirror image, in the label's box; None to do without.
        threads: Images at a time; by default as many as there are processors, at most 8.
    """
    workers = threads or min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        seen = list(pool.map(lambda face: _look_at(face, schema, network), faces))
    return ImageScan(
        digests=tuple(one.digest for one in seen),
        sizes=np.array([one.size for one in seen], np.float64).reshape(-1, 2),
        brightness=np.array([one.brightness for one in seen]),
        looks=np.array([one.look for one in seen]).reshape(-1, SIDE**2),
        plain=np.array([one.plain for one in seen], np.float64).reshape(-1, schema.count, 2),
        mirrored=np.array([one.mirrored for one in seen], np.float64).reshape(-1, schema.count, 2),
    )


def look_of(image: Image) -> NDArray[np.bool_]:
    """A perceptual hash ``bool (256,)``, all false if the image is flat.

    It says which of the lowest 16 x 16 cosine coefficients of a 64 px gray version are above their
    median, the image's mean
    aside: pHash (Zauner, 2010) with four times its bits, because frames of films are more alike
        than what it was made for.
    """
    small = cv2.resize(
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (_THUMB, _THUMB), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    waves = cv2.dct(small)[:SIDE, :SIDE].ravel()
    waves[0] = np.median(waves[1:])
    flat = float(small.std()) < _FLAT
    return np.asarray(waves > (np.inf if flat else waves[0]))


def see(
    image: Image, points: Floats, schema: KeypointSchema, network: Predictor
) -> tuple[Matrix, Matrix]:
    """Where the network sees the points of a face, and where it sees them in the mirror image, both
    ``(K, 2)`` in pixels.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        points: ``(K, 2)``, the label; only its tight box counts.
        schema: What the points mean.
        network: Whose points mean the same.
    """
    last = image.shape[1] - 1
    box = tight_boxes(points[None])
    plain = network.predict(image, box).points[0]
    turned = network.predict(
        np.ascontiguousarray(image[:, ::-1]), np.abs((last, 0, last, 0) - box[:, [2, 1, 0, 3]])
    ).points[0]
    mirrored = turned[list(schema.flip)].astype(np.float64)
    mirrored[:, 0] = last - mirrored[:, 0]
    return np.asarray(plain, np.float64), mirrored


@dataclass(frozen=True)
class _Seen:
    digest: str
    size: tuple[float, float]
    brightness: float
    look: NDArray[np.bool_]
    plain: Matrix
    mirrored: Matrix


def _look_at(face: FaceAnnotation, schema: KeypointSchema, network: Predictor | None) -> _Seen:
    unknown = np.full((schema.count, 2), np.nan)
    try:
        data = face.image.read_bytes()
        image = decode_image(data, orient=False, source=face.image)
    except (OSError, ImageError):
        return _Seen("", (np.nan, np.nan), np.nan, np.zeros(SIDE**2, bool), unknown, unknown)
    seen = (
        see(image, face.points, schema, network)
        if network and has_box(face.points)
        else (unknown, unknown)
    )
    digest = hashlib.sha256(data).hexdigest()
    return _Seen(
        digest,
        (image.shape[1], image.shape[0]),
        _brightness(image, face.points),
        look_of(image),
        *seen,
    )


def has_box(points: Floats) -> bool:
    """The known ones of the points (K, 2) span an area."""
    known = points[np.isfinite(points).all(axis=1)]
    return len(known) > 1 and bool((np.ptp(known, axis=0) > 0).all())


def _brightness(image: Image, points: Floats) -> float:
    """Mean gray level within the points' box, or of the whole image where that lies outside."""
    height, width = image.shape[:2]
    shown = image
    if has_box(points):
        x0, y0, x1, y1 = np.round(tight_boxes(points[None])[0]).astype(int)
        part = image[
            max(0, y0) : max(0, min(height, y1 + 1)), max(0, x0) : max(0, min(width, x1 + 1))
        ]
        shown = part if part.size else image
    return float(cv2.cvtColor(np.ascontiguousarray(shown), cv2.COLOR_RGB2GRAY).mean())
