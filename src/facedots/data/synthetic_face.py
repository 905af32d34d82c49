"""The solid shape behind a drawn face: a random person's 68 points in three dimensions, and a
random pose of the head.

Laid out by hand; no statistical model of faces went in. Lengths are outer-eye distances; x points
to the subject's left, y down, z at the viewer, and the line through the outer eye corners is y = 0.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from facedots.data.synthetic_canvas import Canvas, Color, curve, fixed_curve
from facedots.drawing import FRACTION_BITS
from facedots.geometry import Floats, Image, Matrix
from facedots.schema import IBUG68


def random_rotation(generator: np.random.Generator) -> Matrix:
    """Rotation matrix (3, 3); x points right, y down, z at the viewer."""
    yaw, pitch, roll = np.deg2rad(generator.uniform((-32, -18, -30), (32, 18, 30)))
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(tilt @ nod @ turn)


def random_head(generator: np.random.Generator) -> Matrix:
    """The 68 points (68, 3) of a person with an expression, in outer-eye distances; the eyes' line
    is y = 0.

    The half on the subject's right (x < 0) is laid out, then mirrored by the schema's own order.
    """
    vary = generator.uniform
    opening = vary(0.02, 0.075) if generator.random() < 0.85 else vary(0.0, 0.012)
    gape = max(0.0, float(generator.normal(0.0, 0.16)))
    smile, raised = vary(-0.04, 0.07), vary(-0.05, 0.06)
    face_width, chin, nose_end, mouth_y = (
        vary(0.74, 0.88),
        vary(1.22, 1.45),
        vary(0.52, 0.66),
        vary(0.84, 0.96),
    )
    mouth_width, lips, inner_eye = vary(0.27, 0.4), vary(0.045, 0.1), vary(0.17, 0.22)

    half = np.zeros((IBUG68.count, 3))
    angle = np.linspace(np.pi / 2, 0, 9)
    half[0:9, 0] = -face_width * np.sin(angle) ** vary(0.75, 1.0)
    half[0:9, 1] = 0.02 + (chin + 0.6 * gape) * np.cos(angle) ** vary(0.75, 0.95)
    half[0:9, 2] = 0.08 - 0.5 * np.sin(angle) ** 2
    half[17:22] = [
        (-0.70, -0.17, -0.16),
        (-0.60, -0.27, -0.04),
        (-0.46, -0.31, 0.03),
        (-0.31, -0.29, 0.07),
        (-0.17, -0.25, 0.09),
    ]
    half[17:22, 1] -= raised
    half[27:31] = [(0, nose_end * share, 0.08 + 0.38 * share) for share in (0.02, 0.3, 0.58, 0.87)]
    half[31:34, 0] = -vary(0.8, 1.2) * np.array([0.17, 0.09, 0])
    half[31:34, 1] = nose_end + np.array([0.02, 0.06, 0.075])
    half[31:34, 2] = [0.14, 0.21, 0.26]
    across = np.linspace(-0.5, -inner_eye, 4)
    half[36:40, 0], half[[41, 40], 0] = across, across[1:3]
    half[36:40, 1], half[[41, 40], 1] = (
        (0, -opening, -opening, 0.015),
        (0.75 * opening, 0.8 * opening),
    )
    half[36:42, 2] = [-0.12, 0.0, 0.03, 0.0, 0.03, 0.0]
    half[48:52, 0], half[58:60, 0] = (
        mouth_width * np.array([-1, -0.62, -0.22, 0]),
        mouth_width * np.array([-0.25, -0.64]),
    )
    half[48:52, 1] = mouth_y + lips * np.array([0, -0.75, -1.05, -0.9])
    half[57:60, 1] = mouth_y + gape + lips * np.array([1.2, 1.15, 0.75])
    half[60:63, 0], half[66:68, 0] = (
        mouth_width * np.array([-0.86, -0.3, 0]),
        mouth_width * np.array([0, -0.3]),
    )
    half[60:63, 1] = mouth_y + lips * np.array([0.02, -0.12, -0.06])
    half[66:68, 1] = mouth_y + gape + lips * np.array([0.1, 0.08])
    half[48:68, 1] -= smile * (np.abs(half[48:68, 0]) / mouth_width) ** 2
    half[48:68, 2] = 0.22 - 1.4 * half[48:68, 0] ** 2

    whole = half[list(IBUG68.flip)] * (-1, 1, 1)
    laid_out = [
        *range(9),
        *range(17, 22),
        *range(27, 34),
        *range(36, 42),
        *range(48, 52),
        *range(57, 63),
        66,
        67,
    ]
    whole[laid_out] = half[laid_out]
    return np.asarray(whole + generator.normal(0, 0.006, whole.shape))


def cranium(solid: Matrix) -> Matrix:
    """Eleven points (11, 3) of the arc over the forehead, from one end of the jaw's line to the
    other.
    """
    angle = np.linspace(0, np.pi, 13)[1:-1]
    right, left = solid[0], solid[16]
    arc = (right + left) / 2 + np.outer(np.cos(angle), (right - left) / 2)
    return np.asarray(arc + np.outer(np.sin(angle) ** 0.8, (0, -1.0, 0.35)))


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


def draw_face(generator: np.random.Generator) -> tuple[Image, Floats]:
    """A frame with one face and its keypoints.

    Frames are 90-300 px a side; the outer eye corners of a face seen from the front are 0.2-0.32 of
    the shorter side apart. The head is rolled by up to 30 degrees, turned by up to 32 and nodded by
    up to 18; eyes and mouth are anywhere between closed and wide open.

    Args:
        generator: Decides everything; the same state gives the same image.

    Returns:
        The image ``uint8 (H, W, 3)`` RGB and the points ``float32 (68, 2)`` in pixels, in the order
        of IBUG68; some may lie outside the frame.
    """
    width = int(generator.integers(90, 301))
    height = int(np.clip(width * generator.uniform(0.9, 1.2), 90, 300))
    unit = min(width, height) * generator.uniform(0.2, 0.32)
    middle = np.array([width, height]) * generator.uniform(0.42, 0.58, 2)
    pose = random_rotation(generator)
    solid = random_head(generator)
    center = solid.mean(axis=0)
    points, skull = (
        (part - center) @ pose[:2].T * unit + middle for part in (solid, cranium(solid))
    )

    canvas = Canvas(_background(generator, height, width), unit)
    head = _Head(points, skull, _color(SKINS, generator, 10), _color(HAIRS, generator, 8))
    _paint_behind(canvas, head, generator)
    _paint_face(canvas, head, generator)
    _paint_features(canvas, head, generator)
    return _photograph(canvas.image, unit, generator), np.asarray(points, np.float32)


@dataclass(frozen=True)
class _Head:
    """What is painted: points (68, 2) and the arc over the forehead (11, 2), in pixels, and the
    colors.
    """

    points: Matrix
    skull: Matrix
    skin: Color
    hair: Color

    def region(self, name: str) -> Matrix:
        return self.points[list(IBUG68.regions[name])]


def _paint_behind(canvas: Canvas, head: _Head, generator: np.random.Generator) -> None:
    """Hair, neck, shoulders and ears, which the face then covers in part."""
    points, unit = head.points, canvas.unit
    chin, down = points[8], (points[8] - points[27]) / np.linalg.norm(points[8] - points[27])
    frame = (
        np.stack([np.array([-down[1], down[0]]), down]) * unit
    )  # Rows: to the subject's right and down, one unit long.
    outline = np.concatenate([points[[0, 2, 14, 16]], head.skull[::-1]])
    middle = outline.mean(axis=0)
    long_hair = generator.random() < 0.4
    hair = (outline - middle) * generator.uniform(1.08, 1.3) + middle
    if long_hair:
        hair[1:3] += generator.uniform(0.3, 1.0) * frame[1]
    if generator.random() < 0.92:
        canvas.area(hair, head.hair)
    neck = np.array([(-0.45, -0.5), (0.45, -0.5), (0.45, 0.7), (-0.45, 0.7)])
    shirt = np.array([(-0.5, 0.4), (0, 0.6), (0.5, 0.4), (2, 0.9), (2, 4), (-2, 4), (-2, 0.9)])
    canvas.area(chin + neck @ frame, _times(head.skin, 0.7), smooth=False)
    canvas.area(chin + shirt @ frame, tuple(generator.uniform(20, 230, 3).tolist()), smooth=False)
    if not long_hair:
        for ear in (points[0:4], points[13:17]):
            outwards = (ear.mean(axis=0) - middle) * 0.16
            canvas.area(
                np.stack([ear[0], ear[0] + outwards, ear[-1] + outwards, ear[-1]]),
                _times(head.skin, 0.85),
            )


def _paint_face(canvas: Canvas, head: _Head, generator: np.random.Generator) -> None:
    """The skin with its light and shadow, and the hair that falls over the forehead."""
    points, skin = head.points, head.skin
    jaw = head.region("jaw")
    # A turned head's far brow stands out beyond the line from ear to forehead, hence the hull.
    outline = np.concatenate(
        [curve(jaw, closed=False), curve(head.skull, closed=False), points[17:27]]
    )
    canvas.area(
        cv2.convexHull(outline.astype(np.float32))[:, 0].astype(np.float64), skin, smooth=False
    )
    canvas.line(jaw, _times(skin, 0.72), 0.025)
    nose = head.region("nose").mean(axis=0)
    shades = [(_socket(head.region(eye), nose), 0.86) for eye in ("right_eye", "left_eye")]
    shades += [(points[[27, 28, 29, 30, 32, 31]], generator.uniform(0.8, 0.95))]
    shades += [(points[[27, 28, 29, 30, 34, 35]], generator.uniform(1.02, 1.12))]
    shades += [(np.stack([*points[[58, 57, 56]], 0.6 * points[57] + 0.4 * points[8]]), 0.88)]
    canvas.shade(shades)
    if generator.random() < 0.8:
        inner = head.skull[1:-1]
        depth = generator.uniform(0.1, 0.4) * generator.uniform(0.75, 1.05, (len(inner), 1))
        canvas.area(np.concatenate([head.skull, (inner + depth * (nose - inner))[::-1]]), head.hair)


def _socket(eye: Matrix, nose: Matrix) -> Matrix:
    """A line around an eye, wider than it and moved away from the nose."""
    middle = eye.mean(axis=0)
    return np.asarray(middle + 1.5 * (eye - middle) + 0.25 * (middle - nose))


def _paint_features(canvas: Canvas, head: _Head, generator: np.random.Generator) -> None:
    points, skin = head.points, head.skin
    dark = _times(skin, 0.45)
    brow, thickness = _times(head.hair, generator.uniform(0.5, 0.9)), generator.uniform(0.04, 0.09)
    iris, gaze = _color(IRISES, generator, 8), generator.uniform(-0.06, 0.06, 2) * canvas.unit
    for side in ("right", "left"):
        canvas.line(head.region(f"{side}_brow"), brow, thickness)
        _paint_eye(canvas, head.region(f"{side}_eye"), iris, gaze, dark)
    canvas.line(points[31:36], _times(skin, 0.62), 0.03)
    for nostril in (points[31:33], points[34:36]):
        canvas.disc(nostril.mean(axis=0), 0.025, dark)
    canvas.line(points[27:31], _times(skin, 1.12), 0.03)

    outer, inner = points[48:60], points[60:68]
    red, green, blue = skin
    tint = (red, green * generator.uniform(0.5, 0.8), blue * generator.uniform(0.55, 0.85))
    lips = _times(tint, generator.uniform(0.75, 1))
    canvas.area(outer, lips)
    canvas.area(inner, _times(lips, 0.35))
    if generator.random() < 0.6:
        teeth = np.concatenate([inner[:5], (inner[3:0:-1] + inner[5:8]) / 2])
        canvas.area(teeth, (236, 232, 220))
    canvas.line(inner, _times(lips, 0.5), 0.015, closed=True)


def _paint_eye(canvas: Canvas, eye: Matrix, iris: Color, gaze: Matrix, lid: Color) -> None:
    ball = Canvas(canvas.image.copy(), canvas.unit)
    ball.area(eye, (238, 236, 232))
    center = eye.mean(axis=0) + gaze
    ball.disc(center, 0.065, iris)
    ball.disc(center, 0.03, (12, 10, 10))
    ball.disc(center - 0.02 * canvas.unit, 0.014, (250, 250, 250))
    canvas.take(ball, within=eye)
    canvas.line(eye, lid, 0.018, closed=True)
    canvas.line(eye[:4], _times(lid, 0.7), 0.03)


def _background(generator: np.random.Generator, height: int, width: int) -> Image:
    """A color gradient with shapes before it, blurred as by a lens focused on the face."""
    corners = generator.uniform(10, 245, (2, 2, 3)).astype(np.float32)
    image = np.asarray(
        cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
    )
    for _ in range(int(generator.integers(2, 14))):
        center = generator.uniform(0, (width, height))
        spread = generator.uniform(0.05, 0.4) * min(width, height)
        shape = center + generator.normal(0, spread, (int(generator.integers(3, 7)), 2))
        color = (
            generator.uniform(0, 255, 3).tolist()
            if generator.random() < 0.7
            else _color(SKINS, generator, 15)
        )
        cv2.fillPoly(
            image,
            [fixed_curve(shape, closed=True, smooth=generator.random() < 0.5)],
            color,
            cv2.LINE_AA,
            FRACTION_BITS,
        )
    return np.asarray(cv2.GaussianBlur(image, (0, 0), generator.uniform(0.5, 4)), np.uint8)


def _photograph(image: Image, unit: float, generator: np.random.Generator) -> Image:
    """One-sided light, a lens's blur and a sensor's noise."""
    height, width = image.shape[:2]
    tilt = generator.normal(0, 0.25, 2)
    light = (
        1
        + np.linspace(-tilt[0], tilt[0], width)[None]
        + np.linspace(-tilt[1], tilt[1], height)[:, None]
    )
    light *= generator.uniform(0.7, 1.15)
    lit = image * light[..., None].astype(np.float32)
    exposed = np.asarray(
        cv2.GaussianBlur(lit, (0, 0), generator.uniform(0.3, 0.02 * unit + 0.35)), np.float32
    )
    grain = generator.standard_normal((height, width, 1), np.float32)
    exposed += grain * np.float32(generator.uniform(0, 6))
    return np.clip(exposed, 0, 255, out=exposed).astype(np.uint8)


def _color(
    palette: tuple[tuple[int, int, int], ...], generator: np.random.Generator, spread: float
) -> Color:
    """One of the palette's colors, varied a little."""
    chosen = np.asarray(palette[int(generator.integers(len(palette)))])
    return tuple(np.clip(chosen + generator.normal(0, spread, 3), 0, 255).tolist())


def _times(color: Color, factor: float) -> Color:
    return tuple(min(255.0, channel * factor) for channel in color)
