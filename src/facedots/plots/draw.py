"""Keypoints drawn on images, with OpenCV alone: dots colored by region, thin lines, numbers.

Sizes follow the face; of few points, the image. Dots have a dark rim, to be seen anywhere, and are
placed to 1/16 pixel.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facedots.drawing import FRACTION_BITS, Color, draw_disc, draw_line, fixed_length, fixed_point
from facedots.geometry import Floats, Image, check_shape, tight_boxes
from facedots.schema import KeypointSchema
from facedots.types import VISIBLE, Face, check_image
from facedots.uncertainty import principal_axes

PALETTE: list[Color] = [(86, 180, 233), (240, 228, 66), (255, 159, 28), (120, 220, 120)]
PALETTE += [(255, 105, 180), (190, 150, 255), (255, 90, 80)]
"""RGB colors of the regions, in the order of the schema; they repeat."""

RIM: Color = (20, 20, 20)
BOX_COLOR: Color = (255, 255, 255)
PUPIL_COLOR: Color = (255, 255, 255)

_NUMBERED_FACE = 640.0  # px of a face for 68 legible numbers
_MIN_LINED, _MIN_RIMMED = 120.0, 60.0  # px; lines, rims and scores would hide smaller faces
_MAX_SIDE = 4096


def region_colors(schema: KeypointSchema) -> dict[str, Color]:
    """The color of each region of a schema, RGB."""
    return {region: PALETTE[i % len(PALETTE)] for i, region in enumerate(schema.regions)}


def enlarge(image: Image, points: ArrayLike, factor: float) -> tuple[Image, Floats]:
    """An image ``factor`` times as large, and points ``(..., 2)`` where they then lie.

    >>> large, moved = enlarge(np.zeros((2, 3, 3), np.uint8), [[-0.5, -0.5], [2.5, 1.5]], 2)
    >>> large.shape, moved.tolist()
    ((4, 6, 3), [[-0.5, -0.5], [5.5, 3.5]])
    """
    height, width = image.shape[:2]
    if factor == 1:
        return image.copy(), np.asarray(points, np.float32)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    interpolation = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    resized: Image = cv2.resize(image, size, interpolation=interpolation)
    # Pixel edges scale; they are half a pixel from the centers.
    moved = (np.asarray(points, np.float64) + 0.5) * (size[0] / width, size[1] / height) - 0.5
    return resized, moved.astype(np.float32)


def enlarge_face(
    image: Image, points: Floats, pupils: ArrayLike | None, factor: float
) -> tuple[Image, Floats, Floats]:
    """:func:`enlarge` with the points ``(K, 2)`` of a face and its pupils, which may be none."""
    both = np.concatenate([points, np.zeros((0, 2)) if pupils is None else np.asarray(pupils)])
    large, moved = enlarge(image, both, factor)
    return large, moved[: len(points)], moved[len(points) :]


def draw_keypoints(
    image: Image,
    points: ArrayLike,
    schema: KeypointSchema,
    covariance: ArrayLike | None = None,
    numbered: bool = False,
    *,
    visibility: ArrayLike | None = None,
    pupils: ArrayLike | None = None,
) -> Image:
    """Draw the keypoints of one face onto a copy of the image; missing ones (NaN) are left out.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        points: ``(K, 2)``, pixels.
        schema: What the points mean.
        covariance: ``(K, 2, 2)``, square pixels; drawn as an ellipse of one standard deviation.
        numbered: Write each point's index next to it; for small faces see :func:`draw_numbered`.
        visibility: ``(K,)`` in [0, 1]; the dots of points that are likely hidden are hollow.
        pupils: ``(n, 2)``, pixels; white.

    Raises:
        ShapeError: The image or the points have another shape.
    """
    drawn = np.array(check_image(image))
    points = np.asarray(check_shape(points, f"{schema.count} 2", "points"), np.float32)
    present, size = np.isfinite(points).all(axis=1), _face_size(points)
    marks, side = _mark_size(points, drawn), max(drawn.shape[:2])
    radius = float(np.clip(marks / 110, 0.6, max(12, side / 150)))
    colors = [region_colors(schema)[region] for region in schema.region_of]
    if size >= _MIN_LINED:
        for first, second in schema.edges:
            if present[first] and present[second]:
                draw_line(drawn, points[[first, second]], colors[first], max(1, round(marks / 300)))
    if covariance is not None:
        check_shape(covariance, f"{schema.count} 2 2", "covariance")
        lengths, angles = principal_axes(covariance)
        for i in np.flatnonzero(present & np.isfinite(lengths).all(axis=1)):
            center, angle = fixed_point(points[i]).tolist(), float(angles[i])
            half_axes = (fixed_length(lengths[i, 0]), fixed_length(lengths[i, 1]))
            style = (colors[i], 1, cv2.LINE_AA, FRACTION_BITS)
            cv2.ellipse(drawn, center, half_axes, angle, 0, 360, *style)
    hidden = np.zeros(schema.count, bool)
    if visibility is not None:
        hidden = np.asarray(check_shape(visibility, f"{schema.count}", "visibility")) < VISIBLE
    for i in np.flatnonzero(present):
        _draw_dot(drawn, points[i], radius, colors[i], rim=marks >= _MIN_RIMMED)
        if hidden[i]:
            draw_disc(drawn, points[i], 0.6 * radius, RIM)
    for pupil in np.zeros((0, 2)) if pupils is None else np.asarray(pupils):
        if np.isfinite(pupil).all():
            _draw_dot(drawn, pupil, radius, PUPIL_COLOR, rim=marks >= _MIN_RIMMED)
    if numbered:
        _draw_numbers(drawn, points, colors, float(np.clip(marks / 50, 7, max(28, side / 60))))
    return drawn


def draw_numbered(
    image: Image,
    points: ArrayLike,
    schema: KeypointSchema,
    face_size: float = _NUMBERED_FACE,
    *,
    visibility: ArrayLike | None = None,
    pupils: ArrayLike | None = None,
) -> Image:
    """Draw the numbered keypoints of one face as :func:`draw_keypoints` does, onto a copy of the
    image, which is enlarged until the face has ``face_size`` pixels, or the image 4096.
    """
    points = np.asarray(check_shape(points, f"{schema.count} 2", "points"), np.float32)
    factor = _factor(check_image(image), [points], face_size)
    large, points, pupils = enlarge_face(image, points, pupils, factor)
    return draw_keypoints(
        large, points, schema, numbered=True, visibility=visibility, pupils=pupils
    )


def draw_faces(
    image: Image,
    faces: Sequence[Face],
    *,
    numbers: bool = False,
    box: bool = True,
    sigma: bool = False,
    face_size: float = 0.0,
) -> Image:
    """Draw the keypoints and box of every face onto a copy of the image; dots of hidden points are
    hollow, those of pupils white.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        faces: As :class:`~facedots.pipeline.Pipeline` returns them.
        numbers: Write each point's index next to it; enlarges faces to 640 pixels.
        box: Draw the box of each face, with its score.
        sigma: Draw an ellipse of one standard deviation around each point.
        face_size: Enlarge the image until its smallest face has this many pixels, or the image
            4096.
    """
    check_image(image)
    face_size = max(face_size, _NUMBERED_FACE if numbers else 0.0)
    factor = _factor(image, [face.points for face in faces], face_size)
    drawn, _ = enlarge(image, np.zeros((0, 2)), factor)
    scale = np.array([drawn.shape[1] / image.shape[1], drawn.shape[0] / image.shape[0]])
    for face in faces:
        corners = (face.box.reshape(2, 2) + 0.5) * scale - 0.5
        if box:
            _draw_box(drawn, corners, face.score)
        moved = (face.points + 0.5) * scale - 0.5
        covariance = face.covariance * np.outer(scale, scale) if sigma else None
        pupils = None if face.pupils is None else (face.pupils + 0.5) * scale - 0.5
        drawn = draw_keypoints(
            drawn,
            moved,
            face.schema,
            covariance,
            numbers,
            visibility=face.visibility,
            pupils=pupils,
        )
    return drawn


def _draw_dot(image: Image, center: ArrayLike, radius: float, color: Color, *, rim: bool) -> None:
    """Draw a dot, with a dark rim or without, in place."""
    if rim:
        draw_disc(image, center, radius + max(0.6, radius / 4), RIM)
    draw_disc(image, center, radius, color)


def _face_size(points: Floats) -> float:
    """The longer side of the face's tight box in pixels; 0 if all points are missing."""
    if not np.isfinite(points).all(axis=1).any():
        return 0.0
    left, top, right, bottom = tight_boxes(points[None])[0].tolist()
    return float(max(right - left, bottom - top))


def _mark_size(points: Floats, image: Image) -> float:
    """The size of a face, in pixels, whose dots and numbers suit these points: their own, but for
    few points as large as the image and the gaps between them allow.
    """
    shown = points[np.isfinite(points).all(axis=1)]
    gaps = np.linalg.norm(shown[:, None] - shown, axis=2)
    np.fill_diagonal(gaps, np.inf)
    gap = float(np.median(gaps.min(axis=1))) if len(shown) else 0.0
    return max(_face_size(points), min(0.75 * max(image.shape[:2]), 12 * gap))


def _factor(image: Image, faces: Sequence[Floats], face_size: float) -> float:
    """How much to enlarge an image until its smallest face has this size; at least 1."""
    smallest = min((size for size in map(_face_size, faces) if size > 0), default=face_size or 1.0)
    return float(max(1.0, min(face_size / smallest, _MAX_SIDE / max(image.shape[:2]))))


def _draw_box(image: Image, corners: ArrayLike, score: float) -> None:
    """Draw a box with the score above it, in place."""
    pixels = np.round(np.asarray(corners)).clip(-(2**15), 2**15).astype(int)
    (left, top), (right, bottom) = pixels.tolist()
    size = max(right - left, bottom - top)
    line = max(1, round(size / 200))
    if size >= _MIN_RIMMED:
        cv2.rectangle(image, (left, top), (right, bottom), RIM, line + 2)
        height = float(np.clip(size / 20, 8, 40))
        corner = (left, max(top - height / 2, height * 1.2))
        _write(image, f"{score:.2f}", corner, height, BOX_COLOR)
    cv2.rectangle(image, (left, top), (right, bottom), BOX_COLOR, line)


def _draw_numbers(image: Image, points: Floats, colors: Sequence[Color], height: float) -> None:
    """Write the index of each point, moved away from its neighbors, in place."""
    shown: list[int] = np.flatnonzero(np.isfinite(points).all(axis=1)).tolist()
    for i in shown:
        gaps = points[i] - points[shown]
        push = (gaps / (np.linalg.norm(gaps, axis=1, keepdims=True) + height / 4) ** 3).sum(axis=0)
        x, y = points[i] + push / max(1e-12, float(np.hypot(*push))) * height * 1.4
        corner = (x - 0.4 * height * len(str(i)), y + height / 2)
        _write(image, str(i), corner, height, colors[i])


def _write(
    image: Image, text: str, left_bottom: tuple[float, float], height: float, color: Color
) -> None:
    """Write text ``height`` pixels high with a dark rim, in place."""
    scale = height / 21  # the capitals of Hershey's font are 21 units high
    place = (round(left_bottom[0]), round(left_bottom[1]))
    line = max(1, round(height / 12))
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, RIM, line + 2, cv2.LINE_AA)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, color, line, cv2.LINE_AA)
