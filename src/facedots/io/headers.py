"""What an image file says of itself before anything is decoded: its size, its format, its frames.

Formats without a reader here are refused: nothing is decoded whose size is not known.
"""

import contextlib
import io
import math
import re
import struct
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

Size = tuple[int, int]
"""Width and height in pixels."""

MAX_PIXELS = 100_000_000
"""Images with more pixels are refused before they are decoded, unless more are asked for."""

_limit = ContextVar("max_pixels", default=MAX_PIXELS)

_HEAD = 1 << 16
_SEARCHED = 64 << 20
_BOXES = 1 << 20
_MOST_SEGMENTS = _MOST_ENTRIES = 4096
_MOST_CHUNKS = 1 << 17
"""Of a PNG; encoders write at least 8 kB into each, so this is a gigabyte."""
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


@contextlib.contextmanager
def pixel_limit(max_pixels: int) -> Iterator[None]:
    """In this block, images are read up to this number of pixels where a call names none."""
    token = _limit.set(max_pixels)
    try:
        yield
    finally:
        _limit.reset(token)


def allow_pixels(max_pixels: int) -> None:
    """The same until the surrounding :func:`pixel_limit` ends."""
    _limit.set(max_pixels)


def most_pixels() -> int:
    """The number of pixels up to which images are read, see :func:`pixel_limit`."""
    return _limit.get()


def header_size(file: BinaryIO) -> Size | None:
    """Width and height as the header states them; ``None`` where there is no known header.

    Reads at most about a megabyte, wherever in the file it lies. A PNG that is cut off has none.

    >>> import io
    >>> header_size(io.BytesIO(b"P6 640 480 255 "))
    (640, 480)
    """
    head = _read(file, 0, _HEAD)
    for magic, reader in _READERS:
        if re.match(magic, head, re.DOTALL):
            try:
                return reader(file, head)
            except (struct.error, ValueError, IndexError, OverflowError):
                return None
    return None


def is_heif(head: bytes) -> bool:
    r"""Whether a file begins as HEIC or HEIF does, and is not AVIF.

    >>> is_heif(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), is_heif(b"BM")
    (True, False)
    """
    brands = _brands(head)
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def _brands(head: bytes) -> set[bytes]:
    """What AVIF, HEIC and films name themselves compatible with; nothing for other files."""
    end = min(int.from_bytes(head[:4], "big"), _HEAD) if head[4:8] == b"ftyp" else 0
    return {head[at : at + 4] for at in (8, *range(16, end, 4)) if end}


def avif_turns(data: bytes) -> tuple[int, str] | None:
    r"""How an AVIF image is shown: quarter turns to the left, and the axis along which it is then
    mirrored, ``"x"``, ``"y"`` or ``""``. None for what is no AVIF.

    >>> avif_turns(b"\0\0\0\x1cftypavif ... \0\0\0\x09irot\1 \0\0\0\x09imir\1")
    (1, 'x')
    """
    if not _brands(data) & _AVIF_BRANDS:
        return None
    head = data[:_BOXES]
    turn, mirror = (
        re.search(rb"\0\0\0\x09" + box + rb"(.)", head, re.DOTALL) for box in (b"irot", b"imir")
    )
    axis = "yx"[mirror[1][0] & 1] if mirror else ""
    return turn[1][0] & 3 if turn else 0, axis


def holds_more_frames(path: str | Path) -> bool:
    """Whether a GIF, PNG, WebP, AVIF or TIFF file holds more than one frame or page, of which only
    the first is read; false where it cannot be read or is cut off before its second.
    """
    try:
        with Path(path).open("rb") as file:
            return _more_frames(file.read(_SEARCHED))
    except (OSError, struct.error, IndexError):
        return False


def _more_frames(data: bytes) -> bool:
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


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _numbers(layout: str, at: int) -> Callable[[BinaryIO, bytes], Size]:
    """A reader of two numbers that stand in one place."""

    def size(_: BinaryIO, head: bytes) -> Size:
        width, height = struct.unpack_from(layout, head, at)
        return width, height

    return size


def _png(file: BinaryIO, head: bytes) -> Size | None:
    """The size, if all chunks lie within the file: for each, OpenCV takes the memory announced."""
    end, at = file.seek(0, io.SEEK_END), 8
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack(">I4s", _read(file, at, 8))
        at += 12 + length
        if at > end:
            return None
        if kind == b"IEND":
            return struct.unpack_from(">II", head, 16)
    return None


def _bmp(file: BinaryIO, head: bytes) -> Size:
    if struct.unpack("<I", head[14:18])[0] < 36:  # OS/2's short header
        return struct.unpack("<HH", head[18:22])
    width, height = struct.unpack("<ii", head[18:26])
    return abs(width), abs(height)


def _webp(file: BinaryIO, head: bytes) -> Size | None:
    kind, data = head[12:16], head[20:30]
    if kind == b"VP8X":
        return (int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1)
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[1:5])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(file: BinaryIO, head: bytes) -> Size | None:
    """The size in the first start-of-frame segment; garbage before a marker is passed over."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        chunk = _read(file, at, _HEAD)
        found = re.search(rb"\xff+[^\0\xff]", chunk)
        if found is None:
            return None
        code = chunk[found.end() - 1]
        at += found.end()
        if code == 0x01 or 0xD0 <= code <= 0xD8:  # markers without a segment
            continue
        segment = _read(file, at, 7)
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", segment[3:7])
            return width, height
        if code in (0xD9, 0xDA):
            return None
        at += struct.unpack(">H", segment[:2])[0]
    return None


def _tiff(file: BinaryIO, head: bytes) -> Size | None:
    """Tags 256 and 257 of the first directory, in TIFF and BigTIFF."""
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    entry, pointer, number = (20, "Q", "Q") if big else (12, "I", "H")
    at = struct.unpack(order + pointer, head[8:16] if big else head[4:8])[0]
    width = struct.calcsize(order + number)
    count = min(struct.unpack(order + number, _read(file, at, width))[0], _MOST_ENTRIES)
    table = _read(file, at + width, count * entry)
    sides: dict[int, int] = {}
    for start in range(0, len(table) - entry + 1, entry):
        tag, kind = struct.unpack(order + "HH", table[start : start + 4])
        if tag in (256, 257) and kind in (1, 3, 4, 16):
            code = {1: "B", 3: "H", 4: "I", 16: "Q"}[kind]
            place = start + (12 if big else 8)
            value = table[place : place + struct.calcsize(code)]
            sides.setdefault(tag, struct.unpack(order + code, value)[0])
    return (sides[256], sides[257]) if len(sides) == 2 else None


def _boxes(file: BinaryIO, head: bytes) -> Size | None:
    """The largest ``ispe`` property of AVIF and HEIF."""
    text = _read(file, 0, _BOXES)
    parts = [part for part in text.split(b"ispe")[1:] if len(part) >= 12]
    sizes: list[Size] = [struct.unpack_from(">II", part, 4) for part in parts]
    return max(sizes, key=math.prod, default=None)


def _jpeg2000(file: BinaryIO, head: bytes) -> Size | None:
    text = _read(file, 0, _BOXES)
    at = text.find(b"\xff\x4f\xff\x51")
    if at < 0:
        return None
    right, bottom, left, top = struct.unpack(">IIII", text[at + 8 : at + 24])
    return right - left, bottom - top


def _netpbm(file: BinaryIO, head: bytes) -> Size:
    if head[:2] == b"P7":
        width, height = (re.search(name + rb"\s+(\d+)", head) for name in (b"WIDTH", b"HEIGHT"))
        if width is None or height is None:
            raise ValueError
        return int(width[1][:12]), int(height[1][:12])
    words = re.sub(rb"#[^\n]*", b"", head[2:1024]).split()
    return int(words[0]), int(words[1])


def _radiance(file: BinaryIO, head: bytes) -> Size | None:
    found = re.search(rb"[-+]Y\s+(\d{1,12})\s+[-+]X\s+(\d{1,12})", head)
    return (int(found[2]), int(found[1])) if found else None


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


_READERS: tuple[tuple[bytes, Callable[[BinaryIO, bytes], Size | None]], ...] = (
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"\xff\xd8\xff", _jpeg),
    (rb"GIF8[79]a", _numbers("<HH", 6)),
    (rb"BM", _bmp),
    (rb"RIFF....WEBP", _webp),
    (rb"II[*+]\0|MM\0[*+]", _tiff),
    (rb"....ftyp", _boxes),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _jpeg2000),
    (rb"P[1-7Ff]\s", _netpbm),
    (rb"#\?(RADIANCE|RGBE)", _radiance),
    (rb"\x59\xa6\x6a\x95", _numbers(">II", 4)),
)
"""How a format begins, and what reads its size."""
