"""Make-up: lips, brows and cheeks tinted through soft masks. Light, shadow and pores stay; only the
color under them changes.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facedots.analysis.mesh import fit_shape, mesh_points
from facedots.analysis.shapes import MEAN_SHAPE
from facedots.drawing import FRACTION_BITS, Color, fixed_point
from facedots.geometry import Floats, Image, apply_affine
from facedots.regions import region_polygons
from facedots.types import Face, check_image

_LIGHTNESS_SHARE = 0.5
"""How far the lightness follows the paint: lips painted dark get darker, but are not covered as by
a wall's paint.
"""


class Lips:
    """Lipstick.

    Args:
        color: RGB.
        strength: In [0, 1]; 1 is all of the color's hue.
    """

    def __init__(self, color: Color = (186, 24, 54), strength: float = 0.65) -> None:
        self._color = color
        self._strength = strength

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with painted lips."""
        result = np.array(check_image(image))
        for face in faces:
            feather = 0.018 * face_unit(mesh_points(face))
            tint(
                result,
                region_polygons(face.points, "lips"),
                feather,
                self._color,
                strength=self._strength,
            )
        return result


class Brows:
    """Brow pencil.

    Args:
        color: RGB.
        strength: In [0, 1]; 1 is all of the color's hue.
    """

    def __init__(self, color: Color = (52, 34, 26), strength: float = 0.7) -> None:
        self._color = color
        self._strength = strength

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with painted brows."""
        result = np.array(check_image(image))
        for face in faces:
            feather = 0.025 * face_unit(mesh_points(face))
            for brow in ("right_brow", "left_brow"):
                tint(
                    result,
                    region_polygons(face.points, brow),
                    feather,
                    self._color,
                    strength=self._strength,
                )
        return result


class Blush:
    """Color on the cheeks.

    Args:
        color: RGB.
        strength: In [0, 1]; 1 is all of the color's hue.
    """

    MIDDLE, HALF_AXES = (0.5, 0.42), (0.19, 0.13)
    """Where the left cheek's ellipse lies on the mean shape, in outer-eye distances."""

    def __init__(self, color: Color = (214, 84, 96), strength: float = 0.4) -> None:
        self._color = color
        self._strength = strength

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with blush on the cheeks, none beyond the outline of the face."""
        result = np.array(check_image(image))
        angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        left = np.stack([np.cos(angle), np.sin(angle)], axis=1) * self.HALF_AXES + self.MIDDLE
        for face in faces:
            turn = fit_shape(MEAN_SHAPE, mesh_points(face))
            feather = 0.09 * face_unit(face.points)
            for cheek in (left, left * (-1, 1)):
                within = region_polygons(face.points, "face")
                tint(
                    result,
                    [apply_affine(turn, cheek)],
                    feather,
                    self._color,
                    strength=self._strength,
                    within=within,
                )
        return result


def face_unit(points: Floats) -> float:
    """The outer-eye distance, in pixels, that a face of this size has when it looks at the camera;
    a profile's is as large.
    """
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
    """Color an RGB image inside polygons, in place: in CIE Lab, hue and chroma move towards those
    of the color.

    Args:
        image: ``uint8 (H, W, 3)``, changed.
        polygons: Closed, each (n, 2) in pixels; where two overlap is a hole.
        feather: Standard deviation of the soft border, in pixels.
        color: RGB.
        strength: In [0, 1].
        within: Polygons beyond which there is no paint.
    """
    everything = np.concatenate([np.asarray(polygon, np.float64) for polygon in polygons])
    limit = (image.shape[1], image.shape[0])
    left, top = np.floor(everything.min(axis=0) - 3 * feather).clip(0, limit).astype(int).tolist()
    right, bottom = (
        (np.ceil(everything.max(axis=0) + 3 * feather) + 1).clip(0, limit).astype(int).tolist()
    )
    if left >= right or top >= bottom:
        return
    window = image[top:bottom, left:right]
    share = soft_mask(polygons, feather, (left, top, right, bottom))
    if within is not None:
        share = share * soft_mask(within, 0.2 * feather, (left, top, right, bottom))
    lab = np.asarray(cv2.cvtColor(window.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    paint = np.asarray(
        cv2.cvtColor(np.array([[color]], np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32
    )[0, 0]
    usual = float((lab[..., 0] * share).sum() / max(float(share.sum()), 1e-6))
    share = share * np.float32(strength)
    lab[..., 0] += share * _LIGHTNESS_SHARE * (paint[0] - usual)
    lab[..., 1:] += share[..., None] * (paint[1:] - lab[..., 1:])
    painted = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)) * 255
    touched = share > 0
    window[touched] = painted[touched].round().clip(0, 255)


def soft_mask(
    polygons: Sequence[ArrayLike], feather: float, box: tuple[int, int, int, int]
) -> Floats:
    """How much of each pixel of a part of an image is inside polygons: ``float32`` in [0, 1], soft
    at the border.

    Args:
        polygons: Closed, each (n, 2) in pixels of the whole image.
        feather: Standard deviation of the soft border, in pixels.
        box: The part: left, top, and the first column and row beyond.
    """
    left, top, right, bottom = box
    # What lies beyond the frame must count for the blur too, else the mask would be strong there.
    margin = int(np.ceil(3 * feather))
    mask = np.zeros((bottom - top + 2 * margin, right - left + 2 * margin), np.uint8)
    moved = [
        fixed_point(np.asarray(polygon) - (left - margin, top - margin)) for polygon in polygons
    ]
    cv2.fillPoly(mask, moved, 255, cv2.LINE_AA, FRACTION_BITS)
    share = np.asarray(mask / np.float32(255), np.float32)
    if feather > 0.3:
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), feather), np.float32)
    return share[margin : margin + bottom - top, margin : margin + right - left]
