"""Eyes drawn shut: the upper lid of a labeled face is pulled down over its eye, in the image and in
the labels.

Few people blink in labeled photos, so a network that has seen only those leaves eyes open
(face-api.js#176).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.data.dataset import Sample
from facedots.geometry import Floats, Image
from facedots.schema import KeypointSchema

EYES = ("right_eye", "left_eye")
LID = 0.4
"""Height of the skin above the lid's edge that is stretched over the eye, in eye widths."""


@dataclass
class CloseEyes:
    """Closes both eyes of some faces, half of these wholly.

    Works on schemas whose regions ``right_eye`` and ``left_eye`` hold six points: a corner, two of
    the upper lid, the other corner, two of the lower; others pass through.

    Attributes:
        schema: Says which points are lids.
        p: How many faces, in [0, 1].
        generator: Source of the randomness.
    """

    schema: KeypointSchema = field(repr=False)
    p: float = 0.1
    generator: np.random.Generator = field(
        default_factory=np.random.default_rng, repr=False, kw_only=True
    )

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample, its eyes closed or not."""
        if self.generator.random() >= self.p:
            return dict(sample)
        closing = min(1.0, float(self.generator.uniform(0.2, 1.8)))
        image, points = sample["image"], sample["keypoints"]
        for name in EYES:
            eye = self.schema.regions.get(name, ())
            if len(eye) == 6 and np.isfinite(points[list(eye)]).all():
                image, points = close_eye(image, points, eye, closing)
        return {**sample, "image": image, "keypoints": points}


def close_eye(
    image: Image, points: Floats, eye: Sequence[int], closing: float
) -> tuple[Image, Floats]:
    """One eye closed, in copies of the image and of the points.

    Args:
        image: ``uint8 (H, W, C)``.
        points: ``(K, 2)`` in its pixels.
        eye: Indices of a corner, two of the upper lid, the other corner, two of the lower lid, in
            turn.
        closing: 0 as it is, 1 shut.
    """
    moved = points.copy()
    for upper, lower in ((eye[1], eye[5]), (eye[2], eye[4])):
        moved[upper] += np.float32(closing) * (points[lower] - points[upper])
    shape = points[list(eye)].astype(np.float64)
    width = float(np.linalg.norm(shape[3] - shape[0]))
    low = np.floor(shape.min(axis=0) - LID * width - 2).astype(int).clip(0)
    high = np.ceil(shape.max(axis=0) + 2).astype(int).clip(None, (image.shape[1], image.shape[0]))
    if width < 2 or (high <= low).any():
        return image, moved
    columns, rows = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    places = read_places(
        np.stack([columns, rows], axis=-1).astype(np.float64), shape, closing
    ).astype(np.float32)
    patch = cv2.remap(
        image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    closed = image.copy()
    closed[low[1] : high[1], low[0] : high[0]] = patch.reshape(*patch.shape[:2], *image.shape[2:])
    return closed, moved


def read_places(
    places: NDArray[np.float64], eye: NDArray[np.float64], closing: float
) -> NDArray[np.float64]:
    """Where to read an image with an open eye so that it shows the eye closed.

    Args:
        places: ``(…, 2)``, where it would be read otherwise.
        eye: ``(6, 2)``, the open eye's points.
        closing: 0 as it is, 1 shut.

    Returns:
        ``(…, 2)``; places above the new edge of the lid read the skin above the old one, stretched.
    """
    corner, across = eye[0], eye[3] - eye[0]
    width = np.linalg.norm(across)
    along = across / width
    down = np.array([-along[1], along[0]])
    # The lower lid is down, also in an image that stands on its head.
    down *= np.sign((eye[4:].mean(axis=0) - eye[1:3].mean(axis=0)) @ down) or 1.0
    frame = np.stack([along, down], axis=1) / width
    at, lids = (places - corner) @ frame, (eye - corner) @ frame
    x, y = at[..., 0], at[..., 1]
    upper = np.interp(
        x,
        np.maximum.accumulate([0.0, lids[1, 0], lids[2, 0], 1.0]),
        [0.0, lids[1, 1], lids[2, 1], 0.0],
    )
    lower = np.interp(
        x,
        np.maximum.accumulate([0.0, lids[5, 0], lids[4, 0], 1.0]),
        [0.0, lids[5, 1], lids[4, 1], 0.0],
    )
    edge = upper + closing * np.maximum(lower - upper, 0)
    top = upper - LID
    covered = (x > 0) & (x < 1) & (y > top) & (y < edge)
    stretched = top + (y - top) * LID / (edge - top)
    lift: NDArray[np.float64] = np.where(covered, stretched - y, 0.0)[..., None] * (down * width)
    return places + lift
