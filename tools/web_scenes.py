"""The images on which ``web_fixtures.py`` lets Python and the npm package be compared: drawn faces
placed on a background, a clip, and files that are decoded.
"""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from PIL import ExifTags
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from facedots.data import draw_face
from facedots.geometry import Floats, Image, similarity, upright_square, warp_image

EYE_CORNERS = (36, 45)
FRAMES, CLIP_SIZE = 60, (320, 240)


def drawn(seed: int) -> tuple[Image, Floats]:
    """A drawn face and its points."""
    return draw_face(np.random.default_rng((0, seed)))


def placed(image: Image, seed: int, eyes: float, center: tuple[float, float], roll: float) -> None:
    """Paint a drawn face over an image, as an ellipse with eyes this far apart."""
    face, points = drawn(seed)
    x, y, side, tilt = upright_square(points, EYE_CORNERS)
    zoom = eyes / float(np.linalg.norm(points[EYE_CORNERS[0]] - points[EYE_CORNERS[1]]))
    matrix = similarity(roll - tilt, zoom, (center[0] - x, center[1] - y), (x, y))
    size = image.shape[:2]
    mask = np.zeros(face.shape[:2], np.uint8)
    half = (int(0.75 * side), int(0.85 * side))
    cv2.ellipse(mask, (int(x), int(y)), half, 0.0, 0.0, 360.0, 255, -1)
    inside = warp_image(mask, matrix, size) > 127
    image[inside] = warp_image(face, matrix, size)[inside]


def background(width: int, height: int) -> Image:
    """Soft colored patches."""
    patches = np.random.default_rng(7).integers(60, 200, (5, 7, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def scene(width: int, height: int, *faces: tuple[int, float, tuple[float, float], float]) -> Image:
    """Drawn faces on a background: seed, eye distance, center, roll."""
    image = background(width, height)
    for face in faces:
        placed(image, *face)
    return image


def scenes() -> dict[str, Image]:
    """The images of the whole way: one face, several, tilted, large, small, in tiles."""
    return {
        "one": scene(320, 240, (0, 60, (160, 125), 0)),
        "tilted": scene(482, 361, (2, 60, (130, 150), 25), (5, 60, (340, 180), -38)),
        "several": scene(
            640, 480, (9, 60, (120, 130), 5), (12, 60, (330, 140), -8), (15, 60, (520, 330), 12)
        ),
        "large": scene(900, 700, (3, 260, (450, 360), 10)),
        "small": scene(1000, 600, (5, 18, (300, 200), 0), (14, 16, (700, 400), 8)),
        "tiles": scene(2000, 1400, (5, 60, (300, 1100), 0), (2, 60, (1000, 600), 0)),
        "empty": background(200, 150),
    }


def clip_frames() -> Iterator[Image]:
    """Two drawn faces that pass each other, one leaving the image and coming back."""
    for i in range(FRAMES):
        share = i / FRAMES
        center = (60 + 200 * share, 70 + 10 * np.sin(9 * share))
        frame = background(*CLIP_SIZE)
        placed(frame, 5, 26, center, 15 * np.sin(7 * share))
        placed(frame, 2, 40, (250 - 640 * min(share, 1 - share), 160), -5)
        yield frame


def image_files() -> Iterator[tuple[str, PillowImage.Image, dict[str, Any]]]:
    """Files that a browser may show otherwise: name, image, and how it is saved."""
    image, gamma = PillowImage.fromarray(scenes()["one"]), PngInfo()
    ramp = np.tile(np.arange(image.width).astype(np.uint8), (image.height, 1))
    gamma.add(b"gAMA", (100000).to_bytes(4, "big"))
    yield "one.png", image, {}
    yield "alpha.png", PillowImage.merge("RGBA", [*image.split(), PillowImage.fromarray(ramp)]), {}
    yield "gray.png", image.convert("L"), {}
    yield "gamma.png", image, {"pnginfo": gamma}
    for orientation in range(1, 9):
        exif = PillowImage.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        yield f"turned{orientation}.jpg", image, {"exif": exif, "quality": 95}
