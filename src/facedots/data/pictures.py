"""What picture files really are, and which of them show the same: bytes, sizes, formats, look-alikes."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.errors import ImageError
from facedots.io.images import decode_image, read_image
from facedots.warp import Image

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"RIFF": "WebP", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF"}
_ENDINGS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WebP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_THUMB = 16

ALIKE = 8
"""Two pictures look alike if no pixel of their slightly blurred grey versions differs by more than this, of 255.

Measured on YouTube faces: the training copies of two test frames that were published byte for byte the same, re-encoded as JPEG,
differ by 1; frames of a still video by 2-8, where the eye sees no difference.
"""


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture file.

    Attributes:
        path: The file.
        sha256: Of its bytes.
        width: In pixels.
        height: In pixels.
        format: What the bytes are, as in ``"PNG"``.
        mode: ``"grey"``, ``"RGB"`` or ``"RGBA"``.
        thumb: ``float32 (256,)``, grey levels of a tiny version, to find look-alikes.
    """

    path: Path
    sha256: str
    width: int
    height: int
    format: str
    mode: str
    thumb: NDArray[np.float32]

    @property
    def misnamed(self) -> bool:
        """The file's ending says another format than its bytes."""
        return _ENDINGS.get(self.path.suffix.lower()) != self.format


def inspect_picture(path: Path) -> Picture:
    """Read and decode a file, as stored.

    Raises:
        ImageError: It is missing or cannot be decoded.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
    image = decode_image(data, orient=False, source=path)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    channels = 1 if stored is None or stored.ndim == 2 else stored.shape[2]
    thumb = cv2.resize(_grey(image), (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
    return Picture(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        width=image.shape[1],
        height=image.shape[0],
        format=next((name for magic, name in _MAGIC.items() if data.startswith(magic)), "other"),
        mode={1: "grey", 3: "RGB", 4: "RGBA"}.get(channels, f"{channels} channels"),
        thumb=np.asarray(thumb, np.float32).ravel(),
    )


def look_alikes(pictures: Sequence[Picture]) -> list[tuple[Picture, Picture]]:
    """Pairs of files whose pictures look the same, see :data:`ALIKE`, whatever their encoding. Opens the few candidates again."""
    sizes: defaultdict[tuple[int, int], list[Picture]] = defaultdict(list)
    for picture in pictures:
        sizes[picture.width, picture.height].append(picture)
    return [pair for group in sizes.values() for pair in _candidates(group) if _differ_by(*pair) <= ALIKE]


def _candidates(group: list[Picture]) -> list[tuple[Picture, Picture]]:
    """Pairs of pictures of one size whose tiny versions allow that they look alike."""
    ordered = sorted(group, key=lambda picture: float(picture.thumb.mean()))
    means = np.array([picture.thumb.mean() for picture in ordered])
    pairs: list[tuple[Picture, Picture]] = []
    for i, picture in enumerate(ordered):
        near = ordered[i + 1 : int(np.searchsorted(means, means[i] + ALIKE, side="right"))]
        if near:
            gaps = np.abs(np.stack([other.thumb for other in near]) - picture.thumb).max(axis=1)
            pairs += [(picture, other) for other, gap in zip(near, gaps, strict=True) if gap <= ALIKE]
    return pairs


def _differ_by(first: Picture, second: Picture) -> int:
    """The largest difference of grey levels; a slight blur takes out what an encoder adds."""
    if first.sha256 == second.sha256:
        return 0
    blurred = [cv2.GaussianBlur(_grey(read_image(picture.path, orient=False)), (0, 0), 1) for picture in (first, second)]
    return int(cv2.absdiff(*blurred).max())


def _grey(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
