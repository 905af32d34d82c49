"""What goes wrong with images of faces, each fault at fixed strengths, the same for everybody at
every call.

A corruption maps a :class:`Case` to another: the image, the true points, the input box.
Strengths that depend on the size of a face (blur, motion, resolution, cut-outs) are given for the
*reference crop*: the square around the tight box whose side is 1.3 times the longer side of the
box, at 128 x 128 pixels. What is random depends on the fault and the face's name alone.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from facedots import IBUG68, CropSpec, apply_affine, similarity, tight_boxes
from facedots.data import motion_kernel
from facedots.geometry import Floats, Image

REFERENCE, SIDE = CropSpec("box", 1.3), 128
GRAY_LEVEL = 127
DARK = (18, 18, 22)
MASKS = ((160, 195, 215), (235, 235, 235), (30, 30, 32))
"""Surgical blue, white, black."""


@dataclass(frozen=True, eq=False)
class Case:
    """One face to find.

    Attributes:
        image: RGB ``uint8 (H, W, 3)``.
        points: ``float32 (K, 2)``, the truth in pixels; NaN where a point is not labeled.
        box: ``float32 (4,)``, input of the network, ``x0 y0 x1 y1`` in pixels.
    """

    image: Image
    points: Floats
    box: Floats

    @property
    def square(self) -> tuple[float, float, float]:
        """Center x, center y and side of the reference crop, in pixels of the image."""
        x, y, side = REFERENCE.crop_squares(tight_boxes(self.points[None]), (1, 1))[0].tolist()
        return x, y, side

    @property
    def unit(self) -> float:
        """Pixels of the image in one pixel of the reference crop."""
        return self.square[2] / SIDE


Fault = Callable[[Case, float, np.random.Generator], Case]


def blur(case: Case, sigma: float, _random: np.random.Generator) -> Case:
    """Out of focus: a Gaussian of this deviation, in pixels of the reference crop."""
    return _shown(case, cv2.GaussianBlur(case.image, (0, 0), sigma * case.unit))


def motion(case: Case, length: float, random: np.random.Generator) -> Case:
    """Moved while it was taken: a line of this length, in pixels of the reference crop, in a random
    direction.
    """
    return _shown(
        case,
        cv2.filter2D(case.image, -1, motion_kernel(length * case.unit, random.uniform(0, np.pi))),
    )


def resolution(case: Case, side: float, _random: np.random.Generator) -> Case:
    """Taken from afar: the image shrunk by area until the reference crop has this side, then
    enlarged again, bilinearly.

    An image that is smaller already stays as it is. Its size does not change, so whole-pixel
    answers do not suffer from it.
    """
    height, width = case.image.shape[:2]
    zoom = side / case.square[2]
    if zoom >= 1:
        return case
    small = cv2.resize(
        case.image,
        (max(1, round(width * zoom)), max(1, round(height * zoom))),
        interpolation=cv2.INTER_AREA,
    )
    return _shown(case, cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def jpeg(case: Case, quality: float, _random: np.random.Generator) -> Case:
    """Stored as JPEG of this quality, OpenCV's 0 to 100."""
    _, data = cv2.imencode(
        ".jpg", case.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, round(quality)]
    )
    return _shown(case, np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])


def noise(case: Case, deviation: float, random: np.random.Generator) -> Case:
    """Grain: Gaussian noise of this deviation in gray levels, its own for each channel and pixel of
    the image.
    """
    grain = random.standard_normal(case.image.shape, np.float32) * np.float32(deviation)
    return _shown(case, (case.image + grain).round().clip(0, 255))


def gamma(case: Case, exponent: float, _random: np.random.Generator) -> Case:
    """Over- or underexposed: every level in [0, 1] raised to this power; above 1 is darker."""
    levels = (255 * np.linspace(0, 1, 256) ** exponent).round().astype(np.uint8)
    return _shown(case, levels[case.image])


def cut_out(case: Case, share: float, random: np.random.Generator) -> Case:
    """Something before the face: a gray square, this share of the reference crop's side, its center
    anywhere in the tight box.
    """
    x0, y0, x1, y1 = tight_boxes(case.points[None])[0].tolist()
    x, y = random.uniform((x0, y0), (x1, y1)).tolist()
    half = share * case.square[2] / 2
    image = case.image.copy()
    left, top, right, bottom = (
        max(0, round(value))
        for value in (x - half + 0.5, y - half + 0.5, x + half + 0.5, y + half + 0.5)
    )
    image[top:bottom, left:right] = GRAY_LEVEL
    return _shown(case, image)


def roll(case: Case, degrees: float, random: np.random.Generator) -> Case:
    """A tilted head: the image turned about the middle of the tight box, this way or that, the box
    recomputed around the points.

    The frame keeps its size and place; what lies outside it is black.
    """
    x, y, _ = case.square
    matrix = similarity(degrees if random.random() < 0.5 else -degrees, 1, (0, 0), (x, y))
    image = cv2.warpAffine(
        case.image, matrix, (case.image.shape[1], case.image.shape[0]), flags=cv2.INTER_LINEAR
    )
    points = apply_affine(matrix, case.points)
    return Case(np.asarray(image, np.uint8), points, tight_boxes(points[None])[0])


def box_shift(case: Case, share: float, random: np.random.Generator) -> Case:
    """A bad detector: the box shifted by this share of its width and of its height, in
    one of four directions.
    """
    x0, y0, x1, y1 = case.box.tolist()
    dx, dy = share * random.choice((-1, 1), 2) * (x1 - x0, y1 - y0)
    return replace(case, box=case.box + np.array([dx, dy, dx, dy], np.float32))


def box_scale(case: Case, factor: float, _random: np.random.Generator) -> Case:
    """A box too small or too large, about its center."""
    center = (case.box[:2] + case.box[2:]) / 2
    half = (case.box[2:] - case.box[:2]) / 2 * np.float32(factor)
    return replace(case, box=np.concatenate([center - half, center + half]))


def gray(case: Case, _level: float, _random: np.random.Generator) -> Case:
    """No color."""
    return _shown(
        case, cv2.cvtColor(cv2.cvtColor(case.image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    )


def sunglasses(case: Case, _level: float, _random: np.random.Generator) -> Case:
    """Dark glasses: a lens over each eye, as wide as 1.7 eyes, and the bridge between them."""
    image = case.image.copy()
    right, left = (case.points[list(IBUG68.regions[name])] for name in ("right_eye", "left_eye"))
    across = left.mean(axis=0) - right.mean(axis=0)
    tilt = float(np.degrees(np.arctan2(across[1], across[0])))
    for eye in (right, left):
        width = 0.85 * float(np.linalg.norm(eye[3] - eye[0]))
        center = eye.mean(axis=0)
        cv2.ellipse(
            image,
            _pixel(center),
            (round(width), round(0.75 * width)),
            tilt,
            0,
            360,
            DARK,
            -1,
            cv2.LINE_AA,
        )
    thick = max(1, round(0.06 * float(np.linalg.norm(across))))
    cv2.line(image, _pixel(right.mean(axis=0)), _pixel(left.mean(axis=0)), DARK, thick, cv2.LINE_AA)
    return _shown(case, image)


def mask(case: Case, _level: float, random: np.random.Generator) -> Case:
    """A face mask of one color, from the bridge of the nose to the chin, jaw to jaw."""
    image = case.image.copy()
    color = MASKS[int(random.integers(len(MASKS)))]
    outline = case.points[[1, 3, 5, 7, 8, 9, 11, 13, 15, 28]]
    cv2.fillPoly(image, [outline.round().astype(np.int32)], color, cv2.LINE_AA)
    return _shown(case, image)


def hand(case: Case, _level: float, random: np.random.Generator) -> Case:
    """Four fingers of the face's own color over the mouth or over a cheek, from below or from one
    side.
    """
    image = case.image.copy()
    skin = np.median(np.stack([image[y, x] for x, y in _inside(case.points[27:36], image)]), axis=0)
    target = case.points[[66, 3, 13][int(random.integers(3))]]
    unit = float(np.linalg.norm(case.points[45] - case.points[36]))
    angle = float(random.uniform(0, np.pi))  # from the right over below to the left of the image
    along, aside = (
        np.array([np.cos(angle), np.sin(angle)]),
        np.array([-np.sin(angle), np.cos(angle)]),
    )
    for finger, shade in enumerate((0.95, 0.85, 0.9, 0.8)):
        tip = target + aside * (finger - 1.5) * 0.22 * unit - along * unit * 0.25
        color = tuple((skin * shade).round().tolist())
        cv2.line(
            image,
            _pixel(tip),
            _pixel(tip + along * 2 * unit),
            color,
            max(2, round(0.2 * unit)),
            cv2.LINE_AA,
        )
    return _shown(case, image)


def _pixel(point: Floats) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _inside(points: Floats, image: Image) -> list[tuple[int, int]]:
    """The pixels under points, moved to the image's edge where they lie outside."""
    height, width = image.shape[:2]
    return [(min(max(x, 0), width - 1), min(max(y, 0), height - 1)) for x, y in map(_pixel, points)]


@dataclass(frozen=True)
class Corruption:
    """A fault at one strength.

    Attributes:
        kind: Name of the fault, as in ``"blur"``.
        level: Its strength.
        fault: What it does.
        label: How a table writes the strength, as a format.
    """

    kind: str
    level: float
    fault: Fault
    label: str = ""

    @property
    def name(self) -> str:
        """As in ``"roll ±45°"``."""
        return f"{self.kind} {self.label.format(self.level)}".strip()

    def __call__(self, case: Case, face: str) -> Case:
        """The case with this fault; the same again for the same name of the face."""
        return self.fault(
            case, self.level, np.random.default_rng(zlib.crc32(f"{self.name}/{face}".encode()))
        )


def _at(
    kind: str, fault: Fault, levels: tuple[float, ...], label: str = "{:g}"
) -> list[Corruption]:
    return [Corruption(kind, level, fault, label) for level in levels]


CORRUPTIONS = (
    *_at("blur", blur, (1, 2, 4), "{:g} px"),
    *_at("motion", motion, (5, 9, 15), "{:g} px"),
    *_at("resolution", resolution, (48, 32, 24), "{:g} px"),
    *_at("JPEG", jpeg, (30, 15, 7)),
    *_at("noise", noise, (8, 16, 32)),
    *_at("gamma", gamma, (0.4, 0.6, 1.6, 2.5)),
    *_at("cut-out", cut_out, (0.2, 0.3, 0.4), "{:.0%}"),
    *_at("roll", roll, (15, 30, 45, 90), "±{:g}°"),
    *_at("box shift", box_shift, (0.05, 0.1, 0.15), "±{:.0%}"),
    *_at("box scale", box_scale, (0.8, 1.3), "×{:g}"),
    Corruption("gray", 0, gray),
)
"""What counts in the mean of ``robustness.py``, each strength once."""
COVERS = (
    Corruption("sunglasses", 0, sunglasses),
    Corruption("mask", 0, mask),
    Corruption("hand", 0, hand),
)
"""Drawn over a part of the face; reported apart from the others, outside the mean. They need the 68
points of the iBUG order.
"""


def _shown(case: Case, image: object) -> Case:
    """The case with another image of the same size."""
    return replace(case, image=np.ascontiguousarray(np.asarray(image, np.uint8)))
