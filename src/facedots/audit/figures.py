"""The figures of an audit's report."""

from collections.abc import Iterator

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facedots.audit.audit import Audit
from facedots.audit.sights import look_of
from facedots.audit.twins import ALIKE, nearest
from facedots.errors import ImageError
from facedots.io.images import read_image
from facedots.view.curves import BLUE, GREEN, GREY, ORANGE, PINK, new_figure, tidy
from facedots.warp import Image

SAMPLE = 60
"""So many pictures are encoded anew, to show what a picture's look changes by."""

_COLOURS = (BLUE, ORANGE, GREEN, PINK, GREY)


def looks_figure(audit: Audit) -> Figure:
    """How far the looks of pictures are apart: of the same picture encoded anew, and of each picture and its nearest other."""
    groups = {face.image: face.group or face.name for face in audit.faces}
    named = [groups.get(picture.path, str(picture.path)) for picture in audit.pictures]
    looks = np.array([picture.look for picture in audit.pictures])
    curves = {
        "the same picture, encoded anew": (reencoded(audit), GREEN),
        "the nearest of the same person or photo": (nearest(looks, named, others=False), BLUE),
        "the nearest of another": (nearest(looks, named, others=True), ORANGE),
    }
    figure, axes = new_figure(6.8, 3.0)
    for name, (bits, colour) in curves.items():
        if len(bits):
            weights = np.full(len(bits), 100 / len(bits))
            edges = [float(edge) for edge in range(-1, 132, 4)]
            axes.hist(
                bits, edges, weights=weights, histtype="stepfilled", alpha=0.45, color=colour, label=f"{name} ({len(bits)})"
            )
    axes.axvline(ALIKE + 1, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlabel="bits of 256 that differ", ylabel="pictures, %", xlim=(-1, 131))
    axes.legend(frameon=False)
    return figure


def reencoded(audit: Audit) -> NDArray[np.int64]:
    """By how many bits the looks of some pictures change when they are encoded anew, one number for each picture and way."""
    bits: list[int] = []
    for picture in audit.pictures[:: max(1, len(audit.pictures) // SAMPLE)]:
        if not picture.look.any():
            continue
        try:
            image = read_image(picture.path, orient=False)
        except ImageError:
            continue
        bits += [int((look_of(other) != picture.look).sum()) for other in _variants(image)]
    return np.array(bits, np.int64)


def displacement_figure(audit: Audit) -> Figure:
    """Where each face's labels lie beside what the network sees, median over the points, and the median over the faces."""
    figure, axes = new_figure(4.6, 4.2)
    reach = 1.0
    for (part, found), colour in zip(audit.displacements.items(), _COLOURS * len(audit.displacements), strict=False):
        chosen = audit.in_part(part) & np.isfinite(audit.sights.predicted).all(axis=(1, 2))
        gaps = np.nanmedian(audit.ordered[chosen] - audit.sights.predicted[chosen], axis=1)
        axes.plot(*gaps.T, ".", color=colour, markersize=1.5, alpha=0.35, rasterized=True)
        axes.plot(*found.pixels, "X", color=colour, markersize=11, markeredgecolor="#ffffff", label=part)
        reach = max(reach, float(np.nanpercentile(np.abs(gaps), 98)))
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="label right of the feature, px", ylabel="label below where the network puts it, px")
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
        tidy(axes)
        low, high = np.nanpercentile(measure.values, (0.2, 99.8))
        edges = np.linspace(low, max(high, low + 1), 40)
        for part, colour in zip(audit.parts, _COLOURS * len(audit.parts), strict=False):
            values = measure.values[audit.in_part(part)]
            values = values[np.isfinite(values)]
            weights = np.full(len(values), 100 / max(1, len(values)))
            axes.hist(values, edges, weights=weights, histtype="step", color=colour, linewidth=1.3, label=part)
        for edge in measure.edges:
            if edges[0] < edge < edges[-1]:
                axes.axvline(edge, color=GREY, linewidth=0.6, linestyle=":")
        axes.set(xlabel=measure.name, ylabel="faces, %")
    if len(audit.parts) > 1:
        grid[0].legend(frameon=False)
    return figure


def _variants(image: Image) -> Iterator[Image]:
    """The picture as a poor JPEG, at half its size, and brighter."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])
    assert done, "OpenCV encodes any uint8 picture as JPEG"
    yield np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    half = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
    yield np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    yield np.asarray(cv2.convertScaleAbs(image, alpha=1.25, beta=10), np.uint8)
