"""Arrays in MATLAB's files: what SciPy wrote is read alike, and no damage crashes the process."""

import io
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from facedots.annotations.matlab import read_arrays

ARRAYS = {
    "Points": np.arange(12.5, 18.5).reshape(3, 2),
    "Occ": np.array([[0], [1], [1]], np.uint8),
    "n": np.array([[-7]], np.int64),
    "none": np.zeros((0, 3), np.float32),
}


@cache
def written(*, compressed: bool = False) -> bytes:
    savemat, file = pytest.importorskip("scipy.io").savemat, io.BytesIO()
    savemat(file, ARRAYS, do_compression=compressed)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes_is_read(compressed: bool) -> None:
    read = read_arrays(written(compressed=compressed))
    assert read.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert_array_equal(read[name], array)


@given(place=st.integers(0, 10_000), value=st.integers(0, 255), compressed=st.booleans())
@settings(max_examples=300)
def test_a_damaged_byte_is_refused_or_harmless(place: int, value: int, compressed: bool) -> None:
    data = bytearray(written(compressed=compressed))
    data[place % len(data)] = value
    try:
        read_arrays(bytes(data))
    except ValueError:
        return


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "version 5"),
        (b" " * 124 + b"\0\1IM" + b"\1\0\0\0", "cut off in a tag"),
        (b" " * 124 + b"\0\1IM" + bytes([9, 0, 0, 0, 8, 0, 0, 0]) + bytes(8), "type 9"),
        (b" " * 124 + b"\0\1IM" + bytes([14, 0, 0, 0, 99, 0, 0, 0]), "cut off"),
    ],
)
def test_other_files_are_refused(data: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_arrays(data)


def test_what_grows_too_large_is_refused() -> None:
    packed = zlib.compress(bytes(2 << 20))
    tag = bytes([15, 0, 0, 0]) + len(packed).to_bytes(4, "little")
    with pytest.raises(ValueError, match="larger than 1024 kB"):
        read_arrays(b" " * 124 + b"\0\1IM" + tag + packed)


def test_flags_of_another_size_are_refused() -> None:
    size = bytes([5, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])
    rest = size + b"\1\0\1\0x\0\0\0" + b"\2\0\1\0\7\0\0\0"  # its name x, its number 7
    whole = bytes([6, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]) + rest
    half = bytes([6, 0, 4, 0, 9, 0, 0, 0]) + rest
    start = b" " * 124 + b"\0\1IM" + bytes([14, 0, 0, 0])
    read = read_arrays(start + len(whole).to_bytes(4, "little") + whole)
    assert read["x"].tolist() == [[7]]
    with pytest.raises(ValueError, match="not enough values"):
        read_arrays(start + len(half).to_bytes(4, "little") + half)


def test_complex_numbers_and_text_are_refused() -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    for value in (np.array([[1j]]), "text", {"a": 1}):
        file = io.BytesIO()
        savemat(file, {"x": value})
        with pytest.raises(ValueError, match="other things than real numbers"):
            read_arrays(file.getvalue())
