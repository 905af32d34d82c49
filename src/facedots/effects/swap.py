"""Face swap and average face: textures warped from shape to shape, colors matched at the seam."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import cv2
import numpy as np

from facedots.analysis.mesh import mesh_points, triangulate, warp_texture
from facedots.analysis.shapes import MEAN_SHAPE, Triangles, forehead
from facedots.errors import FaceCountError, PointsError
from facedots.geometry import Floats, Image, apply_affine, fit_similarity
from facedots.regions import Mask
from facedots.schema import IBUG68
from facedots.types import Face, check_image

SEAM_TOP = 0.5
"""Height of the seam on the forehead above the eyes, in outer-eye distances."""

SEAM_FADE = 0.02
"""Half of the width over which the seam fades out, in sides of the face."""

_MARGIN = 8  # least number of pixels around a swapped face that the blending gets


class FaceSwap:
    """Effect: puts one face on every head.

    Args:
        source: RGB, ``uint8 (H, W, 3)``, with the face.
        face: The face in it.

    Raises:
        PointsError: Points of the face are missing, or of another schema than IBUG68.

    Example:
        >>> swap = FaceSwap(portrait, pipeline(portrait)[0])  # doctest: +SKIP
        >>> result = swap(image, pipeline(image))  # doctest: +SKIP
    """

    def __init__(self, source: Image, face: Face) -> None:
        self._source = np.array(check_image(source))
        self._face = face
        mesh_points(face)

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image in which every head has the face."""
        result = np.array(check_image(image))
        for face in faces:
            result = put_face(self._source, self._face, result, face)
        return result


def swap_faces(image: Image, faces: Sequence[Face]) -> Image:
    """Effect: each face on the head of the next one, and the last on the first.

    Raises:
        FaceCountError: There are fewer than two faces.
        PointsError: Points are missing, or of another schema than IBUG68.
    """
    for face in faces:  # of another schema: more faces would not help
        mesh_points(face)
    if len(faces) < 2:
        raise FaceCountError(f"swapping needs two or more faces, and here there are {len(faces)}")
    result = np.array(check_image(image))
    for face, head in zip(faces, [*faces[1:], faces[0]], strict=True):
        result = put_face(image, face, result, head)
    return result


def put_face(source: Image, face: Face, target: Image, head: Face) -> Image:
    """A copy of ``target`` in which ``head`` has ``face``, in the light and colors of ``target``.

    Poisson blending (Pérez, Gangnet, Blake 2003, ``cv2.seamlessClone``) keeps the face's detail and
    takes the colors from around the seam. If the two look to different sides, the face is mirrored.
    A profile has too little skin for a frontal head: the rest is smeared.

    Images are RGB; ``head`` may reach beyond the frame.

    Raises:
        PointsError: Points are missing, or of another schema than IBUG68.
    """
    height, width = check_image(target).shape[:2]
    goal = mesh_points(head)
    source, points = _facing_like(check_image(source), mesh_points(face), goal)
    start, end = (np.concatenate([shape, forehead(shape, SEAM_TOP)]) for shape in (points, goal))
    # The part around the head, with a margin for the blending; beyond the frame its border repeats.
    margin = _MARGIN + round(2 * SEAM_FADE * float(np.ptp(end, axis=0).max()))
    left, top = (np.floor(end.min(axis=0)).astype(int) - margin).tolist()
    right, bottom = (np.ceil(end.max(axis=0)).astype(int) + margin).tolist()
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return target.copy()
    window = np.s_[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    borders = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    padded = cv2.copyMakeBorder(target[window], *borders, cv2.BORDER_REPLICATE)
    around, size = np.asarray(padded, np.uint8), (bottom - top, right - left)
    texture = warp_texture(source, start, end - (left, top), size, _seam_triangles())
    result = target.copy()
    if texture.mask.any():
        blended = _blended(_matched(texture.image, around, texture.mask), around, texture.mask)
        inner = np.s_[borders[0] : size[0] - borders[1], borders[2] : size[1] - borders[3]]
        result[window] = blended[inner]
    return result


def average_face(images: Iterable[Image], faces: Sequence[Face], size: int = 256) -> Image:
    """The average of many faces, RGB ``uint8 (size, size, 3)``: mean shape with mean colors.

    Hair and shoulders are averaged too; pixels outside an image do not count. Images, one per face,
    are read one after the other, so that any number fits into memory.

    Raises:
        PointsError: There is no face; or points are missing, or of another schema than IBUG68.
    """
    if not faces:
        raise PointsError("the average of no faces: give one or more")
    points = [mesh_points(face) for face in faces]
    shapes = [apply_affine(fit_similarity(shape, MEAN_SHAPE), shape) for shape in points]
    middle = np.array([(size - 1) / 2, 0.44 * size])
    goal = np.mean(shapes, axis=0) * (0.34 * size) + middle
    grid = [(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1) if (x, y) != (0.5, 0.5)]
    frame = np.array(grid) * size - 0.5
    target = np.concatenate([goal, frame])
    triangles = triangulate(target)
    total, counts = np.zeros((size, size, 3)), np.zeros((size, size, 1))
    for image, shape in zip(images, points, strict=True):
        source = np.concatenate([shape, apply_affine(fit_similarity(goal, shape), frame)])
        texture = warp_texture(image, source, target, (size, size), triangles)
        total += np.where(texture.inside[..., None], texture.image, 0)
        counts += texture.inside[..., None]
    return np.asarray((total / np.maximum(counts, 1)).round(), np.uint8)


@lru_cache
def _seam_triangles() -> Triangles:
    """The mesh of the mean shape and the forehead up to the seam."""
    return triangulate(np.concatenate([MEAN_SHAPE, forehead(MEAN_SHAPE, SEAM_TOP)]))


def _facing_like(image: Image, points: Floats, goal: Floats) -> tuple[Image, Floats]:
    """The image and points, mirrored if the face is then closer to the goal."""
    mirrored = points[list(IBUG68.flip)] * (-1, 1) + (image.shape[1] - 1, 0)
    fits = [apply_affine(fit_similarity(shape, goal), shape) for shape in (points, mirrored)]
    if np.linalg.norm(fits[0] - goal) <= np.linalg.norm(fits[1] - goal):
        return image, points
    return image[:, ::-1], np.asarray(mirrored, np.float32)


def _matched(face: Image, around: Image, mask: Mask) -> Image:
    """The face with the color statistics it will cover, in CIE Lab (Reinhard et al. 2001)."""
    new, old = (cv2.cvtColor(part, cv2.COLOR_RGB2LAB).astype(np.float32) for part in (face, around))
    ratio = (old[mask].std(axis=0) + 1) / (new[mask].std(axis=0) + 1)
    moved = (new - new[mask].mean(axis=0)) * ratio.clip(0.7, 1.4) + old[mask].mean(axis=0)
    lab = moved.round().clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _blended(face: Image, around: Image, mask: Mask) -> Image:
    """The masked face in its new surroundings, unchanged but for a soft seam."""
    stencil = mask.astype(np.uint8) * 255
    x, y, width, height = cv2.boundingRect(stencil)
    # OpenCV puts the center of the mask's bounding box on this point, and changes the mask.
    center = (x + width // 2, y + height // 2)
    cloned = cv2.seamlessClone(face, around, stencil.copy(), center, cv2.NORMAL_CLONE)
    # It also changes colors outside the mask, all over that box: they fade out here.
    fade = max(1, round(SEAM_FADE * max(width, height)))
    window = (2 * fade + 1, 2 * fade + 1)
    grown = cv2.dilate(stencil, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, window))
    share = cv2.blur(grown, window)[..., None] / np.float32(255)
    mixed = around + share * (cloned.astype(np.float32) - around)
    return mixed.round().clip(0, 255).astype(np.uint8)
