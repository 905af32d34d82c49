"""Makeup: lips, brows and cheeks tinted through soft masks; light, shadow and pores stay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facedots.analysis.mesh import mesh_points
from facedots.analysis.shapes import MEAN_SHAPE, fit_shape
from facedots.drawing import Color, draw_polygons
from facedots.geometry import Floats, Image, apply_affine
from facedots.regions import pixel_box, region_polygons
from facedots.types import Face, check_image

_LIGHTNESS_SHARE = 0.5  # how far the lightness follows the paint
_FEATHERS = {"lips": 0.018, "brows": 0.025, "blush": 0.09}  # softness in outer-eye distances
_OUTLINE_FEATHER = 0.2  # softness of what bounds the paint, over the paint's

CHEEK_CENTER, CHEEK_HALF_AXES = (0.5, 0.42), (0.19, 0.13)
"""The left cheek's ellipse on the mean shape, in outer-eye distances."""

Area = tuple[Sequence[Floats], float, Sequence[Floats] | None]
"""Polygons, softness of their border in pixels, and polygons that bound the paint."""


@dataclass(frozen=True)
class Makeup:
    """Base of the makeup effects: paint of one color on every face.

    Attributes:
        color: RGB.
        strength: In [0, 1]; 1 is all of the color's hue.
    """

    color: Color
    strength: float

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with the paint on every face."""
        result = np.array(check_image(image))
        for face in faces:
            for polygons, feather, within in self._areas(mesh_points(face)):
                tint(result, polygons, feather, self.color, strength=self.strength, within=within)
        return result

    def _areas(self, points: Floats) -> Iterator[Area]:
        """The painted areas of a face ``(68, 2)``."""
        raise NotImplementedError


@dataclass(frozen=True)
class Lips(Makeup):
    """Effect: lipstick.

    Example:
        >>> result = Lips(color=(150, 20, 90))(image, Pipeline()(image))  # doctest: +SKIP
    """

    color: Color = (186, 24, 54)
    strength: float = 0.65

    def _areas(self, points: Floats) -> Iterator[Area]:
        yield region_polygons(points, "lips"), _FEATHERS["lips"] * face_unit(points), None


@dataclass(frozen=True)
class Brows(Makeup):
    """Effect: brow pencil.

    Example:
        >>> result = Brows(strength=0.5)(image, Pipeline()(image))  # doctest: +SKIP
    """

    color: Color = (52, 34, 26)
    strength: float = 0.7

    def _areas(self, points: Floats) -> Iterator[Area]:
        for brow in ("right_brow", "left_brow"):
            yield region_polygons(points, brow), _FEATHERS["brows"] * face_unit(points), None


@dataclass(frozen=True)
class Blush(Makeup):
    """Effect: blush on the cheeks, none beyond the outline of the face.

    Example:
        >>> result = Blush()(image, Pipeline()(image))  # doctest: +SKIP
    """

    color: Color = (214, 84, 96)
    strength: float = 0.4

    def _areas(self, points: Floats) -> Iterator[Area]:
        angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        left = circle * CHEEK_HALF_AXES + CHEEK_CENTER
        turn, outline = fit_shape(MEAN_SHAPE, points), region_polygons(points, "face")
        for cheek in (left, left * (-1, 1)):
            yield [apply_affine(turn, cheek)], _FEATHERS["blush"] * face_unit(points), outline


def face_unit(points: Floats) -> float:
    """Pixels of the outer-eye distance if the face looked at the camera; as large in a profile."""
    x_axis, y_axis = fit_shape(MEAN_SHAPE, points)[:, :2].T
    return float(max(np.linalg.norm(x_axis), np.linalg.norm(y_axis)))


def tint(
    image: Image,
    polygons: Sequence[ArrayLike],
    feather: float,
    color: Color,
    *,
    strength: float,
    within: Sequence[ArrayLike] | None = None,
) -> None:
    """Tint an RGB image inside polygons, in place: hue and chroma (CIE Lab) move to the color's.

    ``polygons`` and ``feather`` are those of :func:`soft_mask`; ``within`` are polygons that bound
    the paint.
    """
    points = np.concatenate([np.asarray(polygon, np.float64) for polygon in polygons])
    box = pixel_box(points, (image.shape[0], image.shape[1]), 3 * feather)
    left, top, right, bottom = box
    if left >= right or top >= bottom:
        return
    window = image[top:bottom, left:right]
    share = soft_mask(polygons, feather, box)
    if within is not None:
        share = share * soft_mask(within, _OUTLINE_FEATHER * feather, box)
    lab = np.asarray(cv2.cvtColor(window.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    paint = cv2.cvtColor(np.array([[color]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    mean_lightness = float((lab[..., 0] * share).sum() / max(float(share.sum()), 1e-6))
    share = share * np.float32(strength)
    lab[..., 0] += share * _LIGHTNESS_SHARE * (paint[0] - mean_lightness)
    lab[..., 1:] += share[..., None] * (paint[1:] - lab[..., 1:])
    painted = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)) * 255
    touched = share > 0
    window[touched] = painted[touched].round().clip(0, 255)


def soft_mask(
    polygons: Sequence[ArrayLike], feather: float, box: tuple[int, int, int, int]
) -> Floats:
    """The share of each pixel inside polygons: ``float32`` in [0, 1], soft at the border.

    Args:
        polygons: Closed, each (N, 2) in pixels of the whole image; where two overlap is a hole.
        feather: Standard deviation of the soft border, in pixels.
        box: The result's part of the image: left, top, and the first column and row beyond.
    """
    left, top, right, bottom = box
    # The blur must include the surroundings, else the mask would be too strong at the frame.
    margin = int(np.ceil(3 * feather))
    mask = np.zeros((bottom - top + 2 * margin, right - left + 2 * margin), np.uint8)
    corner = (left - margin, top - margin)
    draw_polygons(mask, [np.asarray(polygon) - corner for polygon in polygons], (255,))
    share = np.asarray(mask / np.float32(255), np.float32)
    if feather > 0.3:
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), feather), np.float32)
    return share[margin : margin + bottom - top, margin : margin + right - left]
