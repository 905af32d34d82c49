"""Pictures of an audit's report: suspicious faces with their labels, and pairs that look the same."""

from collections.abc import Sequence

import cv2
import numpy as np

from facedots.audit.audit import Audit
from facedots.audit.findings import part_pairs, same_bytes, twins_between
from facedots.errors import ImageError
from facedots.geometry import Floats, Matrix, apply_affine, crop_matrix, tight_boxes
from facedots.io.images import read_image
from facedots.regions import FRACTION_BITS, fixed_point
from facedots.schema import KeypointSchema
from facedots.view.keypoints import enlarge
from facedots.warp import Image, warp_image

LABEL, NETWORK, MOVED = (86, 180, 233), (230, 159, 0), (255, 60, 60)
"""RGB of a label's points, of those that the network sees, and of those that seem moved."""

SIDE = 240
"""Pixels of a picture's side."""

Captioned = list[tuple[Image, str]]


def suspect_pictures(audit: Audit, count: int = 50) -> Captioned:
    """The most suspicious faces, the worst first, each as a picture and what is to be said of it."""
    tiles: Captioned = []
    for rank, i in enumerate(audit.ranking[:count], start=1):
        face, kind = audit.faces[i], audit.suspects.kinds[i]
        points = audit.suspects.points[i]
        told = kind or "not out of line"
        if points and not audit.mistakes[i]:
            told += f" ({', '.join(audit.schema.names[k] for k in points[:3])}{', …' if len(points) > 3 else ''})"
        caption = f"{rank}. {audit.part_of[i]}/{face.name}\n{told}; {audit.suspects.scores[i]:.2f} times the limit"
        try:
            image = read_image(face.image, orient=False)
        except ImageError:
            continue
        tiles.append((drawn(image, audit.labels[i], audit.sights.predicted[i], points, audit.schema), caption))
    return tiles


def drawn(image: Image, label: Matrix, predicted: Matrix, moved: Sequence[int], schema: KeypointSchema) -> Image:
    """The square around a label and what the network sees, ``uint8 (SIDE, SIDE, 3)``; points outside the picture show, too.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        label: ``(K, 2)`` in pixels, drawn as blue lines and dots.
        predicted: ``(K, 2)`` in pixels, drawn as orange dots; NaN where there is nothing to draw.
        moved: Points to ring in red.
        schema: Says which points to join.
    """
    known = np.concatenate([label, predicted])
    box = tight_boxes(known[None, np.isfinite(known).all(axis=1)])[0]
    side = 1.25 * max(float((box[2:] - box[:2]).max()), 8.0)
    matrix = crop_matrix((*((box[:2] + box[2:]) / 2), side), SIDE)
    tile = warp_image(image, matrix, (SIDE, SIDE))
    labels, seen = apply_affine(matrix, label), apply_affine(matrix, predicted)
    for first, second in schema.edges:
        if np.isfinite(labels[[first, second]]).all():
            ends = fixed_point(labels[[first, second]])
            cv2.line(tile, ends[0].tolist(), ends[1].tolist(), LABEL, 1, cv2.LINE_AA, FRACTION_BITS)
    _dots(tile, seen, NETWORK, 1.8)
    _dots(tile, labels, LABEL, 2.0)
    for point in labels[[k for k in moved if np.isfinite(labels[k]).all()]]:
        cv2.circle(tile, fixed_point(point).tolist(), 7 << FRACTION_BITS, MOVED, 2, cv2.LINE_AA, FRACTION_BITS)
    return tile


def twin_pictures(audit: Audit, count: int = 12) -> Captioned:
    """Pairs of pictures that look the same, side by side: those across parts first, and of each kind those that differ most."""
    inside = [(part, part) for part in audit.parts]
    found = [twin for pair in part_pairs(audit) for twin in twins_between(audit, *pair)]
    found = sorted(found, key=lambda twin: -twin.bits)
    found += sorted((twin for pair in inside for twin in twins_between(audit, *pair)), key=lambda twin: -twin.bits)
    equal = set(same_bytes(audit))
    tiles: Captioned = []
    for twin in found[:count]:
        first, second = audit.pictures[twin.first], audit.pictures[twin.second]
        try:
            pair = [_fitted(read_image(picture.path, orient=False)) for picture in (first, second)]
        except ImageError:
            continue
        told = "equal files" if (twin.first, twin.second) in equal else f"{twin.bits} bits differ"
        tiles.append((np.hstack(pair), f"{first.part}/{first.path.name}\n{second.part}/{second.path.name}\n{told}"))
    return tiles


def _dots(tile: Image, points: Floats, colour: tuple[int, int, int], radius: float) -> None:
    for point in points[np.isfinite(points).all(axis=1)]:
        cv2.circle(
            tile, fixed_point(point).tolist(), round(radius * (1 << FRACTION_BITS)), colour, -1, cv2.LINE_AA, FRACTION_BITS
        )


def _fitted(image: Image) -> Image:
    """The picture in a black square of 180 px."""
    small = enlarge(image, np.zeros((0, 2)), 180 / max(image.shape[:2]))[0]
    square = np.zeros((180, 180, 3), np.uint8)
    top, left = (180 - small.shape[0]) // 2, (180 - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square
