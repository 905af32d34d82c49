"""Sizes from headers agree with the decoder's, and bombs are refused before they go off."""

import base64
import io
import os
import resource
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from facedots.errors import ImageError, MissingExtra
from facedots.io.headers import header_size
from facedots.io.images import decode_image, read_image

RGB = Pillow.fromarray(np.full((30, 40, 3), 90, np.uint8))


def encoded(kind: str, image: Pillow.Image = RGB, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int) -> bytes:
    """A one-bit PNG, real to the last row."""
    line = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def jpeg_claim(width: int, height: int) -> bytes:
    data = bytearray(encoded("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff_claim(width: int, height: int) -> bytes:
    entries = ((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1))
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(200)


def bmp_claim(width: int, height: int) -> bytes:
    start = b"BM" + struct.pack("<IHHI", 54, 0, 0, 54)
    return start + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6) + bytes(64)


def avif_claim(width: int, height: int) -> bytes:
    data, side = encoded("AVIF"), struct.pack(">II", 40, 30)
    return data.replace(side, struct.pack(">II", width, height))


def jp2_claim(width: int, height: int) -> bytes:
    return encoded("JPEG2000").replace(
        struct.pack(">II", 40, 30), struct.pack(">II", width, height)
    )


BOMBS = {
    "real.png": png(12_000, 12_000),
    "wide.png": png(1_000_000, 101),
    "claim.jpg": jpeg_claim(50_000, 50_000),
    "claim.gif": b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + bytes(100),
    "claim.bmp": bmp_claim(32_000, -32_000),
    "claim.tif": tiff_claim(50_000, 50_000),
    "claim.webp": b"RIFF\x80\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\0" * 2 + bytes(100),
    "claim.avif": avif_claim(30_000, 30_000),
    "claim.jp2": jp2_claim(90_000, 90_000),
    "claim.heic": avif_claim(30_000, 30_000).replace(b"avif", b"heic"),
    "claim.ppm": b"P6\n# a comment\n90000 90000\n255\n" + bytes(30),
    "claim.pam": b"P7\nWIDTH 90000\nHEIGHT 90000\nDEPTH 3\nMAXVAL 255\nENDHDR\n",
    "claim.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 100000 +X 100000\n",
    "claim.ras": struct.pack(">8I", 0x59A66A95, 60_000, 60_000, 24, 0, 1, 0, 0),
}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "exif": b"Exif\0\0" + bytes(60_000)}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"big_tiff": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {}),
        ("JPEG2000", {}),
        ("PPM", {}),
    ],
)
def test_the_header_says_what_the_decoder_finds(kind: str, options: dict[str, Any]) -> None:
    data = encoded(kind, **options)
    assert header_size(io.BytesIO(data)) == (40, 30)
    assert decode_image(data).shape == (30, 40, 3)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BOMBS[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match=rf"{name}: \d+ x \d+ pixels.*--max-pixels"):
        read_image(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB


def test_a_png_whose_chunk_announces_gigabytes_is_refused_unread() -> None:
    whole = encoded("PNG")
    at = whole.index(b"IDAT")
    data = whole[: at - 4] + b"\x7f\xff\xff\xf0" + whole[at:]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match="is the file complete"):
        decode_image(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB
    assert header_size(io.BytesIO(whole + b"more")) == (40, 30)


def test_the_limit_is_a_parameter() -> None:
    data = encoded("PNG")
    assert decode_image(data, max_pixels=1200).shape == (30, 40, 3)
    with pytest.raises(ImageError, match="40 x 30 pixels"):
        decode_image(data, max_pixels=1199)


@given(
    kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000"]),
    noise=st.randoms(use_true_random=False),
    cut=st.floats(0, 1),
)
def test_damaged_files_are_read_or_refused_in_one_line(
    kind: str, noise: object, cut: float
) -> None:
    data = bytearray(encoded(kind))
    for _ in range(5):
        data[noise.randrange(len(data))] = noise.randrange(256)  # type: ignore[attr-defined]
    message = "x: "
    try:
        decode_image(bytes(data[: int(len(data) * cut)]), source="x", max_pixels=10**6)
    except ImageError as error:
        message = str(error)
    assert message.startswith("x: ")
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_file_is_refused_not_filled_with_gray(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    data = encoded(kind, Pillow.fromarray(noise))
    with pytest.raises(ImageError):
        decode_image(data[: int(len(data) * share)])


def test_what_is_no_file_is_named_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "sock.jpg"))
    for path in [*tmp_path.iterdir(), Path("/dev/zero"), Path("x" * 300 + ".jpg"), Path("a\0b")]:
        with pytest.raises(ImageError, match="cannot be read: ") as failed:
            read_image(path)
        assert str(failed.value).startswith(str(path))


@pytest.mark.parametrize("head", [b"", encoded("JPEG"), encoded("TIFF")])
def test_a_sparse_file_is_refused_unread(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "sparse.jpg"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(5 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match=r"sparse\.jpg"):
        read_image(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB


def test_a_pipe_of_the_shell_is_read() -> None:
    code = "from facedots import read_image; print(read_image('/dev/stdin').shape)"
    done = subprocess.run(
        [sys.executable, "-c", code], input=encoded("PNG"), capture_output=True, check=True
    )
    assert done.stdout.strip() == b"(30, 40, 3)"


HEIC = (
    b"c-muNV30{GsVvAy%}izhg51nBLl8SRGck>Uf$>CcYDppk1Sn>t<P<^K3<a6VB@Af5Br_);Y>0~k0}}%yh{gB@LIXiF"
    b"Pz(r|^5G&XKx~njnU@CUfn-I2oK&zfpqh-bWJ3ldK}L`g*NRNAa=wDhl3WI;N=Ej~f}#Q-`&ni|az2nQ1L}2VWCjUM"
    b"04tLF!0_kqj~@&S{LBeJ9TE<VJdFSUgA_1>R4{{(+%6`EM4+UW6C)#<%mRf*)@iSvEZez*Bf~%eD8vjR7!;F$%Gq2P"
    b"4;CNj1X?1ToS##amz+}p6y;@LYXAy~WEK~sLcQw%#Tv;ui6EC5KpfAY0HXi@|Nj9L2tfJ)G%y4TGAlAc8kspbIDiyq"
    b"W>J0#&^-*2nFYD9NMU4PWNTz%W^HK$a-=egQq!Oke90-r$>3-J*|9!1B@q-~^%{)pIUhXsn4|pv^@RPu0>9Yx{k!*+"
    b"ea6G%H{bscIsW%ty1RHr1e^1TQ>AqWxVE*tsJ~eu_;N$}&w7si7iXon`tD9!b@cnT>?iZTFt9Lm2zUt<`JPl;cG^PF"
    b"K;o#{qzBHwuRWfw{-U@n-<^BM>xNQ6MU4}4*1kD8cXpumt`hbLpcB|2QRwT-patY{FfcL-fkGJ+k`R{z0IzkN<N"
)
"""Four colors, 48 x 32: red and green, below them blue and yellow. Turned a quarter clockwise, both
by the format and by EXIF data, as phones write them; packed by zlib and base85.
"""


def heic() -> bytes:
    return zlib.decompress(base64.b85decode(HEIC))


@pytest.mark.parametrize("data", [heic(), heic().replace(b"ispe", b"none"), heic()[:200]])
def test_heic_without_its_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(MissingExtra, match=r"facedots\[heif\]"):
        decode_image(data)


def test_heic_is_turned_once() -> None:
    pytest.importorskip("pi_heif")
    image = decode_image(heic())
    assert image.shape == (48, 32, 3)
    corners = image[[8, 8, -8, -8], [8, -8, 8, -8]].astype(int)
    colors = [(30, 30, 220), (220, 30, 30), (230, 230, 60), (30, 200, 30)]
    assert np.abs(corners - colors).max() < 8


@pytest.mark.parametrize("data", [heic().replace(b"hvcC", b"none"), heic()[:600]])
def test_heic_that_is_damaged_is_named(data: bytes) -> None:
    pytest.importorskip("pi_heif")
    with pytest.raises(ImageError, match=r"e\.heic: HEIF that cannot be decoded"):
        decode_image(data, source="e.heic")


def test_heic_without_a_size_is_refused() -> None:
    pytest.importorskip("pi_heif")
    with pytest.raises(ImageError, match=r"e\.heic: not an image"):
        decode_image(heic().replace(b"ispe", b"none"), source="e.heic")


def test_color_order_is_the_same_for_every_format() -> None:
    red = Pillow.fromarray(np.full((30, 40, 3), (250, 10, 10), np.uint8))
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM"):
        image = decode_image(encoded(kind, red))
        assert np.abs(image[15, 20].astype(int) - (250, 10, 10)).max() < 8, kind
    stored = np.full((30, 40), 200, np.uint16) * 257
    assert decode_image(cv2.imencode(".tif", stored)[1].tobytes())[0, 0].tolist() == [200] * 3
