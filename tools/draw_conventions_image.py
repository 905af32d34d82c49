"""Draw the images of ``docs/conventions.md`` from drawn faces: coordinates, boxes, uncertainty,
left and right.

    python tools/draw_conventions_image.py [--out docs/images]

The covariances in them are made up to show what the words mean; nothing in these images was
measured.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, Rectangle

from facedots import (
    IBUG68,
    CropSpec,
    apply_affine,
    crop_matrix,
    draw_keypoints,
    tight_boxes,
    warp_image,
)
from facedots.data import draw_face, mirror_points
from facedots.geometry import Floats, Image, Matrix
from facedots.plots import BLUE, GREEN, ORANGE, PINK, save_figure
from facedots.uncertainty import CONFIDENT_WITHIN, confidence, ellipse, principal_axes

INK = "#222222"
FACE = 22
"""Which of the drawn faces: one that looks into the camera."""

SHOWN = (0, 8, 16, 36, 45, 48, 54)
"""Points whose numbers stand in the image of left and right."""


def main() -> None:
    """Write the four images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images")
    out = parser.parse_args().out
    image, points = draw_face(np.random.default_rng((0, FACE)))
    for name, draw in {
        "coordinates": coordinates,
        "boxes": boxes,
        "uncertainty": uncertainty,
        "sides": sides,
    }.items():
        save_figure(draw(image, points), out / f"conventions-{name}.jpg", dpi=130)


def coordinates(image: Image, points: Floats) -> Figure:
    """A few pixels around an eye, large, and the same enlarged by two."""
    left, top = np.floor(points[36]).astype(int) - (2, 2)
    patch, point = image[top : top + 5, left : left + 7], points[36] - (left, top)
    double = np.repeat(np.repeat(patch, 2, axis=0), 2, axis=1)
    figure = Figure(figsize=(10, 3.9), layout="constrained")
    small, large = figure.subplots(1, 2)
    for panel, pixels, place in ((small, patch, point), (large, double, 2 * (point + 0.5) - 0.5)):
        height, width = pixels.shape[:2]
        _pixels(panel, pixels)
        panel.plot(0, 0, "o", color=ORANGE, markersize=8)
        panel.plot(-0.5, -0.5, "s", color=BLUE, markersize=8, clip_on=False)
        panel.plot(width - 0.5, height - 0.5, "s", color=BLUE, markersize=8, clip_on=False)
        panel.plot(*place, "o", color=GREEN, markersize=9, markeredgecolor="white")
        _say(
            panel,
            f"({width - 0.5}, {height - 0.5}): the corner",
            (width - 0.6, height - 0.62),
            BLUE,
            ha="right",
        )
        _say(
            panel,
            f"a point: ({place[0]:.2f}, {place[1]:.2f})",
            place + np.array([width / 28, 0]),
            GREEN,
        )
    _say(small, "(0, 0): center of the first pixel", (0.25, 0), ORANGE)
    _say(large, "the same center is at (0.5, 0.5) now", (1.25, 0.5), ORANGE)
    large.plot(0.5, 0.5, "o", color=ORANGE, markersize=8, markerfacecolor="none")
    small.set_title("7 × 5 pixels", color=INK)
    large.set_title("enlarged by 2:  x → 2 (x + 0.5) − 0.5", color=INK)
    return figure


def boxes(image: Image, points: Floats) -> Figure:
    """The tight box, the square that a network sees, and the crop."""
    box = tight_boxes(points[None])[0]
    x, y, side = CropSpec("box", 1.3).crop_squares(box[None], image.shape[:2])[0]
    matrix = crop_matrix((x, y, side), 128)
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    whole, crop = figure.subplots(1, 2)
    whole.imshow(draw_keypoints(image, points, IBUG68))
    whole.add_patch(
        Rectangle(box[:2], *(box[2:] - box[:2]), fill=False, edgecolor=ORANGE, linewidth=2.5)
    )
    whole.add_patch(
        Rectangle(
            (x - side / 2, y - side / 2),
            side,
            side,
            fill=False,
            edgecolor=BLUE,
            linewidth=2.5,
            linestyle="--",
        )
    )
    _say(whole, "box: tight around the points", (box[0], box[3] + 7), ORANGE, va="top")
    _say(
        whole,
        "what the network sees: 1.3 × its longer side",
        (x - side / 2, y - side / 2 - 5),
        BLUE,
        va="bottom",
    )
    crop.imshow(
        draw_keypoints(warp_image(image, matrix, (128, 128)), apply_affine(matrix, points), IBUG68)
    )
    whole.set_title(f"the image, {image.shape[1]} × {image.shape[0]}", color=INK)
    crop.set_title("the crop, 128 × 128:  p' = A p + b", color=INK)
    for panel in (whole, crop):
        panel.set_axis_off()
    return figure


def uncertainty(image: Image, points: Floats) -> Figure:
    """Ellipses over a face, and one of them near, with what the numbers mean."""
    covariance = _along_contours(points)
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    whole, near = figure.subplots(1, 2, width_ratios=(1, 1.15))
    whole.imshow(image)
    for point, one in zip(points, covariance, strict=True):
        _ellipse(whole, point, one, 0.865, PINK)
    whole.plot(*points.T, ".", color="white", markersize=4)
    _closer(whole, points)
    whole.set_title("every point has a covariance (ellipses: 86 %)", color=INK)
    index = 4
    point, one = points[index], covariance[index]
    eyes = float(np.hypot(*(points[36] - points[45])))
    sure = float(confidence(points, covariance, IBUG68, None)[index])
    truth = np.random.default_rng(0).multivariate_normal(point, one, 300)
    near.plot(*truth.T, ".", color="#aaaaaa", markersize=4, zorder=0)
    for probability, color in ((0.393, ORANGE), (0.865, PINK)):
        _ellipse(near, point, one, probability, color)
    near.add_patch(
        Circle(point, CONFIDENT_WITHIN * eyes, fill=False, color=GREEN, linewidth=2, linestyle="--")
    )
    near.plot(*point, "o", color=INK)
    lines = [
        (GREEN, f"within 5 % of the eye distance: confidence = {sure:.2f}"),
        (ORANGE, "one standard deviation in every direction: 39 %"),
        (PINK, "two: 86 %"),
        ("#888888", "where people might put the point"),
    ]
    for row, (color, text) in enumerate(lines):
        near.text(
            0.02,
            0.98 - 0.06 * row,
            text,
            color=color,
            transform=near.transAxes,
            va="top",
            fontsize=10,
        )
    long, short = principal_axes(one)[0]
    near.set_title(
        f"point {index}: axes {long:.1f} and {short:.1f} px, sigma "
        f"{np.sqrt(np.trace(one) / 2):.1f} px",
        color=INK,
    )
    near.set(
        xlim=point[0] + np.array([-1, 1]) * 4 * long,
        ylim=point[1] + np.array([1, -1.35]) * 3.4 * long,
        aspect="equal",
    )
    near.tick_params(colors=INK, labelsize=8)
    return figure


def sides(image: Image, points: Floats) -> Figure:
    """A face with the subject's own left and right, and its mirror image."""
    width = image.shape[1]
    figure = Figure(figsize=(10, 4.9), layout="constrained")
    for panel, pixels, places, title in (
        (figure.add_subplot(1, 2, 1), image, points, "the image"),
        (
            figure.add_subplot(1, 2, 2),
            image[:, ::-1],
            mirror_points(points, width, IBUG68),
            "its mirror image: point 36 has become 45",
        ),
    ):
        panel.imshow(pixels)
        right, left = (list(IBUG68.regions[name]) for name in ("right_eye", "left_eye"))
        panel.plot(*places.T, ".", color="white", markersize=5)
        panel.plot(*places[right].T, "o", color=ORANGE, markersize=5)
        panel.plot(*places[left].T, "o", color=BLUE, markersize=5)
        middle = places.mean(axis=0)
        for index in SHOWN:
            at = places[index] + (places[index] - middle) * 0.16
            _say(
                panel,
                str(index),
                at,
                ORANGE if index in right else BLUE if index in left else INK,
                ha="center",
            )
        _closer(panel, places)
        panel.set_title(title, color=INK)
        panel.text(
            0.02,
            0.03,
            "right_eye",
            color=ORANGE,
            transform=panel.transAxes,
            fontsize=12,
            weight="bold",
            bbox=_PAPER,
        )
        panel.text(
            0.98,
            0.03,
            "left_eye",
            color=BLUE,
            transform=panel.transAxes,
            fontsize=12,
            weight="bold",
            ha="right",
            bbox=_PAPER,
        )
    return figure


_PAPER = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}


def _pixels(panel: Axes, pixels: Image) -> None:
    """An image with its pixel borders and its coordinates."""
    height, width = pixels.shape[:2]
    panel.imshow(pixels, interpolation="nearest")
    panel.set_xticks(range(width))
    panel.set_yticks(range(height))
    panel.set_xticks(np.arange(width + 1) - 0.5, minor=True)
    panel.set_yticks(np.arange(height + 1) - 0.5, minor=True)
    panel.grid(which="minor", color="white", linewidth=0.6)
    panel.tick_params(which="minor", length=0)
    panel.xaxis.tick_top()


def _closer(panel: Axes, points: Floats) -> None:
    """Only the part of an image around the points."""
    x0, y0, x1, y1 = tight_boxes(points[None])[0]
    x, y, reach = (x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) * 0.68
    panel.set(xlim=(x - reach, x + reach), ylim=(y + reach, y - reach))
    panel.set_axis_off()


def _say(panel: Axes, text: str, place: object, color: str, **how: str) -> None:
    x, y = np.asarray(place, float)
    panel.text(x, y, text, color=color, fontsize=9.5, **{"va": "center", **how}, bbox=_PAPER)  # type: ignore[arg-type]


def _ellipse(
    panel: Axes, point: Floats, covariance: Matrix, probability: float, color: str
) -> None:
    """The ellipse that holds the truth with this probability, if errors are Gaussian."""
    lengths, angle = ellipse(covariance, probability, None)
    panel.add_patch(
        Ellipse(
            (point[0], point[1]),
            *(2 * lengths),
            angle=float(angle),
            fill=False,
            color=color,
            linewidth=1.6,
        )
    )


def _along_contours(points: Floats) -> Matrix:
    """Made-up covariances: along its line a point is less certain than across it, and the jaw is
    less certain than the eyes.
    """
    eyes = float(np.hypot(*(points[36] - points[45])))
    result = np.zeros((IBUG68.count, 2, 2))
    for index in range(IBUG68.count):
        ends = [point for edge in IBUG68.edges if index in edge for point in edge]
        first, last = points[min(ends)], points[max(ends)]
        along = (last - first) / np.hypot(*(last - first))
        across = np.array([-along[1], along[0]])
        long, short = (0.065, 0.02) if IBUG68.region_of[index] == "jaw" else (0.018, 0.011)
        result[index] = (long * eyes) ** 2 * np.outer(along, along) + (
            short * eyes
        ) ** 2 * np.outer(across, across)
    return result


if __name__ == "__main__":
    main()
