"""HEIC and HEIF images, by libheif: the package ``pi-heif`` of the extra ``heif``."""

import numpy as np

from facedots.errors import ImageError, explain_missing_extra
from facedots.geometry import Image


def decode_heif(data: bytes, source: object) -> Image:
    """The primary image as ``uint8 (H, W, 3)`` RGB, upright: the format itself says how to turn it.

    Raises:
        MissingExtra: ``pi-heif`` is not installed.
        ImageError: It cannot be decoded.
    """
    with explain_missing_extra():
        import pi_heif
    try:
        file = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
        if file.mode not in {"RGB", "RGBA", "L"}:
            raise ValueError(f"mode {file.mode}")
        pixels = np.asarray(file)
    except (ValueError, EOFError, OSError, RuntimeError, SyntaxError) as error:
        raise ImageError(f"{source}: HEIF that cannot be decoded: {error}") from error
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] < 3:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    return np.ascontiguousarray(pixels[..., :3], np.uint8)
