"""What covers faces, drawn over them, so that it is known which points are hidden: medical masks,
scarves, hands, glasses, strands of hair, things.

Functions ``draw_…`` paint into an RGB image ``uint8 (H, W, 3)`` and set the pixels they cover in
``covered``, ``bool (H, W)``; points are in pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.data.dataset import Randomized, Sample
from facedots.data.scenes import lower_face
from facedots.data.transforms import hide_covered
from facedots.drawing import draw_line, draw_polygons
from facedots.geometry import Floats, Image
from facedots.regions import pixel_box
from facedots.schema import IBUG68, KeypointSchema

Covered = NDArray[np.bool_]
Draw = Callable[[Image, Covered, Floats, np.random.Generator], None]

CIRCLE: Floats = np.stack([f(np.linspace(0, 2 * np.pi, 24)[:-1]) for f in (np.cos, np.sin)], axis=1)
"""Of radius 1, as a polygon."""


@dataclass
class OccludeFace(Randomized):
    """Cover a part of some faces, with probability ``p``; of a sample with ``'visible'``, the
    points below are hidden.

    Masks and glasses need the points of :data:`~facedots.schema.IBUG68`, the others any.

    Example:
        >>> from facedots.data.synthetic import draw_face
        >>> image, points = draw_face(np.random.default_rng(0))
        >>> sample = {"image": image, "keypoints": points, "visible": np.ones(68, np.float32)}
        >>> occlude = OccludeFace(IBUG68, p=1.0, generator=np.random.default_rng(0))
        >>> bool(occlude(sample)["visible"].all())
        False
    """

    schema: KeypointSchema = field(repr=False)
    p: float = 0.25

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample, its face covered in part or not."""
        points, random = sample["keypoints"], self.generator
        labeled = points[np.isfinite(points).all(axis=1)]
        if random.random() >= self.p or len(labeled) < 3 or not np.ptp(labeled, axis=0).min() > 4:
            return dict(sample)
        whole = len(labeled) == len(points) and self.schema == IBUG68
        draws = FACE_OCCLUDERS if whole else OCCLUDERS
        image, covered = sample["image"].copy(), np.zeros(sample["image"].shape[:2], bool)
        draws[int(random.integers(len(draws)))](image, covered, labeled, random)
        return {**hide_covered(sample, covered), "image": image}


def draw_mask(image: Image, covered: Covered, points: Floats, random: np.random.Generator) -> None:
    """A medical mask or a scarf on the face of points ``(68, 2)``."""
    draw_medical_mask(image, covered, lower_face(points), random)


def draw_medical_mask(
    image: Image, covered: Covered, outline: Floats, random: np.random.Generator
) -> None:
    """A mask over the lower face, of an ``outline`` as :func:`~facedots.data.scenes.lower_face`
    gives it: from ear to ear around the chin, and the bridge of the nose. One in eight is worn
    below the nose.
    """
    jaw, chin, bridge = outline[:-1], outline[6], outline[-1]
    lowered = random.uniform(0.3, 0.37) if random.random() < 0.12 else random.uniform(-0.12, 0.1)
    top = bridge + lowered * (chin - bridge)
    middle = (jaw.mean(axis=0) + chin) / 2
    first = int(random.integers(2))  # how close to the ears
    jaw = middle + (jaw[first : len(jaw) - first] - middle) * random.uniform(1.02, 1.14)
    cheeks = [top + 0.45 * (end - top) - 0.06 * (chin - top) for end in (jaw[-1], jaw[0])]
    mask = np.stack([*jaw, cheeks[0], top, cheeks[1]]).astype(np.float32)
    cloth = random.random() < 0.3
    color = random.integers(0, 256, 3) if cloth else random.integers(150, 256, 3)
    if not cloth and random.random() < 0.4:
        kind = int(random.integers(len(MEDICAL_COLORS)))
        color = np.array(MEDICAL_COLORS[kind]) + random.integers(-15, 16)
    texture = _patch(image, random) if cloth and random.random() < 0.5 else _shaded(color, random)
    for end, other in ((jaw[0], jaw[-1]), (jaw[-1], jaw[0])):
        ear = end + (end - other) * 0.2 - (chin - top) * random.uniform(0, 0.25)
        _line(image, covered, np.stack([end, ear]), color, 1)
    _paint(image, covered, mask, texture)
    if np.ptp(mask, axis=0).max() > 24:
        _draw_folds(image, jaw, top, color, random)


MEDICAL_COLORS = ((150, 200, 225), (235, 240, 240), (160, 215, 200), (40, 40, 45), (240, 190, 200))


def _draw_folds(
    image: Image, jaw: Floats, top: Floats, color: NDArray[np.integer], random: np.random.Generator
) -> None:
    """Pleats across the mask."""
    count, middle = int(random.integers(0, 4)), jaw[len(jaw) // 2]
    for share in (np.arange(count) + 1) / (count + 1.5):
        place = share * (len(jaw) // 2 - 1)
        row = int(place)
        ends = jaw[[row, -1 - row]] + (place - row) * (
            jaw[[row + 1, -2 - row]] - jaw[[row, -1 - row]]
        )
        center = top + (0.25 + 0.6 * share) * (middle - top)
        curve = np.stack([ends[0], (ends[0] + 2 * center) / 3, (ends[1] + 2 * center) / 3, ends[1]])
        shade = (color * random.uniform(0.65, 0.9)).clip(0, 255).astype(int).tolist()
        draw_line(image, curve, shade)


def draw_glasses(
    image: Image, covered: Covered, points: Floats, random: np.random.Generator
) -> None:
    """Sunglasses on points ``(68, 2)``; one in three is clear: its frame alone hides."""
    eyes = [points[list(IBUG68.regions[name])].mean(axis=0) for name in ("right_eye", "left_eye")]
    across = eyes[1] - eyes[0]
    down = np.array([-across[1], across[0]]) * random.uniform(0.8, 1.0)
    widths = [float(np.linalg.norm(points[a] - points[b])) for a, b in ((36, 39), (42, 45))]
    reach = np.linalg.norm(across) or 1.0
    size, height, power = (
        random.uniform(0.8, 1.1),
        random.uniform(0.24, 0.36),
        random.uniform(0.4, 1),
    )
    color, clear = random.integers(0, 60, 3), random.random() < 0.33
    texture = _shaded(color + random.integers(0, 70), random)
    lens = np.sign(CIRCLE) * np.abs(CIRCLE) ** power
    thick = max(1, round(reach / 40 * random.uniform(0.7, 2.0)))
    for eye, width in zip(eyes, widths, strict=True):
        center = eye + 0.05 * down
        rim = center + lens @ np.stack([across * size * width / reach, down * height])
        if not clear:
            _paint(image, covered, rim, texture)
        _line(image, covered, np.concatenate([rim, rim[:1]]), color, thick)
    bridge, ear = points[27] + (eyes[0] + eyes[1]) / 2, (points[0], points[16])
    for eye, width, end in zip(eyes, widths, ear, strict=True):
        out = (end - eye) / max(float(np.linalg.norm(end - eye)), 1e-6)
        _line(image, covered, np.stack([eye + out * size * width, end]), color, thick)
        _line(image, covered, np.stack([bridge / 2, eye + (bridge / 2 - eye) * 0.4]), color, thick)


def draw_hand(image: Image, covered: Covered, points: Floats, random: np.random.Generator) -> None:
    """A hand or an arm, of about the color of the face, that reaches to one of the points."""
    tip = points[int(random.integers(len(points)))]
    side = float(np.ptp(points, axis=0).max())
    angle = random.uniform(0, 2 * np.pi)
    back = np.array([np.cos(angle), np.sin(angle)])
    skin = _color_at(image, points.mean(axis=0)) * random.uniform(0.7, 1.15)
    radius = side * random.uniform(0.04, 0.07)
    palm = tip + back * side * random.uniform(0.2, 0.4)
    arm = np.stack([palm, palm + back * 2 * side])
    _limb(image, covered, arm, radius * random.uniform(2, 3), _shaded(skin, random))
    for spread in np.linspace(-0.5, 0.5, int(random.integers(1, 5))) * random.uniform(0.6, 1.4):
        cos, sin = np.cos(spread), np.sin(spread)
        reach = np.array([[cos, -sin], [sin, cos]]) @ (tip - palm) * random.uniform(0.8, 1.1)
        _limb(image, covered, np.stack([palm, palm + reach]), radius, _shaded(skin, random))


def draw_strands(
    image: Image, covered: Covered, points: Floats, random: np.random.Generator
) -> None:
    """Strands of hair across the face, of the color above it or any dark one."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = high - low
    root = low + size * (random.uniform(0, 1), random.uniform(-0.4, -0.1))
    fall = size * (random.uniform(-0.5, 0.5), random.uniform(0.5, 1.3))
    hair = _color_at(image, root) if random.random() < 0.6 else random.integers(0, 90, 3)
    t = np.linspace(0, 1, 8)[:, None]
    bend = random.normal(0, 0.12, 2) * size
    width = max(1, round(float(size.max()) / 45))
    for _ in range(int(random.integers(3, 10))):
        start, end = root + random.normal(0, 0.08, 2) * size, fall + random.normal(0, 0.1, 2) * size
        color = hair * random.uniform(0.7, 1.2)
        _line(image, covered, start + t * end + t * (1 - t) * 4 * bend, color, width)


def draw_thing(image: Image, covered: Covered, points: Floats, random: np.random.Generator) -> None:
    """A turned rectangle or ellipse over one of the points: another part of the image, or plain."""
    center = points[int(random.integers(len(points)))]
    axes = float(np.ptp(points, axis=0).max()) * random.uniform(0.12, 0.4, 2)
    angle = random.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    shape = (corners if random.random() < 0.5 else CIRCLE) * axes
    plain = random.random() < 0.35
    texture = _shaded(random.integers(0, 256, 3), random) if plain else _patch(image, random)
    _paint(image, covered, center + shape @ turn, texture)


OCCLUDERS: tuple[Draw, ...] = (draw_hand, draw_strands, draw_thing)
FACE_OCCLUDERS: tuple[Draw, ...] = (draw_mask, draw_mask, draw_glasses, *OCCLUDERS)
"""Those that need all points of :data:`~facedots.schema.IBUG68` too; masks are twice as likely."""


def _limb(image: Image, covered: Covered, ends: Floats, radius: float, texture: Image) -> None:
    """A rounded bar between two ``ends``, with darker edges."""
    along = (ends[1] - ends[0]) / max(float(np.linalg.norm(ends[1] - ends[0])), 1e-6)
    ahead = (CIRCLE @ along > 0).astype(int)
    hull = cv2.convexHull((ends[ahead] + radius * CIRCLE).astype(np.float32))
    shape = np.asarray(hull, np.float32)[:, 0]
    _paint(image, covered, shape, texture)
    draw_line(image, shape, (texture.mean(axis=(0, 1)) * 0.75).tolist(), closed=True)


def _paint(image: Image, covered: Covered, outline: Floats, texture: Image) -> None:
    """Fill a polygon ``(N, 2)`` with a texture stretched over its box."""
    left, top, right, bottom = pixel_box(outline, (image.shape[0], image.shape[1]))
    if left >= right or top >= bottom:
        return
    window = np.s_[top:bottom, left:right]
    shape = np.zeros((bottom - top, right - left), np.uint8)
    draw_polygons(shape, [outline - (left, top)], (1,), smooth=False)
    fill = cv2.resize(texture, shape.shape[::-1], interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(fill, shape, image[window])
    covered[window] |= shape > 0


def _line(
    image: Image, covered: Covered, line: Floats, color: NDArray[np.generic], width: int
) -> None:
    """A polyline ``(N, 2)`` of ``width`` pixels."""
    draw_line(image, line, np.asarray(color, np.float64).clip(0, 255).tolist(), width)
    draw_line(covered.view(np.uint8), line, (1,), width, smooth=False)


def _shaded(color: NDArray[np.generic], random: np.random.Generator) -> Image:
    """A texture of one color in uneven light, ``uint8 (2, 2, 3)``."""
    gains = random.uniform(0.75, 1.1, (2, 2, 1))
    return (np.asarray(color, np.float64) * gains).clip(0, 255).astype(np.uint8)


def _patch(image: Image, random: np.random.Generator) -> Image:
    """A random part of the image, a tenth to a half of it a side."""
    size = np.array(image.shape[:2])
    height, width = np.maximum(size * random.uniform(0.1, 0.5, 2), 1).astype(int).tolist()
    top, left = (random.random(2) * (size - (height, width))).astype(int).tolist()
    return image[top : top + height, left : left + width].copy()


def _color_at(image: Image, place: Floats) -> Floats:
    """The color at a place, or at the border next to it: ``float64 (3,)``."""
    x, y = np.clip(np.asarray(place).round(), 0, np.array(image.shape[1::-1]) - 1).astype(int)
    return image[y, x].astype(np.float64)
