"""The figures of an audit's report."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facedots.audit.audit import Audit
from facedots.audit.duplicates import MAX_HAMMING, nearest
from facedots.audit.findings import part_pairs, same_bytes, twins_between
from facedots.audit.scan import look_of
from facedots.drawing import draw_disc, draw_line
from facedots.errors import ImageError
from facedots.geometry import (
    Floats,
    Image,
    Matrix,
    apply_affine,
    crop_matrix,
    tight_boxes,
    warp_image,
)
from facedots.io.images import read_image
from facedots.plots.curves import BLUE, GRAY, GREEN, ORANGE, PINK, new_figure, style_axes
from facedots.plots.draw import enlarge
from facedots.schema import KeypointSchema

SAMPLE = 60
"""So many images are encoded anew, to show what an image's look changes by."""

_COLORS = (BLUE, ORANGE, GREEN, PINK, GRAY)


def looks_figure(audit: Audit) -> Figure:
    """How far the looks of images are apart: of the same image encoded anew, and of each image and
    its nearest other.
    """
    groups = {face.image: face.group or face.name for face in audit.faces}
    named = [groups.get(entry.path, str(entry.path)) for entry in audit.images]
    looks = np.array([entry.look for entry in audit.images])
    curves = {
        "the same image, encoded anew": (reencoded(audit), GREEN),
        "the nearest of the same person or photo": (nearest(looks, named, others=False), BLUE),
        "the nearest of another": (nearest(looks, named, others=True), ORANGE),
    }
    figure, axes = new_figure(6.8, 3.0)
    for name, (bits, color) in curves.items():
        if len(bits):
            weights = np.full(len(bits), 100 / len(bits))
            edges = [float(edge) for edge in range(-1, 132, 4)]
            axes.hist(
                bits,
                edges,
                weights=weights,
                histtype="stepfilled",
                alpha=0.45,
                color=color,
                label=f"{name} ({len(bits)})",
            )
    axes.axvline(MAX_HAMMING + 1, color=GRAY, linestyle="--", linewidth=1)
    axes.set(xlabel="bits of 256 that differ", ylabel="images, %", xlim=(-1, 131))
    axes.legend(frameon=False)
    return figure


def reencoded(audit: Audit) -> NDArray[np.int64]:
    """By how many bits the looks of some images change when they are encoded anew, one number for
    each image and way.
    """
    bits: list[int] = []
    for entry in audit.images[:: max(1, len(audit.images) // SAMPLE)]:
        if not entry.look.any():
            continue
        try:
            image = read_image(entry.path, orient=False)
        except ImageError:
            continue
        bits += [int((look_of(other) != entry.look).sum()) for other in _variants(image)]
    return np.array(bits, np.int64)


def displacement_figure(audit: Audit) -> Figure:
    """Where each face's labels lie beside what the network sees, median over the points, and the
    median over the faces.
    """
    figure, axes = new_figure(4.6, 4.2)
    reach = 1.0
    for (part, found), color in zip(
        audit.displacements.items(), _COLORS * len(audit.displacements), strict=False
    ):
        chosen = audit.in_part(part) & np.isfinite(audit.sights.predicted).all(axis=(1, 2))
        gaps = np.nanmedian(audit.ordered[chosen] - audit.sights.predicted[chosen], axis=1)
        axes.plot(*gaps.T, ".", color=color, markersize=1.5, alpha=0.35, rasterized=True)
        axes.plot(
            *found.pixels, "X", color=color, markersize=11, markeredgecolor="#ffffff", label=part
        )
        reach = max(reach, float(np.nanpercentile(np.abs(gaps), 98)))
    axes.axhline(0, color=GRAY, linewidth=0.8)
    axes.axvline(0, color=GRAY, linewidth=0.8)
    axes.set(
        xlabel="label right of the feature, px", ylabel="label below where the network puts it, px"
    )
    axes.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    axes.legend(frameon=False)
    return figure


def coverage_figure(audit: Audit) -> Figure:
    """A histogram of each measure of coverage, part by part."""
    measures = [measure for measure in audit.coverage if np.isfinite(measure.values).any()]
    figure = Figure(figsize=(7.2, 2.1 * -(-len(measures) // 2) + 0.3), layout="constrained")
    grid = figure.subplots(-(-len(measures) // 2), 2, squeeze=False).ravel()
    for axes in grid[len(measures) :]:
        axes.set_axis_off()
    for axes, measure in zip(grid, measures, strict=False):
        style_axes(axes)
        low, high = np.nanpercentile(measure.values, (0.2, 99.8))
        edges = np.linspace(low, max(high, low + 1), 40)
        for part, color in zip(audit.parts, _COLORS * len(audit.parts), strict=False):
            values = measure.values[audit.in_part(part)]
            values = values[np.isfinite(values)]
            weights = np.full(len(values), 100 / max(1, len(values)))
            axes.hist(
                values,
                edges,
                weights=weights,
                histtype="step",
                color=color,
                linewidth=1.3,
                label=part,
            )
        for edge in measure.edges:
            if edges[0] < edge < edges[-1]:
                axes.axvline(edge, color=GRAY, linewidth=0.6, linestyle=":")
        axes.set(xlabel=measure.name, ylabel="faces, %")
    if len(audit.parts) > 1:
        grid[0].legend(frameon=False)
    return figure


def _variants(image: Image) -> Iterator[Image]:
    """The image as a poor JPEG, at half its size, and brighter."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])
    assert done, "OpenCV encodes any uint8 image as JPEG"
    yield np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    half = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
    yield np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    yield np.asarray(cv2.convertScaleAbs(image, alpha=1.25, beta=10), np.uint8)


LABEL, NETWORK, MOVED = (86, 180, 233), (230, 159, 0), (255, 60, 60)
"""RGB of a label's points, of those that the network sees, and of those that seem moved."""

SIDE = 240
"""Pixels of an image's side."""

Captioned = list[tuple[Image, str]]


def suspect_images(audit: Audit, count: int = 50) -> Captioned:
    """The most suspicious faces, the worst first, each as an image and what is to be said of it."""
    tiles: Captioned = []
    for rank, i in enumerate(audit.ranking[:count], start=1):
        face, kind = audit.faces[i], audit.label_outliers.kinds[i]
        points = audit.label_outliers.points[i]
        told = kind or "not out of line"
        if points and not audit.permutations[i]:
            told += f" ({', '.join(audit.schema.names[k] for k in points[:3])}{', …' if len(points) > 3 else ''})"
        caption = f"{rank}. {audit.part_of[i]}/{face.name}\n{told}; {audit.label_outliers.scores[i]:.2f} times the limit"
        try:
            image = read_image(face.image, orient=False)
        except ImageError:
            continue
        tiles.append(
            (
                drawn(image, audit.labels[i], audit.sights.predicted[i], points, audit.schema),
                caption,
            )
        )
    return tiles


def drawn(
    image: Image, label: Matrix, predicted: Matrix, moved: Sequence[int], schema: KeypointSchema
) -> Image:
    """The square around a label and what the network sees, ``uint8 (SIDE, SIDE, 3)``; points
    outside the image show, too.

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
            draw_line(tile, labels[[first, second]], LABEL)
    _dots(tile, seen, NETWORK, 1.8)
    _dots(tile, labels, LABEL, 2.0)
    for point in labels[[k for k in moved if np.isfinite(labels[k]).all()]]:
        draw_disc(tile, point, 7, MOVED, width=2)
    return tile


def twin_images(audit: Audit, count: int = 12) -> Captioned:
    """Pairs of images that look the same, side by side: those across parts first, and of each kind
    those that differ most.
    """
    inside = [(part, part) for part in audit.parts]
    found = [pair for parts in part_pairs(audit) for pair in twins_between(audit, *parts)]
    found = sorted(found, key=lambda pair: -pair.bits)
    found += sorted(
        (pair for parts in inside for pair in twins_between(audit, *parts)),
        key=lambda pair: -pair.bits,
    )
    equal = set(same_bytes(audit))
    tiles: Captioned = []
    for pair in found[:count]:
        first, second = audit.images[pair.first], audit.images[pair.second]
        try:
            images = [_fitted(read_image(entry.path, orient=False)) for entry in (first, second)]
        except ImageError:
            continue
        told = "equal files" if (pair.first, pair.second) in equal else f"{pair.bits} bits differ"
        tiles.append(
            (
                np.hstack(images),
                f"{first.part}/{first.path.name}\n{second.part}/{second.path.name}\n{told}",
            )
        )
    return tiles


def _dots(tile: Image, points: Floats, color: tuple[int, int, int], radius: float) -> None:
    for point in points[np.isfinite(points).all(axis=1)]:
        draw_disc(tile, point, radius, color)


def _fitted(image: Image) -> Image:
    """The image in a black square of 180 px."""
    small = enlarge(image, np.zeros((0, 2)), 180 / max(image.shape[:2]))[0]
    square = np.zeros((180, 180, 3), np.uint8)
    top, left = (180 - small.shape[0]) // 2, (180 - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square
