"""Whether an image file holds further frames or pages, of which only the first is read."""

import struct
from pathlib import Path

_LIMIT = 64 << 20
"""Bytes of a file that are searched."""


def holds_more_frames(path: str | Path) -> bool:
    """Whether a GIF, PNG, WebP, AVIF or TIFF file holds more than one frame or page; false where it
    cannot be read or is cut off before its second.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LIMIT)
        return more_frames(data)
    except (OSError, struct.error, IndexError):
        return False


def more_frames(data: bytes) -> bool:
    """The same for the bytes of a file.

    >>> more_frames(b"RIFF....WEBPVP8X" + bytes([10, 0, 0, 0, 2]))
    True

    Raises:
        IndexError: The data end too early; so does ``struct.error``.
    """
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        return bool(data[20] & 2)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        end = data.find(b"IDAT")
        start = data.find(b"acTL", 0, end if end >= 0 else None)
        return start >= 0 and struct.unpack_from(">I", data, start + 4)[0] > 1
    if data[4:8] == b"ftyp":
        return b"avis" in data[8 : struct.unpack_from(">I", data)[0]]
    if data[:4] == b"GIF8":
        return _gif_frames(data) > 1
    if data[:4] in (b"II*\0", b"MM\0*"):
        order = "<" if data[:2] == b"II" else ">"
        first = struct.unpack_from(order + "I", data, 4)[0]
        entries = struct.unpack_from(order + "H", data, first)[0]
        following = struct.unpack_from(order + "I", data, first + 2 + 12 * entries)[0]
        return bool(following)
    return False


def _gif_frames(data: bytes) -> int:
    """Frames of a GIF, two at most: blocks are skipped, none is decoded."""
    position, frames = 13 + _color_table(data[10]), 0
    while frames < 2 and data[position] in (0x21, 0x2C):
        if data[position] == 0x2C:
            frames += 1
            position += 11 + _color_table(data[position + 9])
        else:
            position += 2
        while data[position]:
            position += data[position] + 1
        position += 1
    return frames


def _color_table(flags: int) -> int:
    """Bytes of the color table that a GIF's flags announce."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0
