"""A face that the project draws itself: a solid shape of 68 points, a random person and pose, and a painter.

The shape, the colours and the strokes are facedots' own; no picture of a person and no statistical model of faces went in. Since
the strokes run through the projected points, the keypoints are exact to a fraction of a pixel.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.geometry import Floats, Matrix
from facedots.schema import IBUG68
from facedots.warp import Image

Colour = tuple[float, ...]

SKINS = ((246, 214, 190), (232, 190, 158), (208, 158, 122), (172, 120, 86), (128, 84, 58), (86, 56, 42))
HAIRS = ((28, 22, 20), (62, 40, 26), (110, 72, 40), (168, 116, 60), (214, 180, 120), (150, 150, 150), (226, 224, 220))
IRISES = ((74, 48, 28), (110, 82, 44), (84, 116, 148), (92, 122, 84), (40, 28, 22))

_SHIFT = 4  # OpenCV takes coordinates as whole numbers of 1/16 px.
_JAW, _INNER_MOUTH = range(17), range(60, 68)


def draw_face(generator: np.random.Generator) -> tuple[Image, Floats]:
    """A frame with one face and its keypoints.

    Frames are 90-300 px a side; the outer eye corners are 0.2-0.32 of the shorter side apart. The head is rolled by up to 30
    degrees, turned by up to 32 and nodded by up to 18; eyes and mouth are anywhere between closed and wide open.

    Args:
        generator: Decides everything; the same state gives the same picture.

    Returns:
        The picture ``uint8 (H, W, 3)`` RGB and the points ``float32 (68, 2)`` in pixels, in the order of IBUG68; jaw points may lie
        outside the frame.
    """
    width = int(generator.integers(90, 301))
    height = int(np.clip(width * generator.uniform(0.9, 1.2), 90, 300))
    unit = min(width, height) * generator.uniform(0.2, 0.32)
    middle = np.array([width, height]) * generator.uniform(0.42, 0.58, 2)
    rotation = _rotation(generator)
    solid = _person(generator)
    centre = solid.mean(axis=0)

    def project(points: Matrix) -> Matrix:
        return np.asarray((points - centre) @ rotation[:2].T * unit + middle)

    points = project(solid)
    painter = _Painter(_background(generator, height, width), unit)
    _paint(painter, points, project(_cranium(solid)), generator)
    return _photograph(painter.image, unit, generator), points.astype(np.float32)


def _rotation(generator: np.random.Generator) -> Matrix:
    """Rotation matrix (3, 3); x points right, y down, z at the viewer."""
    yaw, pitch, roll = np.deg2rad(generator.uniform((-32, -18, -30), (32, 18, 30)))
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(tilt @ nod @ turn)


def _person(generator: np.random.Generator) -> Matrix:
    """The 68 points (68, 3) of a person with an expression, in outer-eye distances; the eyes' line is y = 0.

    The half on the subject's right (x < 0) is laid out, then mirrored by the schema's own order.
    """
    vary = generator.uniform
    opening = vary(0.02, 0.075) if generator.random() < 0.85 else vary(0.0, 0.012)
    gape = max(0.0, float(generator.normal(0.0, 0.16)))
    smile, raised = vary(-0.04, 0.07), vary(-0.05, 0.06)
    face_width, chin, nose_end, mouth_y = vary(0.74, 0.88), vary(1.22, 1.45), vary(0.52, 0.66), vary(0.84, 0.96)
    mouth_width, lips, inner_eye = vary(0.27, 0.4), vary(0.045, 0.1), vary(0.17, 0.22)

    half = np.zeros((IBUG68.count, 3))
    angle = np.linspace(np.pi / 2, 0, 9)
    half[0:9, 0] = -face_width * np.sin(angle) ** vary(0.75, 1.0)
    half[0:9, 1] = 0.02 + (chin + 0.6 * gape) * np.cos(angle) ** vary(0.75, 0.95)
    half[0:9, 2] = 0.08 - 0.75 * np.sin(angle) ** 2
    half[17:22] = [(-0.70, -0.17, -0.16), (-0.60, -0.27, -0.04), (-0.46, -0.31, 0.03), (-0.31, -0.29, 0.07), (-0.17, -0.25, 0.09)]
    half[17:22, 1] -= raised
    half[27:31] = [(0, nose_end * share, 0.08 + 0.38 * share) for share in (0.02, 0.3, 0.58, 0.87)]
    half[31:34, 0] = -vary(0.8, 1.2) * np.array([0.17, 0.09, 0])
    half[31:34, 1] = nose_end + np.array([0.02, 0.06, 0.075])
    half[31:34, 2] = [0.14, 0.21, 0.26]
    across = np.linspace(-0.5, -inner_eye, 4)
    half[36:40, 0], half[[41, 40], 0] = across, across[1:3]
    half[36:40, 1], half[[41, 40], 1] = (0, -opening, -opening, 0.015), (0.75 * opening, 0.8 * opening)
    half[36:42, 2] = [-0.12, 0.0, 0.03, 0.0, 0.03, 0.0]
    half[48:52, 0], half[58:60, 0] = mouth_width * np.array([-1, -0.62, -0.22, 0]), mouth_width * np.array([-0.25, -0.64])
    half[48:52, 1] = mouth_y + lips * np.array([0, -0.75, -1.05, -0.9])
    half[57:60, 1] = mouth_y + gape + lips * np.array([1.2, 1.15, 0.75])
    half[60:63, 0], half[66:68, 0] = mouth_width * np.array([-0.86, -0.3, 0]), mouth_width * np.array([0, -0.3])
    half[60:63, 1] = mouth_y + lips * np.array([0.02, -0.12, -0.06])
    half[66:68, 1] = mouth_y + gape + lips * np.array([0.1, 0.08])
    half[48:68, 1] -= smile * (np.abs(half[48:68, 0]) / mouth_width) ** 2
    half[48:68, 2] = 0.22 - 1.4 * half[48:68, 0] ** 2

    whole = half[list(IBUG68.flip)] * (-1, 1, 1)
    laid_out = [*range(9), *range(17, 22), *range(27, 34), *range(36, 42), *range(48, 52), *range(57, 63), 66, 67]
    whole[laid_out] = half[laid_out]
    return np.asarray(whole + generator.normal(0, 0.006, whole.shape))


def _cranium(solid: Matrix) -> Matrix:
    """Eleven points (11, 3) of the arc over the forehead, from one end of the jaw's line to the other."""
    angle = np.linspace(0, np.pi, 13)[1:-1]
    right, left = solid[_JAW[0]], solid[_JAW[-1]]
    arc = (right + left) / 2 + np.outer(np.cos(angle), (right - left) / 2)
    return np.asarray(arc + np.outer(np.sin(angle) ** 0.8, (0, -1.0, 0.35)))


@lru_cache
def _spline(count: int, closed: bool, steps: int = 6) -> Matrix:
    """Weights (n, count) of the Catmull-Rom curve through ``count`` points."""
    spans = count if closed else count - 1
    t = np.arange(steps) / steps
    basis = np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1) / 2
    weights = np.zeros((spans * steps + (not closed), count))
    for span in range(spans):
        for offset in range(4):
            point = span + offset - 1
            point = point % count if closed else min(max(point, 0), count - 1)
            weights[span * steps : (span + 1) * steps, point] += basis[:, offset]
    if not closed:
        weights[-1, -1] = 1
    return weights


class _Painter:
    """Smooth, anti-aliased strokes on one picture; lengths are given in outer-eye distances."""

    def __init__(self, image: Image, unit: float) -> None:
        self.image = image
        self.unit = unit

    def area(self, points: Matrix, colour: Colour, smooth: bool = True) -> None:
        cv2.fillPoly(self.image, [_fixed(points, closed=True, smooth=smooth)], colour, cv2.LINE_AA, _SHIFT)

    def line(self, points: Matrix, colour: Colour, thickness: float, closed: bool = False) -> None:
        pixels = max(1, round(thickness * self.unit))
        cv2.polylines(self.image, [_fixed(points, closed, smooth=True)], closed, colour, pixels, cv2.LINE_AA, _SHIFT)

    def disc(self, centre: Matrix, radius: float, colour: Colour) -> None:
        x, y = np.round(centre * 2**_SHIFT).astype(int).tolist()
        cv2.circle(self.image, (x, y), max(1, round(radius * self.unit * 2**_SHIFT)), colour, -1, cv2.LINE_AA, _SHIFT)

    def within(self, points: Matrix, other: "_Painter") -> None:
        """Take over what ``other`` painted, inside the area only."""
        mask = np.zeros(self.image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [_fixed(points, closed=True, smooth=True)], 255, cv2.LINE_AA, _SHIFT)
        x, y, width, height = cv2.boundingRect(mask)
        part = np.s_[y : y + height, x : x + width]
        share = mask[part][..., None] / np.float32(255)
        self.image[part] = self.image[part] * (1 - share) + other.image[part] * share

    def shade(self, areas: list[tuple[Matrix, float]]) -> None:
        """Lighten or darken areas by a factor, with soft borders."""
        light = np.ones(self.image.shape[:2], np.float32)
        for points, factor in areas:
            cv2.fillPoly(light, [_fixed(points, closed=True, smooth=True)], factor, cv2.LINE_8, _SHIFT)
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), 0.07 * self.unit), np.float32)
        self.image[:] = np.clip(self.image * light[..., None], 0, 255)


def _fixed(points: Matrix, closed: bool, smooth: bool) -> NDArray[np.int32]:
    curve = _spline(len(points), closed) @ points if smooth else points
    return np.asarray(np.round(curve * 2**_SHIFT), np.int32)


def _paint(painter: _Painter, points: Matrix, cranium: Matrix, generator: np.random.Generator) -> None:
    skin = _colour(SKINS, generator, 10)
    hair = _colour(HAIRS, generator, 8)
    outline = np.concatenate([points[_JAW], cranium[::-1]])
    _paint_behind(painter, points, cranium, skin, hair, generator)
    painter.area(outline, skin)
    painter.line(points[_JAW], _times(skin, 0.72), 0.025)
    centre = points[27:36].mean(axis=0)
    eyes = [points[IBUG68.regions[region], :] for region in ("right_eye", "left_eye")]
    shades = [((eye - eye.mean(axis=0)) * 1.5 + eye.mean(axis=0) - 0.25 * (eye.mean(axis=0) - centre), 0.86) for eye in eyes]
    shades += [(np.concatenate([points[27:31], points[[30, 32, 31]]]), generator.uniform(0.8, 0.95))]
    shades += [(np.concatenate([points[27:31], points[[30, 34, 35]]]), generator.uniform(1.02, 1.12))]
    shades += [(np.stack([points[58], points[57], points[56], 0.6 * points[57] + 0.4 * points[8]]), 0.88)]
    painter.shade(shades)
    if generator.random() < 0.8:
        depth = generator.uniform(0.1, 0.45)
        fringe = cranium[1:-1] + depth * (centre - cranium[1:-1]) * generator.uniform(0.75, 1.05, (len(cranium) - 2, 1))
        painter.area(np.concatenate([cranium, fringe[::-1]]), hair)
    _paint_features(painter, points, skin, hair, generator)


def _paint_behind(
    painter: _Painter, points: Matrix, cranium: Matrix, skin: Colour, hair: Colour, generator: np.random.Generator
) -> None:
    """Hair, neck, shoulders and ears: what the face's outline covers."""
    down = (points[8] - points[27]) / np.linalg.norm(points[8] - points[27])
    head = np.concatenate([points[[0, 2]], points[[14, 16]], cranium[::-1]])
    middle = head.mean(axis=0)
    long_hair = generator.random() < 0.4
    back = (head - middle) * generator.uniform(1.08, 1.3) + middle
    if long_hair:
        back[1:3] += down * painter.unit * generator.uniform(0.3, 1.0)
    if generator.random() < 0.92:
        painter.area(back, hair)
    unit = painter.unit
    chin, side = points[8], np.array([-down[1], down[0]])
    left, right = chin - side * 0.45 * unit - down * 0.5 * unit, chin + side * 0.45 * unit - down * 0.5 * unit
    painter.area(np.stack([left, right, right + down * 1.2 * unit, left + down * 1.2 * unit]), _times(skin, 0.7), smooth=False)
    shirt = tuple(generator.uniform(20, 230, 3).tolist())
    shoulders = [
        chin + side * x * unit + down * y * unit
        for x, y in ((-0.5, 0.4), (0, 0.6), (0.5, 0.4), (2, 0.9), (2, 4), (-2, 4), (-2, 0.9))
    ]
    painter.area(np.stack(shoulders), shirt, smooth=False)
    if not long_hair:
        for ear in (points[0:4], points[13:17]):
            outwards = (ear.mean(axis=0) - middle) * (0.16, 0.02)
            painter.area(np.stack([ear[0], ear[0] + outwards, ear[-1] + outwards, ear[-1]]), _times(skin, 0.85))


def _paint_features(painter: _Painter, points: Matrix, skin: Colour, hair: Colour, generator: np.random.Generator) -> None:
    dark = _times(skin, 0.45)
    brow = _times(hair, generator.uniform(0.5, 0.9))
    for region in ("right_brow", "left_brow"):
        painter.line(points[IBUG68.regions[region], :], brow, generator.uniform(0.04, 0.09))
    iris, gaze = _colour(IRISES, generator, 8), generator.uniform(-0.06, 0.06, 2) * painter.unit
    for region in ("right_eye", "left_eye"):
        _paint_eye(painter, points[IBUG68.regions[region], :], iris, gaze, dark)
    painter.line(points[31:36], _times(skin, 0.62), 0.03)
    for nostril in ((points[31] + points[32]) / 2, (points[34] + points[35]) / 2):
        painter.disc(nostril, 0.025, dark)
    painter.line(points[27:31], _times(skin, 1.12), 0.03)
    lips = _times(
        (skin[0], skin[1] * generator.uniform(0.5, 0.8), skin[2] * generator.uniform(0.55, 0.85)), generator.uniform(0.75, 1)
    )
    painter.area(points[48:60], lips)
    painter.area(points[_INNER_MOUTH, :], _times(lips, 0.35))
    inner = points[_INNER_MOUTH, :]
    if generator.random() < 0.6:
        teeth = np.concatenate([inner[:5], inner[1:4][::-1] * 0.5 + inner[5:8] * 0.5])
        painter.area(teeth, (236, 232, 220))
    painter.line(inner, _times(lips, 0.5), 0.015, closed=True)


def _paint_eye(painter: _Painter, eye: Matrix, iris: Colour, gaze: Matrix, lid: Colour) -> None:
    ball = _Painter(painter.image.copy(), painter.unit)
    ball.area(eye, (238, 236, 232))
    centre = eye.mean(axis=0) + gaze
    ball.disc(centre, 0.065, iris)
    ball.disc(centre, 0.03, (12, 10, 10))
    ball.disc(centre - 0.02 * painter.unit, 0.014, (250, 250, 250))
    painter.within(eye, ball)
    painter.line(eye, lid, 0.018, closed=True)
    painter.line(eye[:4], _times(lid, 0.7), 0.03)


def _background(generator: np.random.Generator, height: int, width: int) -> Image:
    """A colour gradient with shapes before it, blurred as by a lens focused on the face."""
    corners = generator.uniform(10, 245, (2, 2, 3)).astype(np.float32)
    image = np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    for _ in range(int(generator.integers(2, 14))):
        centre = generator.uniform(0, (width, height))
        spread = generator.uniform(0.05, 0.4) * min(width, height)
        corners = centre + generator.normal(0, spread, (int(generator.integers(3, 7)), 2))
        colour = generator.uniform(0, 255, 3).tolist() if generator.random() < 0.7 else _colour(SKINS, generator, 15)
        cv2.fillPoly(image, [_fixed(corners, closed=True, smooth=generator.random() < 0.5)], colour, cv2.LINE_AA, _SHIFT)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), generator.uniform(0.5, 4)), np.uint8)


def _photograph(image: Image, unit: float, generator: np.random.Generator) -> Image:
    """One-sided light, a lens's blur and a sensor's noise."""
    height, width = image.shape[:2]
    tilt = generator.normal(0, 0.25, 2)
    light = np.linspace(-tilt[0], tilt[0], width)[None] + np.linspace(-tilt[1], tilt[1], height)[:, None]
    exposed = image * (generator.uniform(0.7, 1.15) * (1 + light))[..., None].astype(np.float32)
    exposed = cv2.GaussianBlur(exposed, (0, 0), generator.uniform(0.3, 0.02 * unit + 0.35))
    exposed += generator.standard_normal(exposed.shape, np.float32) * np.float32(generator.uniform(0, 6))
    return np.asarray(np.clip(exposed, 0, 255), np.uint8)


def _colour(palette: tuple[tuple[int, int, int], ...], generator: np.random.Generator, spread: float) -> Colour:
    chosen = np.asarray(palette[int(generator.integers(len(palette)))])
    return tuple(np.clip(chosen + generator.normal(0, spread, 3), 0, 255).tolist())


def _times(colour: Colour, factor: float) -> Colour:
    return tuple(min(255.0, channel * factor) for channel in colour)
