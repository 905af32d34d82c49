"""Synthetic blinks: the upper lid of a labeled face is pulled over its eye, in image and labels.

Few people blink in labeled photos, and a network trained on those alone predicts open eyes
(face-api.js#176).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np

from facedots.data.dataset import Randomized, Sample
from facedots.drawing import draw_line
from facedots.geometry import Floats, Image, Matrix
from facedots.schema import KeypointSchema

EYES = ("right_eye", "left_eye")


class Lid(NamedTuple):
    """How a closing eye looks.

    Attributes:
        height: Of the skin above the lid's edge that is stretched over the eye, in eye widths.
        squeezed: The eye is squeezed below the lid, not covered.
        lash: Opacity of a dark line along the lid's edge.
    """

    height: float = 0.4
    squeezed: bool = False
    lash: float = 0.0


PLAIN_LID = Lid()


@dataclass
class CloseEyes(Randomized):
    """Close the eyes of some faces, with probability ``p``: most of these completely, one in ten on
    one side only. Pupils under a lid are unknown.

    Works on schemas whose regions ``right_eye`` and ``left_eye`` have six points each, as those of
    :func:`close_eye`; samples of other schemas are not changed.

    Example:
        >>> from facedots.data.synthetic import draw_face
        >>> from facedots.schema import IBUG68
        >>> image, points = draw_face(np.random.default_rng(0))
        >>> close = CloseEyes(IBUG68, p=1.0, generator=np.random.default_rng(1))
        >>> blink = close({"image": image, "keypoints": points})
        >>> np.abs(blink["keypoints"] - points).max(axis=1).nonzero()[0].tolist()
        [37, 38, 43, 44]
    """

    schema: KeypointSchema = field(repr=False)
    p: float = 0.1

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample, its eyes closed or not."""
        if self.generator.random() >= self.p:
            return dict(sample)
        random = self.generator
        squeezed = random.random() < 0.3
        closing = min(0.95 if squeezed else 1.0, random.uniform(0.3, 2.6))
        lid = Lid(random.uniform(0.3, 0.55), squeezed, max(0.0, random.uniform(-0.6, 0.7)))
        shut = EYES if random.random() < 0.9 else (EYES[int(random.integers(2))],)
        image, points = sample["image"], sample["keypoints"]
        pupils = np.array(sample.get("pupils", np.full((2, 2), np.nan)), np.float32)
        for name in shut:
            eye = self.schema.regions.get(name, ())
            if len(eye) == 6 and np.isfinite(points[list(eye)]).all():
                image, points = close_eye(image, points, eye, closing, lid)
                if closing > 0.5:
                    pupils[EYES.index(name)] = np.nan
        moved = {"pupils": pupils} if "pupils" in sample else {}
        return {**sample, **moved, "image": image, "keypoints": points}


def close_eye(
    image: Image, points: Floats, eye: Sequence[int], closing: float, lid: Lid = PLAIN_LID
) -> tuple[Image, Floats]:
    """Copies of an image ``uint8 (H, W, C)`` and its points ``(K, 2)`` with one eye closed.

    Args:
        image: The image.
        points: In its pixels.
        eye: Six indices: a corner, two of the upper lid, the other corner, two of the lower lid.
        closing: 0 unchanged, 1 shut.
        lid: How it looks.
    """
    lids = points.copy()
    for upper, lower in ((eye[1], eye[5]), (eye[2], eye[4])):
        lids[upper] += np.float32(closing) * (points[lower] - points[upper])
    outline = points[list(eye)].astype(np.float64)
    width = np.linalg.norm(outline[3] - outline[0])
    low = np.floor(outline.min(axis=0) - lid.height * width - 2).astype(int).clip(0)
    high = np.ceil(outline.max(axis=0) + 2).astype(int).clip(None, image.shape[1::-1])
    if width < 2 or (high <= low).any():
        return image, lids
    pixels = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    source = lid_source(np.stack(pixels, axis=-1).astype(np.float64), outline, closing, lid)
    x, y = np.moveaxis(source.astype(np.float32), -1, 0)
    patch = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    closed = image.copy()
    closed[low[1] : high[1], low[0] : high[0]] = patch.reshape(*patch.shape[:2], *image.shape[2:])
    if lid.lash > 0:
        _draw_lash(closed, lids[list(eye[:4])], lid.lash)
    return closed, lids


def _draw_lash(image: Image, edge: Floats, opacity: float) -> None:
    """Darken a line along the lid's edge ``(4, 2)``."""
    width = float(np.linalg.norm(edge[3] - edge[0]))
    x, y = edge.mean(axis=0).round().astype(int).clip(0, np.array(image.shape[1::-1]) - 1)
    color = (image[y, x] * (1 - opacity)).tolist()
    draw_line(image, edge, color, max(1, round(width / 14)))


def lid_source(pixels: Matrix, eye: Matrix, closing: float, lid: Lid = PLAIN_LID) -> Matrix:
    """The source ``(..., 2)`` of each pixel in a warp that closes the open eye ``(6, 2)``: pixels
    above the lid's new edge show the skin above the old one, stretched; those below it show what
    was there, or all of the eye, squeezed.
    """
    corner, across = eye[0], eye[3] - eye[0]
    width = np.linalg.norm(across)
    along = across / width
    down = np.array([-along[1], along[0]])
    # The lower lid is down, also in an image that stands on its head.
    down *= np.sign((eye[4:].mean(axis=0) - eye[1:3].mean(axis=0)) @ down) or 1.0
    # In eye widths from the corner: x along the eye, y down.
    axes = np.stack([along, down], axis=1) / width
    (x, y), lids = np.moveaxis((pixels - corner) @ axes, -1, 0), (eye - corner) @ axes

    def edge_y(first: int, second: int) -> Matrix:
        knots = np.maximum.accumulate([0.0, lids[first, 0], lids[second, 0], 1.0])
        return np.interp(x, knots, [0.0, lids[first, 1], lids[second, 1], 0.0])

    upper, lower = edge_y(1, 2), edge_y(5, 4)
    edge = upper + closing * np.maximum(lower - upper, 0)
    top = upper - lid.height
    covered = (x > 0) & (x < 1) & (y > top) & (y < edge)
    stretched = top + (y - top) * lid.height / (edge - top)
    lift = np.where(covered, stretched - y, 0.0)
    if lid.squeezed:
        inside = (x > 0) & (x < 1) & (y >= edge) & (y < lower)
        whole = upper + (y - edge) * (lower - upper) / np.maximum(lower - edge, 1e-6)
        lift = np.where(inside, whole - y, lift)
    return pixels + lift[..., None] * (down * width)
