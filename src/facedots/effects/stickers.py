"""Stickers: images with transparency that move, tilt, grow and turn with a face.

A sticker is a PNG with an alpha channel and a YAML file::

    image: sunglasses.png
    fit: affine
    anchors:
      right_eye_0: [83.5, 60]
      left_eye_3: [283.5, 60]

``anchors``, pixels (x, y) of points of the face by their names in the schema, set the position;
``fit`` the rest: ``similarity`` rotates and zooms by the anchors, ``affine`` also squeezes, by all
points of the face; ``perspective`` turns a plane with the head's pose. See docs/filters.md.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facedots.analysis.mesh import mesh_points
from facedots.analysis.pose import Camera, head_pose, rotation
from facedots.analysis.shapes import HEAD_MODEL, MEAN_SHAPE, fit_shape
from facedots.errors import ImageError, PointsError, StickerError
from facedots.geometry import Floats, Image, Matrix, compose, fit_similarity
from facedots.io.images import read_image_bytes
from facedots.io.yaml_files import read_yaml
from facedots.regions import pixel_box
from facedots.schema import IBUG68
from facedots.types import Face, check_image

Fit = Literal["affine", "perspective", "similarity"]

FOLDER = Path(__file__).parent / "sticker_art"
"""The built-in stickers, drawn by ``tools/draw_stickers.py``."""


@dataclass(frozen=True, eq=False)
class Sticker:
    """An image and the anchors that fix it to a face.

    Attributes:
        name: Name of the sticker.
        image: ``uint8 (H, W, 4)``, RGB and straight (not premultiplied) alpha.
        anchors: Name of a point in IBUG68 -> (x, y) in pixels of the image; two or more places.
        fit: ``"affine"``, ``"perspective"`` or ``"similarity"``, see the module.

    Example:
        >>> dot = np.full((8, 24, 4), 255, np.uint8)
        >>> band = Sticker("band", dot, {"right_eye_0": (2, 4), "left_eye_3": (21, 4)})
        >>> band.fit
        'affine'
    """

    name: str
    image: Image
    anchors: Mapping[str, tuple[float, float]]
    fit: Fit = "affine"

    def __post_init__(self) -> None:
        object.__setattr__(self, "anchors", MappingProxyType(dict(self.anchors)))
        unknown = [name for name in self.anchors if name not in IBUG68.names]
        fault = ""
        if unknown:
            fault = f"no point is called {unknown[0]!r}; names are as {IBUG68.names[36]!r}"
        elif len(set(self.anchors.values())) < 2:
            fault = "it needs anchors at two different places or more"
        elif self.fit not in get_args(Fit):
            fault = f"fit is {' or '.join(get_args(Fit))}, not {self.fit!r}"
        elif self.image.shape[2:] != (4,) or self.image.dtype != np.uint8:
            fault = "its image needs an alpha channel, 8 bits each: uint8 (H, W, 4)"
        if fault:
            raise StickerError(f"sticker {self.name}: {fault}")

    def place(self, face: Face, image_size: tuple[int, int]) -> Matrix:
        """The homography ``(3, 3)`` from the sticker's pixels to those of the face's image, of this
        height and width.

        Raises:
            PointsError: Points of the face are missing, or of another schema than IBUG68.
        """
        points = mesh_points(face)
        anchors = np.array(list(self.anchors.values()))
        rows = [IBUG68.index(name) for name in self.anchors]
        if self.fit == "similarity":
            return _homogeneous(fit_similarity(anchors, points[rows]))
        flat = fit_similarity(anchors, MEAN_SHAPE[rows])
        turned = _homogeneous(compose(fit_shape(MEAN_SHAPE, points), flat))
        if self.fit == "perspective":
            depth = [0, 0, HEAD_MODEL[rows, 2].mean()]
            plane = np.vstack([fit_similarity(anchors, HEAD_MODEL[rows, :2]), depth])
            # Points that no head has, or a sticker that would touch the lens: affine instead.
            with contextlib.suppress(PointsError):
                turned = self._as_seen(plane, points, image_size)
        gap = (points[rows] - _apply(turned, anchors)).mean(axis=0)
        return np.array([[1, 0, gap[0]], [0, 1, gap[1]], [0, 0, 1]]) @ turned

    def _as_seen(self, place: Matrix, points: Floats, image_size: tuple[int, int]) -> Matrix:
        """The homography of a plane in the head; ``place`` (3, 3) maps pixels (u, v, 1) to it."""
        camera = Camera.guess(image_size)
        pose = head_pose(points, camera)
        moved = rotation(pose.yaw, pose.pitch, pose.roll) @ place
        moved[:, 2] += pose.translation
        height, width = self.image.shape[:2]
        depths = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)]) @ moved[2]
        if depths.min() < _NEAREST * pose.translation[2]:
            raise PointsError(f"sticker {self.name}: a part of it would be too near to the lens")
        return camera.matrix @ moved


_NEAREST = 0.5
"""Smallest distance of a sticker's part from the camera, over that of the head."""


def _homogeneous(affine: Matrix) -> Matrix:
    """An affine map (2, 3) as a homography (3, 3)."""
    return np.vstack([affine, [0, 0, 1]])


def _apply(homography: Matrix, points: ArrayLike) -> Matrix:
    """Points (n, 2) under a homography."""
    seen = np.asarray(points, np.float64) @ homography[:, :2].T + homography[:, 2]
    return np.asarray(seen[:, :2] / seen[:, 2:])


class Stickers:
    """Effect: puts stickers on every face, the first one lowest.

    Args:
        stickers: One or several: stickers, names of built-in ones, or paths of YAML files.

    Raises:
        StickerError: A sticker is unknown or its files have faults.

    Example:
        >>> result = Stickers(["hat", "mustache"])(image, Pipeline()(image))  # doctest: +SKIP
    """

    def __init__(self, stickers: Sticker | str | Path | Iterable[Sticker | str | Path]) -> None:
        if isinstance(stickers, Sticker | str | Path):
            stickers = [stickers]
        chosen = (one if isinstance(one, Sticker) else load_sticker(one) for one in stickers)
        self._layers = [(sticker, premultiplied(sticker.image)) for sticker in chosen]

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with the stickers on it."""
        result = np.array(check_image(image))
        for face in faces:
            for sticker, layer in self._layers:
                paste(result, layer, sticker.place(face, (image.shape[0], image.shape[1])))
        return result


def premultiplied(image: Image) -> Image:
    """An image ``(H, W, 4)`` with its colors multiplied by alpha, as interpolation needs.

    >>> premultiplied(np.array([[[200, 100, 0, 51]]], np.uint8)).tolist()
    [[[40, 20, 0, 51]]]
    """
    colors, alpha = image[..., :3], image[..., 3:]
    faded = (colors * (alpha / np.float32(255))).round().astype(np.uint8)
    return np.concatenate([faded, alpha], axis=2)


def paste(image: Image, layer: Image, homography: Matrix) -> None:
    """Composite a :func:`premultiplied` layer ``(h, w, 4)`` under a homography ``(3, 3)`` onto an
    RGB image, in place.
    """
    height, width = layer.shape[:2]
    corners = _apply(homography, [(-1, -1), (width, -1), (width, height), (-1, height)])
    left, top, right, bottom = pixel_box(corners, (image.shape[0], image.shape[1]))
    if left >= right or top >= bottom:
        return
    area = cv2.contourArea(corners.astype(np.float32))
    zoom = float(np.sqrt(area / ((width + 1) * (height + 1))))
    if zoom < 0.5:  # A warp that shrinks by more than two would skip pixels.
        small = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        layer = np.asarray(cv2.resize(layer, small, interpolation=cv2.INTER_AREA), np.uint8)
        steps = np.array([width / small[0], height / small[1], 1])
        homography = homography @ np.linalg.inv(_HALF_PIXEL) @ np.diag(steps) @ _HALF_PIXEL
    shifted = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ homography
    size = (right - left, bottom - top)
    cover = cv2.warpPerspective(layer, shifted, size, flags=cv2.INTER_LINEAR).astype(np.float32)
    window = image[top:bottom, left:right]
    window[:] = (window * (1 - cover[..., 3:] / 255) + cover[..., :3]).round().clip(0, 255)


_HALF_PIXEL = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
"""From pixel centers to the top-left corner of the image, where scaling starts."""


def sticker_names() -> list[str]:
    """Names of the built-in stickers."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def load_sticker(name: str | Path) -> Sticker:
    """A built-in sticker by its name, or any by the path of its YAML file.

    Raises:
        StickerError: The sticker is unknown, or a file is missing or has faults.
    """
    names = sticker_names()
    file = FOLDER / f"{name}.yaml" if str(name) in names else Path(name)
    if file.suffix not in (".yaml", ".yml"):
        raise StickerError(
            f"{name}: no such sticker; there are {', '.join(names)}, or give a sticker's .yaml file"
        )
    fields = read_yaml(file, StickerError)
    required = {"image", "anchors"}
    if not isinstance(fields, dict) or not required <= set(fields) <= required | {"fit"}:
        raise StickerError(
            f"{file}: a sticker has the fields image, anchors and optionally fit, and no others"
        )
    image = _read_with_alpha(file.parent / str(fields["image"]))
    return Sticker(file.stem, image, _anchors(file, fields["anchors"]), fields.get("fit", "affine"))


def _anchors(file: Path, fields: Any) -> dict[str, tuple[float, float]]:
    anchors = {}
    for name, place in fields.items() if isinstance(fields, dict) else ():
        match place:
            case [int() | float() as x, int() | float() as y] if np.isfinite([x, y]).all():
                anchors[str(name)] = (float(x), float(y))
            case _:
                fault = f"a place is [x, y] in pixels of the image, not {place!r}"
                raise StickerError(f"{file}: anchor {name}: {fault}")
    return anchors


def _read_with_alpha(path: Path) -> Image:
    """A PNG as ``uint8``, RGB and alpha if it has one."""
    try:
        data = read_image_bytes(path)
    except ImageError as error:
        raise StickerError(f"the sticker's image: {error}") from error
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        fault = "the sticker's image cannot be decoded; a PNG with transparency is wanted"
        raise StickerError(f"{path}: {fault}")
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGBA)
    return np.asarray(decoded)
