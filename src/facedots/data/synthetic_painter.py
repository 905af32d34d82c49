"""Painting of a synthetic face: anti-aliased curves, colors, and what a camera does to an image.

Points are in pixels; radii and thicknesses in units of the outer-eye distance.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from facedots.drawing import draw_disc, draw_line, draw_polygons
from facedots.geometry import Image, Matrix
from facedots.schema import IBUG68

Color = tuple[float, ...]

SKINS = (
    (246, 214, 190),
    (232, 190, 158),
    (208, 158, 122),
    (172, 120, 86),
    (128, 84, 58),
    (86, 56, 42),
)
HAIRS = (
    (28, 22, 20),
    (62, 40, 26),
    (110, 72, 40),
    (168, 116, 60),
    (214, 180, 120),
    (150, 150, 150),
    (226, 224, 220),
)
IRISES = ((74, 48, 28), (110, 82, 44), (84, 116, 148), (92, 122, 84), (40, 28, 22))


class Canvas:
    """An image to paint on, in place.

    Args:
        image: ``uint8 (H, W, 3)``.
        unit: Outer-eye distance in pixels.
    """

    def __init__(self, image: Image, unit: float) -> None:
        self.image = image
        self.unit = unit

    def fill(self, points: Matrix, color: Color, *, smooth: bool = True) -> None:
        """Fill a closed curve through the points, or a polygon."""
        draw_polygons(self.image, [curve(points, closed=True) if smooth else points], color)

    def line(self, points: Matrix, color: Color, thickness: float, *, closed: bool = False) -> None:
        """Draw a curve through the points."""
        width = max(1, round(thickness * self.unit))
        draw_line(self.image, curve(points, closed=closed), color, width, closed=closed)

    def disc(self, center: Matrix, radius: float, color: Color) -> None:
        """Fill a circle."""
        draw_disc(self.image, center, radius * self.unit, color)

    def paste(self, other: "Canvas", inside: Matrix) -> None:
        """Paste another canvas inside a closed curve."""
        mask = np.zeros(self.image.shape[:2], np.uint8)
        draw_polygons(mask, [curve(inside, closed=True)], (255,))
        x, y, width, height = cv2.boundingRect(mask)
        area = np.s_[y : y + height, x : x + width]
        alpha = mask[area][..., None] / np.float32(255)
        self.image[area] = self.image[area] * (1 - alpha) + other.image[area] * alpha

    def shade(self, areas: list[tuple[Matrix, float]]) -> None:
        """Multiply the image inside closed curves by a factor, with soft borders."""
        light = np.ones(self.image.shape[:2], np.float32)
        for points, factor in areas:
            draw_polygons(light, [curve(points, closed=True)], (factor,), smooth=False)
        soft = cv2.GaussianBlur(light, (0, 0), 0.07 * self.unit)
        shaded = self.image * soft[..., None]
        self.image[:] = np.clip(shaded, 0, 255, out=shaded)


def curve(points: Matrix, *, closed: bool) -> Matrix:
    """A Catmull-Rom curve through the points (n, 2), six steps per span: every sixth is a point."""
    return _spline_weights(len(points), closed) @ points


@lru_cache
def _spline_weights(count: int, closed: bool, steps: int = 6) -> Matrix:
    """Weight (steps * spans, count) of each point in each step of the curve."""
    spans = count if closed else count - 1
    t = np.arange(steps) / steps
    columns = -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2
    basis = np.stack(columns, axis=1) / 2
    weights = np.zeros((spans * steps + (not closed), count))
    for span in range(spans):
        for offset in range(4):
            point = span + offset - 1
            point = point % count if closed else min(max(point, 0), count - 1)
            weights[span * steps : (span + 1) * steps, point] += basis[:, offset]
    if not closed:
        weights[-1, -1] = 1
    return weights


@dataclass(frozen=True)
class HeadOutline:
    """A head in the image.

    Attributes:
        points: The 68 points (68, 2) in pixels.
        forehead: Points (11, 2) of the arc over the forehead, in pixels.
        unit: Outer-eye distance in pixels.
    """

    points: Matrix
    forehead: Matrix
    unit: float

    def region(self, name: str) -> Matrix:
        """The points (n, 2) of a region."""
        return self.points[list(IBUG68.regions[name])]


def paint_head(head: HeadOutline, height: int, width: int, generator: np.random.Generator) -> Image:
    """A photo-like image ``uint8 (height, width, 3)`` of a head before a random background."""
    canvas = Canvas(_background(generator, height, width), head.unit)
    skin, hair = _varied(SKINS, generator, 10), _varied(HAIRS, generator, 8)
    _paint_behind(canvas, head, skin, hair, generator)
    _paint_face(canvas, head, skin, hair, generator)
    _paint_features(canvas, head, skin, hair, generator)
    return _photograph(canvas.image, head.unit, generator)


def _paint_behind(
    canvas: Canvas, head: HeadOutline, skin: Color, hair: Color, generator: np.random.Generator
) -> None:
    """Hair, neck, shoulders and ears, which the face then covers in part."""
    points = head.points
    chin, down = points[8], (points[8] - points[27]) / np.linalg.norm(points[8] - points[27])
    # Rows: to the subject's right and down, one unit long.
    axes = np.stack([np.array([-down[1], down[0]]), down]) * head.unit
    outline = np.concatenate([points[[0, 2, 14, 16]], head.forehead[::-1]])
    middle = outline.mean(axis=0)
    long_hair = generator.random() < 0.4
    hair_outline = (outline - middle) * generator.uniform(1.08, 1.3) + middle
    if long_hair:
        hair_outline[1:3] += generator.uniform(0.3, 1.0) * axes[1]
    if generator.random() < 0.92:
        canvas.fill(hair_outline, hair)
    neck = np.array([(-0.45, -0.5), (0.45, -0.5), (0.45, 0.7), (-0.45, 0.7)])
    shirt = np.array([(-0.5, 0.4), (0, 0.6), (0.5, 0.4), (2, 0.9), (2, 4), (-2, 4), (-2, 0.9)])
    canvas.fill(chin + neck @ axes, _scaled(skin, 0.7), smooth=False)
    shirt_color = tuple(generator.uniform(20, 230, 3).tolist())
    canvas.fill(chin + shirt @ axes, shirt_color, smooth=False)
    if not long_hair:
        for ear in (points[0:4], points[13:17]):
            outwards = (ear.mean(axis=0) - middle) * 0.16
            outline = np.stack([ear[0], ear[0] + outwards, ear[-1] + outwards, ear[-1]])
            canvas.fill(outline, _scaled(skin, 0.85))


def _paint_face(
    canvas: Canvas, head: HeadOutline, skin: Color, hair: Color, generator: np.random.Generator
) -> None:
    """The skin with its light and shadow, and the hair over the forehead."""
    points, forehead, jaw = head.points, head.forehead, head.region("jaw")
    # The hull, since a turned head's far brow stands out beyond the line from ear to forehead.
    lines = curve(jaw, closed=False), curve(forehead, closed=False), points[17:27]
    hull = cv2.convexHull(np.concatenate(lines).astype(np.float32))
    canvas.fill(hull[:, 0].astype(np.float64), skin, smooth=False)
    canvas.line(jaw, _scaled(skin, 0.72), 0.025)
    nose = head.region("nose").mean(axis=0)
    shades = [(_eye_socket(head.region(f"{side}_eye"), nose), 0.86) for side in ("right", "left")]
    shades += [(points[[27, 28, 29, 30, 32, 31]], generator.uniform(0.8, 0.95))]
    shades += [(points[[27, 28, 29, 30, 34, 35]], generator.uniform(1.02, 1.12))]
    shades += [(np.stack([*points[[58, 57, 56]], 0.6 * points[57] + 0.4 * points[8]]), 0.88)]
    canvas.shade(shades)
    if generator.random() < 0.8:
        inner = forehead[1:-1]
        depth = generator.uniform(0.1, 0.4) * generator.uniform(0.75, 1.05, (len(inner), 1))
        canvas.fill(np.concatenate([forehead, (inner + depth * (nose - inner))[::-1]]), hair)


def _eye_socket(eye: Matrix, nose: Matrix) -> Matrix:
    """A line around an eye, wider than it and moved away from the nose."""
    middle = eye.mean(axis=0)
    return middle + 1.5 * (eye - middle) + 0.25 * (middle - nose)


def _paint_features(
    canvas: Canvas, head: HeadOutline, skin: Color, hair: Color, generator: np.random.Generator
) -> None:
    """Brows, eyes, nose and mouth."""
    points, dark = head.points, _scaled(skin, 0.45)
    brow, thickness = _scaled(hair, generator.uniform(0.5, 0.9)), generator.uniform(0.04, 0.09)
    iris, gaze = _varied(IRISES, generator, 8), generator.uniform(-0.06, 0.06, 2) * canvas.unit
    for side in ("right", "left"):
        canvas.line(head.region(f"{side}_brow"), brow, thickness)
        _paint_eye(canvas, head.region(f"{side}_eye"), iris, gaze, dark)
    canvas.line(points[31:36], _scaled(skin, 0.62), 0.03)
    for nostril in (points[31:33], points[34:36]):
        canvas.disc(nostril.mean(axis=0), 0.025, dark)
    canvas.line(points[27:31], _scaled(skin, 1.12), 0.03)

    outer, inner = points[48:60], points[60:68]
    red, green, blue = skin
    tint = (red, green * generator.uniform(0.5, 0.8), blue * generator.uniform(0.55, 0.85))
    lips = _scaled(tint, generator.uniform(0.75, 1))
    canvas.fill(outer, lips)
    canvas.fill(inner, _scaled(lips, 0.35))
    if generator.random() < 0.6:
        teeth = np.concatenate([inner[:5], (inner[3:0:-1] + inner[5:8]) / 2])
        canvas.fill(teeth, (236, 232, 220))
    canvas.line(inner, _scaled(lips, 0.5), 0.015, closed=True)


def _paint_eye(canvas: Canvas, eye: Matrix, iris: Color, gaze: Matrix, lid: Color) -> None:
    ball = Canvas(canvas.image.copy(), canvas.unit)
    ball.fill(eye, (238, 236, 232))
    center = eye.mean(axis=0) + gaze
    ball.disc(center, 0.065, iris)
    ball.disc(center, 0.03, (12, 10, 10))
    ball.disc(center - 0.02 * canvas.unit, 0.014, (250, 250, 250))
    canvas.paste(ball, inside=eye)
    canvas.line(eye, lid, 0.018, closed=True)
    canvas.line(eye[:4], _scaled(lid, 0.7), 0.03)


def _background(generator: np.random.Generator, height: int, width: int) -> Image:
    """A color gradient and polygons, blurred by a lens focused on the face."""
    corners = generator.uniform(10, 245, (2, 2, 3)).astype(np.float32)
    image = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    for _ in range(int(generator.integers(2, 14))):
        center = generator.uniform(0, (width, height))
        radius = generator.uniform(0.05, 0.4) * min(width, height)
        polygon = center + generator.normal(0, radius, (int(generator.integers(3, 7)), 2))
        if generator.random() < 0.7:
            color: Color = tuple(generator.uniform(0, 255, 3).tolist())
        else:
            color = _varied(SKINS, generator, 15)
        is_smooth = generator.random() < 0.5
        draw_polygons(image, [curve(polygon, closed=True) if is_smooth else polygon], color)
    return cv2.GaussianBlur(image, (0, 0), generator.uniform(0.5, 4))


def _photograph(image: Image, unit: float, generator: np.random.Generator) -> Image:
    """One-sided light, a lens's blur and a sensor's noise."""
    height, width = image.shape[:2]
    tilt_x, tilt_y = generator.normal(0, 0.25, 2)
    columns, rows = np.linspace(-tilt_x, tilt_x, width), np.linspace(-tilt_y, tilt_y, height)
    light = 1 + columns[None] + rows[:, None]
    light *= generator.uniform(0.7, 1.15)
    lit = image * light[..., None].astype(np.float32)
    exposed = cv2.GaussianBlur(lit, (0, 0), generator.uniform(0.3, 0.02 * unit + 0.35))
    noise = generator.standard_normal((height, width, 1), np.float32)
    exposed += noise * np.float32(generator.uniform(0, 6))
    return np.clip(exposed, 0, 255, out=exposed).astype(np.uint8)


def _varied(
    palette: tuple[tuple[int, int, int], ...], generator: np.random.Generator, sigma: float
) -> Color:
    """One of the palette's colors, with Gaussian noise."""
    color = np.array(palette[int(generator.integers(len(palette)))])
    return tuple(np.clip(color + generator.normal(0, sigma, 3), 0, 255).tolist())


def _scaled(color: Color, factor: float) -> Color:
    return tuple(min(255.0, channel * factor) for channel in color)
