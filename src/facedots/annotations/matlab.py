"""Arrays of numbers in MATLAB's files of version 5.

SciPy's reader crashes the process on some damaged files, so this one reads what it needs: real
numeric arrays. The format: MathWorks, MAT-File Format (R2024a), chapter 1.
"""

import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from facedots.geometry import Matrix

_HEADER = 128
_ORDERS = {b"IM": "<", b"MI": ">"}
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_NUMBERS |= {12: "i8", 13: "u8"}
_NUMERIC_CLASSES = range(6, 16)
_COMPLEX = 0x800
_MAX_BYTES = 1 << 20


def read_arrays(data: bytes) -> dict[str, Matrix]:
    """Name -> array ``float64`` of two or more dimensions, from the bytes of a file.

    Raises:
        ValueError: It is not such a file, is damaged, or holds more than real numbers.
    """
    order = _ORDERS.get(data[_HEADER - 2 : _HEADER], "")
    if not order:
        raise ValueError("not a file of version 5")
    arrays = {}
    for element in _elements(data[_HEADER:], order):
        code, content = _inflated(element[1], order) if element[0] == _COMPRESSED else element
        if code != _MATRIX:
            raise ValueError(f"an element of type {code}, not an array")
        name, array = _array(content, order)
        arrays[name] = array
    return arrays


def _array(data: bytes, order: str) -> tuple[str, Matrix]:
    """The name and the numbers of an array's element."""
    codes, parts = zip(*_elements(data, order), strict=True)
    if codes[:3] != (_UINT32, _INT32, _INT8) or len(codes) != 4 or codes[3] not in _NUMBERS:
        raise ValueError("an array of other things than real numbers")
    flags, _ = np.frombuffer(parts[0], f"{order}u4").tolist()
    if flags & _COMPLEX or flags & 0xFF not in _NUMERIC_CLASSES:
        raise ValueError("an array of other things than real numbers")
    shape = np.frombuffer(parts[1], f"{order}i4").tolist()
    numbers: NDArray[np.number] = np.frombuffer(parts[3], order + _NUMBERS[codes[3]])
    if min(shape) < 0 or math.prod(shape) != len(numbers):
        raise ValueError(f"{len(numbers)} numbers for the shape {shape}")
    return parts[2].decode("ascii"), numbers.astype(np.float64).reshape(shape, order="F")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of the elements one after the other: each has a tag of 8 bytes, or of 4
    before at most 4 bytes of content, and all but compressed ones end at a multiple of 8.
    """
    start = 0
    while start < len(data):
        if len(data) - start < 8:
            raise ValueError("cut off in a tag")
        code, size = struct.unpack_from(f"{order}2I", data, start)
        first = start + 8
        if short := code >> 16:
            code, size, first = code & 0xFFFF, short, start + 4
        if size > (4 if short else len(data) - first):
            raise ValueError("an element is cut off")
        yield code, data[first : first + size]
        padded = 4 if short else size if code == _COMPRESSED else -(-size // 8) * 8
        start = first + padded


def _inflated(data: bytes, order: str) -> tuple[int, bytes]:
    """Type and content of the one element that is compressed."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(data, _MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"damaged: {error}") from error
    if not inflater.eof:
        raise ValueError(f"cut off, or larger than {_MAX_BYTES >> 10} kB")
    (element,) = _elements(content, order)
    return element
