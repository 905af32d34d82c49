"""Stickers: pictures with transparency that sit on faces and move, tilt, grow and turn with them.

A sticker is a PNG with an alpha channel and a YAML file beside it::

    image: sunglasses.png
    fit: affine
    anchors:
      right_eye_0: [83.5, 60]
      left_eye_3: [283.5, 60]

``anchors`` says where points of the face, by their names in the schema, lie in the picture: x and y in pixels, (0, 0) is the
centre of the top-left pixel. ``fit`` is ``affine`` for what lies on the face: size, tilt and squeeze come from all its points,
the place from the anchors; or ``similarity`` for what is not squeezed when the head turns: the anchors alone decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import cv2
import numpy as np

from facedots.apps.mesh import MEAN_SHAPE, fit_shape, mesh_points
from facedots.errors import StickerError
from facedots.geometry import Matrix, apply_affine, compose, fit_similarity
from facedots.schema import IBUG68
from facedots.types import Face, check_image
from facedots.warp import Image, warp_image

Fit = Literal["affine", "similarity"]

FOLDER = Path(__file__).parent / "sticker_art"
"""The stickers that come with facedots, drawn by ``tools/draw_stickers.py``."""


@dataclass(frozen=True, eq=False)
class Sticker:
    """A picture and where points of the face lie in it.

    Attributes:
        name: What users call it.
        picture: ``uint8 (H, W, 4)``, RGB and alpha, the colours not multiplied by it.
        anchors: Name of a point in IBUG68 -> (x, y) in pixels of the picture; at least two different places.
        fit: ``"affine"`` or ``"similarity"``, see the module.
    """

    name: str
    picture: Image
    anchors: Mapping[str, tuple[float, float]]
    fit: Fit = "affine"

    def __post_init__(self) -> None:
        object.__setattr__(self, "anchors", MappingProxyType(dict(self.anchors)))
        unknown = [name for name in self.anchors if name not in IBUG68.names]
        if unknown:
            raise StickerError(f"sticker {self.name}: no point is called {unknown[0]!r}; names are as {IBUG68.names[36]!r}")
        if len(set(self.anchors.values())) < 2:
            raise StickerError(f"sticker {self.name}: it needs anchors at two different places or more")
        if self.fit not in get_args(Fit):
            raise StickerError(f"sticker {self.name}: fit is {' or '.join(get_args(Fit))}, not {self.fit!r}")
        if self.picture.ndim != 3 or self.picture.shape[2] != 4 or self.picture.dtype != np.uint8:
            raise StickerError(f"sticker {self.name}: its picture needs an alpha channel, 8 bits each: uint8 (H, W, 4)")

    def place(self, face: Face) -> Matrix:
        """The affine map ``(2, 3)`` from the sticker's pixels to those of the picture that the face is in.

        Raises:
            PointsError: Points of the face are missing, or of another schema than IBUG68.
        """
        points = mesh_points(face)
        ours = np.array(list(self.anchors.values()))
        rows = [IBUG68.index(name) for name in self.anchors]
        if self.fit == "similarity":
            return fit_similarity(ours, points[rows])
        turned = compose(fit_shape(MEAN_SHAPE, points), fit_similarity(ours, MEAN_SHAPE[rows]))
        gap = (points[rows] - apply_affine(turned, ours)).mean(axis=0)
        return np.column_stack([turned[:, :2], turned[:, 2] + gap])


class Stickers:
    """Puts stickers on every face, the first one lowest.

    Args:
        stickers: Stickers, names of those that come with facedots, or paths of YAML files.

    Raises:
        StickerError: There is no such sticker, or its files have faults.
    """

    def __init__(self, stickers: Iterable[Sticker | str | Path]) -> None:
        chosen = [sticker if isinstance(sticker, Sticker) else find_sticker(sticker) for sticker in stickers]
        self._layers = [(sticker, multiplied(sticker.picture)) for sticker in chosen]

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB picture with the stickers on it."""
        result = np.array(check_image(image))
        for face in faces:
            for sticker, layer in self._layers:
                paste(result, layer, sticker.place(face))
        return result


def multiplied(picture: Image) -> Image:
    """A picture with alpha (h, w, 4), its colours multiplied by the alpha: mixing pixels then weighs them as they cover.

    >>> multiplied(np.array([[[200, 100, 0, 51]]], np.uint8)).tolist()
    [[[40, 20, 0, 51]]]
    """
    share = picture[..., 3:] / np.float32(255)
    return np.concatenate([(picture[..., :3] * share).round().astype(np.uint8), picture[..., 3:]], axis=2)


def paste(image: Image, layer: Image, matrix: Matrix) -> None:
    """Lay a picture with alpha under an affine map onto an RGB picture, in place. What lies beyond its frame is cut.

    Args:
        image: ``uint8 (H, W, 3)``, changed.
        layer: ``uint8 (h, w, 4)``, colours multiplied by alpha as :func:`multiplied` does, so that borders are smooth.
        matrix: From pixels of ``layer`` to pixels of ``image`` (2, 3).
    """
    height, width = layer.shape[:2]
    corners = apply_affine(matrix, [(-1, -1), (width, -1), (width, height), (-1, height)])
    limit = (image.shape[1], image.shape[0])
    left, top = np.floor(corners.min(axis=0)).clip(0, limit).astype(int).tolist()
    right, bottom = (np.ceil(corners.max(axis=0)) + 1).clip(0, limit).astype(int).tolist()
    if left >= right or top >= bottom:
        return
    shifted = np.column_stack([matrix[:, :2], matrix[:, 2] - (left, top)])
    cover = warp_image(layer, shifted, (bottom - top, right - left)).astype(np.float32)
    window = image[top:bottom, left:right]
    window[:] = (window * (1 - cover[..., 3:] / 255) + cover[..., :3]).round().clip(0, 255)


def sticker_names() -> list[str]:
    """The stickers that come with facedots."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def find_sticker(name: str | Path) -> Sticker:
    """A sticker that comes with facedots, by its name, or a user's own, by the path of its YAML file.

    Raises:
        StickerError: There is no such sticker, or its files have faults.
    """
    if str(name) in sticker_names():
        return load_sticker(FOLDER / f"{name}.yaml")
    if Path(name).suffix in (".yaml", ".yml"):
        return load_sticker(name)
    raise StickerError(f"{name}: no such sticker; there are {', '.join(sticker_names())}, or give a sticker's .yaml file")


def load_sticker(path: str | Path) -> Sticker:
    """The sticker that a YAML file describes; the image's path is relative to the file.

    Raises:
        StickerError: A file is missing or has faults.
    """
    import yaml

    file = Path(path)
    try:
        fields = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StickerError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StickerError(f"{file}: not YAML: {error}") from error
    if not isinstance(fields, dict) or not {"image", "anchors"} <= set(fields) <= {"image", "anchors", "fit"}:
        raise StickerError(f"{file}: a sticker has the fields image, anchors and, if it likes, fit, and no others")
    picture = _read_with_alpha(file.parent / str(fields["image"]))
    return Sticker(file.stem, picture, _anchors(file, fields["anchors"]), fields.get("fit", "affine"))


def _anchors(file: Path, given: Any) -> dict[str, tuple[float, float]]:
    """The anchors as numbers."""
    anchors = {}
    for name, place in given.items() if isinstance(given, dict) else ():
        numbers = place if isinstance(place, list) else []
        if len(numbers) != 2 or not all(isinstance(value, int | float) and np.isfinite(value) for value in numbers):
            raise StickerError(f"{file}: anchor {name}: a place is [x, y] in pixels of the image, not {place!r}")
        anchors[str(name)] = (float(numbers[0]), float(numbers[1]))
    return anchors


def _read_with_alpha(path: Path) -> Image:
    """A PNG as ``uint8``, RGB and alpha if it has one."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise StickerError(f"{path}: the sticker's image cannot be read: {error.strerror}") from error
    decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if decoded is None:
        raise StickerError(f"{path}: the sticker's image cannot be decoded; a PNG with transparency is wanted")
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGBA)
    return np.asarray(decoded)
