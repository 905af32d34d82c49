"""Draw the stickers that come with facedots: each a PNG with alpha and the YAML file that anchors
it to the face.

    python tools/draw_stickers.py [--out FOLDER]

All of them are facedots' own. They are laid out on :data:`facedots.analysis.shapes.MEAN_SHAPE`:
lengths are outer-eye distances, x points to the right of the image, y down, and (0, 0) lies between
the eyes. So the anchors follow from the shape.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facedots import IBUG68
from facedots.analysis import MEAN_SHAPE
from facedots.data.synthetic_painter import curve
from facedots.drawing import draw_line, draw_polygons
from facedots.effects.stickers import FOLDER, Fit
from facedots.geometry import Floats, Image, Matrix
from facedots.io import atomic_write

UNIT = 200
"""Pixels to an outer-eye distance in the finished image."""

FINER = 4
"""How much larger it is painted."""

Color = tuple[int, int, int]
MIRROR = np.array([-1.0, 1.0])


class Painting:
    """An image with alpha that grows from clear, layer by layer.

    Args:
        left, top, right, bottom: What it shows, in outer-eye distances.
    """

    def __init__(self, left: float, top: float, right: float, bottom: float) -> None:
        self.corner = np.array([left, top])
        size = (round((bottom - top) * UNIT) * FINER, round((right - left) * UNIT) * FINER)
        self._color = np.zeros((*size, 3), np.float32)  # multiplied by alpha
        self._alpha = np.zeros(size, np.float32)

    def area(
        self,
        points: ArrayLike,
        color: Color,
        to: Color | None = None,
        *,
        opacity: float = 1,
        blur: float = 0,
        within: Floats | None = None,
        straight: bool = False,
    ) -> Floats:
        """Fill a closed curve through points, shaded downwards from one color to another; returns
        its mask, 0 to 1.

        ``blur`` softens the border by so many eye distances; ``within`` is the mask of an area that
        nothing must leave.
        """
        outline = (
            np.asarray(points, np.float64)
            if straight
            else curve(np.asarray(points, np.float64), closed=True)
        )
        mask = np.zeros(self._alpha.shape, np.uint8)
        draw_polygons(mask, [self._pixels(outline)], (255,))
        return self._cover(
            mask, outline, (color, to or color), opacity=opacity, blur=blur, within=within
        )

    def line(
        self,
        points: ArrayLike,
        width: float,
        color: Color,
        *,
        opacity: float = 1,
        blur: float = 0,
        closed: bool = False,
    ) -> Floats:
        """Draw a curve through points; returns its mask."""
        path = curve(np.asarray(points, np.float64), closed=closed)
        mask = np.zeros(self._alpha.shape, np.uint8)
        thickness = max(1, round(width * UNIT * FINER))
        draw_line(mask, self._pixels(path), (255,), thickness, closed=closed)
        return self._cover(mask, path, (color, color), opacity=opacity, blur=blur)

    def clear(self, points: ArrayLike) -> None:
        """Cut a hole."""
        outline = curve(np.asarray(points, np.float64), closed=True)
        mask = np.zeros(self._alpha.shape, np.uint8)
        draw_polygons(mask, [self._pixels(outline)], (255,))
        left = 1 - mask / np.float32(255)
        self._alpha *= left
        self._color *= left[..., None]

    def finished(self) -> Image:
        """The image at its final size: ``uint8 (H, W, 4)``, RGB and alpha."""
        size = (self._alpha.shape[1] // FINER, self._alpha.shape[0] // FINER)
        alpha, color = (
            cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            for part in (self._alpha, self._color)
        )
        plain = np.asarray(color) / np.maximum(alpha, 1e-3)[..., None]
        return np.dstack([plain, np.asarray(alpha) * 255]).round().clip(0, 255).astype(np.uint8)

    def _pixels(self, points: Matrix) -> Matrix:
        return np.asarray((points - self.corner) * UNIT * FINER - 0.5)

    def _cover(
        self,
        mask: Image,
        path: Matrix,
        colors: tuple[Color, Color],
        *,
        opacity: float,
        blur: float,
        within: Floats | None = None,
    ) -> Floats:
        """Lay paint over the image, shaded from the top of the path to its bottom; returns how much
        of each pixel it covers.
        """
        share = np.asarray(mask / np.float32(255), np.float32)
        if blur:
            share = np.asarray(cv2.GaussianBlur(share, (0, 0), blur * UNIT * FINER), np.float32)
        if within is not None:
            share *= within
        low, high = self._pixels(path)[:, 1].min(), self._pixels(path)[:, 1].max()
        down = ((np.arange(len(share)) - low) / max(1.0, high - low)).clip(0, 1)[:, None, None]
        paint = (np.array(colors[0]) * (1 - down) + np.array(colors[1]) * down).astype(np.float32)
        cover = share * np.float32(opacity)
        self._color = self._color * (1 - cover[..., None]) + paint * cover[..., None]
        self._alpha = self._alpha * (1 - cover) + cover
        return share


def both(half: Sequence[tuple[float, float]]) -> Matrix:
    """A closed outline from its right half, top to bottom, and the mirror image of that."""
    right = np.array(half)
    left = right[::-1] * MIRROR
    return np.concatenate([right, left[left[:, 0] != 0]])


def ellipse(
    x: float, y: float, half_width: float, half_height: float, *, turn: float = 0, count: int = 24
) -> Matrix:
    """Points around an ellipse, turned by degrees clockwise."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    around = np.stack([half_width * np.cos(angle), half_height * np.sin(angle)], axis=1)
    return np.asarray(around @ np.array([[cos, sin], [-sin, cos]]) + (x, y))


def sunglasses() -> Painting:
    """Dark glasses with a bold frame."""
    art = Painting(-1.0, -0.42, 1.0, 0.5)
    frame = np.array(
        [
            (0.09, -0.16),
            (0.35, -0.2),
            (0.66, -0.19),
            (0.72, -0.1),
            (0.67, 0.13),
            (0.53, 0.27),
            (0.33, 0.28),
            (0.17, 0.19),
            (0.09, 0.0),
        ]
    )
    for side in (1, -1):
        middle = np.array([0.39, 0.03])
        outer, inner = frame * (side, 1), ((frame - middle) * (0.86, 0.83) + middle) * (side, 1)
        art.line(
            np.array([(0.66, -0.13), (0.8, -0.12), (0.94, -0.08)]) * (side, 1), 0.075, (20, 20, 24)
        )
        art.area(outer, (46, 46, 54), (14, 14, 17))
        art.clear(inner)
        lens = art.area(inner, (18, 20, 30), (58, 52, 70), opacity=0.9)
        glint = np.array([(0.16, -0.26), (0.3, -0.26), (0.12, 0.3), (-0.02, 0.3)]) + np.array(
            [0.39 * side, 0]
        )
        art.area(glint, (255, 255, 255), opacity=0.16, within=lens, straight=True)
        art.area(
            glint * (0.35, 1) + np.array([0.39 * side * 0.65 + 0.17, 0]),
            (255, 255, 255),
            opacity=0.12,
            within=lens,
            straight=True,
        )
        art.line(
            np.array([(0.12, -0.15), (0.36, -0.185), (0.64, -0.17)]) * (side, 1),
            0.014,
            (150, 150, 165),
            opacity=0.7,
        )
    art.line([(-0.12, -0.08), (0, -0.115), (0.12, -0.08)], 0.07, (24, 24, 28))
    art.line([(-0.1, -0.1), (0, -0.135), (0.1, -0.1)], 0.012, (150, 150, 165), opacity=0.6)
    return art


def mustache() -> Painting:
    """A handlebar mustache."""
    art = Painting(-0.75, 0.38, 0.75, 0.98)
    top = [
        (0.0, 0.62),
        (0.08, 0.585),
        (0.2, 0.6),
        (0.33, 0.675),
        (0.45, 0.71),
        (0.55, 0.66),
        (0.6, 0.55),
        (0.655, 0.52),
    ]
    bottom = [
        (0.665, 0.56),
        (0.64, 0.68),
        (0.56, 0.79),
        (0.42, 0.83),
        (0.27, 0.8),
        (0.13, 0.74),
        (0.0, 0.69),
    ]
    hair = art.area(both([*top, *bottom]), (74, 46, 28), (38, 22, 14))
    rng = np.random.default_rng(7)
    for side in (1, -1):
        for start in np.linspace(0.02, 0.46, 34):
            lift = rng.uniform(-0.03, 0.11)
            stroke = np.array(
                [(start, 0.61 + lift), (start + 0.1, 0.65 + lift), (start + 0.2, 0.66 + 0.6 * lift)]
            )
            tone = (126, 84, 52) if rng.random() < 0.6 else (20, 12, 8)
            line = np.concatenate([stroke, stroke[::-1] + np.array([0, 0.006])]) * (side, 1)
            art.area(line, tone, opacity=0.55, within=hair)
    return art


def hat() -> Painting:
    """A felt hat with a band."""
    art = Painting(-1.45, -1.85, 1.45, -0.2)
    felt, dark = (150, 108, 70), (86, 58, 36)
    art.area(ellipse(0, -0.72, 1.38, 0.2), (70, 46, 28), (52, 34, 20))
    crown = art.area(
        both(
            [
                (0, -1.66),
                (0.2, -1.74),
                (0.45, -1.74),
                (0.62, -1.6),
                (0.72, -1.25),
                (0.8, -0.8),
                (0.5, -0.62),
                (0, -0.58),
            ]
        ),
        felt,
        dark,
    )
    art.area(ellipse(0, -1.72, 0.3, 0.12), (60, 40, 24), opacity=0.7, blur=0.05, within=crown)
    art.area(
        ellipse(-0.36, -1.3, 0.14, 0.36, turn=8),
        (220, 176, 130),
        opacity=0.35,
        blur=0.07,
        within=crown,
    )
    band = both(
        [(0, -0.94), (0.4, -0.955), (0.768, -1.02), (0.805, -0.78), (0.45, -0.66), (0, -0.63)]
    )
    art.area(band, (52, 30, 60), (30, 16, 36), within=crown)
    lower = both(
        [
            (0, -0.665),
            (0.45, -0.7),
            (0.83, -0.79),
            (1.2, -0.79),
            (1.385, -0.74),
            (1.3, -0.6),
            (0.9, -0.46),
            (0.45, -0.39),
            (0, -0.375),
        ]
    )
    brim = art.area(lower, felt, (104, 72, 46))
    art.line(
        [
            (-1.3, -0.61),
            (-0.9, -0.475),
            (-0.45, -0.405),
            (0, -0.39),
            (0.45, -0.405),
            (0.9, -0.475),
            (1.3, -0.61),
        ],
        0.03,
        dark,
    )
    art.area(
        ellipse(-0.5, -0.56, 0.4, 0.05, turn=6),
        (220, 176, 130),
        opacity=0.4,
        blur=0.04,
        within=brim,
    )
    return art


def crown() -> Painting:
    """A golden crown with stones."""
    art = Painting(-1.05, -1.7, 1.05, -0.4)
    gold, deep = (255, 214, 84), (196, 132, 20)
    art.area(ellipse(0, -1.0, 0.9, 0.14), (122, 78, 12), (90, 54, 8))
    spikes = [(0, -1.5), (0.21, -1.06), (0.5, -1.44), (0.64, -1.08), (0.97, -1.32), (0.88, -0.8)]
    rim = [(0.88, -0.74), (0.6, -0.62), (0.3, -0.565), (0, -0.55)]
    body = art.area(both([*spikes, *rim]), gold, deep, straight=True)
    art.area(
        [(-0.75, -1.2), (-0.62, -1.25), (-0.5, -0.6), (-0.66, -0.62)],
        (255, 246, 200),
        opacity=0.5,
        blur=0.04,
        within=body,
    )
    for height, width in ((-0.83, 0.028), (-0.6, 0.036)):
        along = np.linspace(-0.9, 0.9, 13)
        arc = np.stack([along, height - 0.19 * along**2], axis=1)
        half = np.array([0, width / 2])
        edge = np.concatenate([arc - half, arc[::-1] + half])
        art.area(edge, (255, 236, 160), deep, within=body, straight=True)
    for x, y, stone in (
        (0, -0.715, (214, 30, 60)),
        (-0.42, -0.745, (36, 96, 220)),
        (0.42, -0.745, (36, 96, 220)),
    ):
        art.area(ellipse(x, y, 0.085, 0.07), (120, 80, 10))
        art.area(ellipse(x, y, 0.068, 0.054), stone, tuple(int(c * 0.55) for c in stone))  # type: ignore[arg-type]
        art.area(ellipse(x - 0.02, y - 0.02, 0.02, 0.014), (255, 255, 255), opacity=0.8)
    for x, y in ((0, -1.5), (-0.5, -1.44), (0.5, -1.44), (-0.97, -1.32), (0.97, -1.32)):
        art.area(ellipse(x, y, 0.06, 0.06), (255, 240, 180), (206, 146, 30))
    return art


def dog_ears() -> Painting:
    """Two hanging ears."""
    art = Painting(-1.35, -1.3, 1.35, 0.2)
    for side in (1, -1):
        ear = [
            (0.4, -0.86),
            (0.62, -1.13),
            (0.9, -1.14),
            (1.14, -0.86),
            (1.26, -0.4),
            (1.2, -0.02),
            (1.02, 0.04),
            (0.9, -0.2),
            (0.82, -0.6),
        ]
        fur = art.area(np.array(ear) * (side, 1), (168, 112, 62), (104, 64, 32))
        inner = [
            (0.93, -0.84),
            (1.07, -0.66),
            (1.15, -0.32),
            (1.11, -0.09),
            (1.02, -0.08),
            (0.96, -0.3),
            (0.9, -0.62),
        ]
        art.area(
            np.array(inner) * (side, 1),
            (222, 160, 140),
            (190, 120, 104),
            opacity=0.9,
            blur=0.015,
            within=fur,
        )
        fold = [(0.44, -0.84), (0.66, -0.92), (0.84, -0.74)]
        art.line(np.array(fold) * (side, 1), 0.02, (84, 50, 24), opacity=0.5, blur=0.01)
        art.area(
            ellipse(0.72 * side, -1.03, 0.16, 0.06),
            (226, 176, 122),
            opacity=0.5,
            blur=0.04,
            within=fur,
        )
    return art


def dog_nose() -> Painting:
    """A dog's nose with whiskers."""
    art = Painting(-0.62, 0.2, 0.62, 0.84)
    rng = np.random.default_rng(3)
    for side in (1, -1):
        for rise in (-0.1, 0.0, 0.1):
            whisker = np.array(
                [(0.26, 0.62 + rise * 0.4), (0.42, 0.61 + rise * 0.8), (0.58, 0.63 + rise * 1.4)]
            ) * (side, 1)
            art.line(whisker, 0.01, (40, 30, 26), opacity=0.75)
        for x, y in rng.uniform((0.2, 0.57), (0.34, 0.7), (6, 2)):
            art.area(ellipse(x * side, y, 0.012, 0.012, count=8), (50, 34, 28), opacity=0.8)
    half = [
        (0, 0.29),
        (0.11, 0.3),
        (0.2, 0.36),
        (0.21, 0.44),
        (0.14, 0.52),
        (0.05, 0.565),
        (0, 0.575),
    ]
    nose = art.area(both(half), (60, 52, 54), (14, 11, 12))
    for side in (1, -1):
        art.area(ellipse(0.095 * side, 0.475, 0.04, 0.028, turn=25 * side), (0, 0, 0), opacity=0.9)
    art.area(
        ellipse(-0.03, 0.345, 0.1, 0.03), (255, 255, 255), opacity=0.6, blur=0.018, within=nose
    )
    art.line([(0, 0.57), (0, 0.65)], 0.018, (24, 18, 18), opacity=0.8)
    return art


def party_mask() -> Painting:
    """A Venetian half mask with a golden rim."""
    art = Painting(-1.15, -0.75, 1.15, 0.5)
    half = [
        (0, -0.3),
        (0.22, -0.4),
        (0.55, -0.46),
        (0.86, -0.52),
        (1.08, -0.62),
        (0.98, -0.28),
        (0.86, 0.04),
        (0.64, 0.26),
        (0.34, 0.3),
        (0.13, 0.2),
        (0, 0.08),
    ]
    outline = both(half)
    cloth = art.area(outline, (120, 42, 160), (58, 14, 92))
    for side in (1, -1):
        art.area(
            ellipse(0.6 * side, -0.32, 0.3, 0.08, turn=-10 * side),
            (214, 150, 246),
            opacity=0.4,
            blur=0.05,
            within=cloth,
        )
        hole = np.array(
            [
                (0.16, 0.03),
                (0.26, -0.1),
                (0.4, -0.14),
                (0.53, -0.1),
                (0.61, -0.02),
                (0.5, 0.1),
                (0.35, 0.13),
                (0.23, 0.1),
            ]
        ) * (side, 1)
        art.clear(hole)
        art.line(hole, 0.03, (246, 204, 96), closed=True)
        swirl = [
            (0.62, -0.2),
            (0.74, -0.27),
            (0.86, -0.26),
            (0.88, -0.16),
            (0.8, -0.13),
            (0.76, -0.19),
        ]
        art.line(np.array(swirl) * (side, 1), 0.02, (246, 204, 96), opacity=0.9)
        for x, y in ((0.2, -0.27), (0.3, -0.3), (0.4, -0.32), (0.5, -0.33)):
            art.area(ellipse(x * side, y, 0.022, 0.022, count=12), (255, 244, 214))
    art.line(outline, 0.036, (236, 186, 66), closed=True)
    art.area(
        [(0, -0.27), (0.055, -0.19), (0, -0.09), (-0.055, -0.19)],
        (60, 220, 230),
        (10, 110, 150),
        straight=True,
    )
    return art


@dataclass(frozen=True)
class Design:
    """How a sticker is painted, which points hold it, and how it is fitted to them."""

    paint: Callable[[], Painting]
    anchors: tuple[int, ...]
    fit: Fit = "perspective"


DESIGNS = {
    "sunglasses": Design(sunglasses, (36, 39, 42, 45, 27)),
    "mustache": Design(mustache, (31, 33, 35, 51)),
    "hat": Design(hat, (0, 16, 19, 24)),
    "crown": Design(crown, (0, 16, 19, 24)),
    "dog-ears": Design(dog_ears, (0, 16, 19, 24)),
    "dog-nose": Design(dog_nose, (30, 31, 35), "affine"),
    "party-mask": Design(party_mask, (36, 39, 42, 45, 27)),
}


def description(name: str, design: Design, corner: Matrix) -> str:
    """The YAML file of a sticker."""
    places = (MEAN_SHAPE[list(design.anchors)] - corner) * UNIT - 0.5
    lines = [
        f"  {IBUG68.names[i]}: [{x:.1f}, {y:.1f}]"
        for i, (x, y) in zip(design.anchors, places.tolist(), strict=True)
    ]
    return "\n".join([f"image: {name}.png", f"fit: {design.fit}", "anchors:", *lines, ""])


def draw(name: str) -> tuple[Image, str]:
    """One sticker: its image ``uint8 (H, W, 4)`` and its YAML."""
    art = DESIGNS[name].paint()
    return art.finished(), description(name, DESIGNS[name], art.corner)


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=FOLDER)
    folder = parser.parse_args().out
    for name in DESIGNS:
        image, text = draw(name)
        _, encoded = cv2.imencode(
            ".png", cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA), [cv2.IMWRITE_PNG_COMPRESSION, 9]
        )
        atomic_write(folder / f"{name}.png", encoded.tobytes())
        atomic_write(folder / f"{name}.yaml", text)
        print(
            f"{folder / name}.png: {image.shape[1]} x {image.shape[0]}, "
            f"{len(encoded) / 1000:.0f} kB"
        )


if __name__ == "__main__":
    main()
