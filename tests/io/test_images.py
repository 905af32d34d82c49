"""The traps of image files: names that lie, alpha, gray, 16 bits, EXIF orientation, damage."""

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from facedots.errors import ImageError, OutputError, ShapeError
from facedots.geometry import Image
from facedots.io.images import decode_image, read_image, write_image


def _encoded(suffix: str, stored: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    return cv2.imencode(suffix, stored)[1].tobytes()


def _with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF segment of one entry, the orientation."""
    tiff = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("alpha", [None, 254])
def test_avif_is_shown_as_it_says_in_its_colors(orientation: int, alpha: int | None) -> None:
    pixels = np.kron(np.random.default_rng(0).integers(0, 255, (3, 4, 3)), np.ones((16, 16, 1)))
    stored = np.dstack([pixels] if alpha is None else [pixels, np.full((48, 64), alpha)])
    exif, file = PIL.Image.Exif(), io.BytesIO()
    exif[PIL.ExifTags.Base.Orientation] = orientation
    image = PIL.Image.fromarray(stored.astype(np.uint8))
    image.save(file, "AVIF", quality=100, subsampling="4:4:4", exif=exif)
    shown = np.asarray(PIL.ImageOps.exif_transpose(PIL.Image.open(file)).convert("RGB"))
    assert np.abs(decode_image(file.getvalue()) - shown.astype(int)).mean() < 1
    assert np.abs(decode_image(file.getvalue(), orient=False) - pixels).mean() < 1


def test_rgba_png_under_a_jpg_name_is_read_by_its_bytes_and_loses_its_alpha(tmp_path: Path) -> None:
    stored = np.zeros((5, 7, 4), np.uint8)
    stored[2, 3] = (10, 20, 30, 0)  # BGRA and fully transparent: neither blended nor premultiplied.
    path = tmp_path / "frame.jpg"
    path.write_bytes(_encoded(".png", stored))
    image = read_image(path)
    assert image.shape == (5, 7, 3)
    assert image.dtype == np.uint8
    assert image[2, 3].tolist() == [30, 20, 10]


def test_gray_becomes_three_equal_channels() -> None:
    image = decode_image(_encoded(".png", np.array([[0, 90, 255]], np.uint8)))
    assert image.tolist() == [[[0] * 3, [90] * 3, [255] * 3]]


def test_sixteen_bits_are_scaled_to_eight_not_cut_off() -> None:
    image = decode_image(_encoded(".png", np.array([[0, 0x8000, 0xFFFF]], np.uint16)))
    assert image[0, :, 0].tolist() == [0, 128, 255]


def test_exif_orientation_turns_the_image_only_where_asked() -> None:
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:, :16] = (0, 0, 255)  # The left half is red, in BGR.
    jpeg = _with_orientation(_encoded(".jpg", stored), orientation=6)
    as_stored, as_seen = decode_image(jpeg, orient=False), decode_image(jpeg, orient=True)
    assert as_stored.shape == (16, 32, 3)
    assert as_seen.shape == (32, 16, 3)
    # Orientation 6: turned clockwise to be seen, so the stored left is the seen top.
    assert np.round(as_stored[8, [4, 28], 0] / 255).tolist() == [1, 0]
    assert np.round(as_seen[[4, 28], 8, 0] / 255).tolist() == [1, 0]


@pytest.mark.parametrize("data", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(data)
    with pytest.raises(
        ImageError, match=r"broken\.jpg: .*complete\? For videos: facedots video, which"
    ):
        read_image(path)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.png: cannot be read"):
        read_image(tmp_path / "nowhere.png")


@given(image=arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3))))
def test_a_written_png_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, image: Image
) -> None:
    path = tmp_path_factory.getbasetemp() / "again.png"
    write_image(path, image)
    assert np.array_equal(read_image(path), image)


def test_gray_images_are_written_and_folders_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "gray.PNG"
    write_image(path, np.array([[7, 8]], np.uint8))
    assert read_image(path).tolist() == [[[7] * 3, [8] * 3]]
    assert [file.name for file in path.parent.iterdir()] == ["gray.PNG"]


@pytest.mark.parametrize(
    "image", [np.zeros((2, 2, 3)), np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), [[7]]]
)
def test_what_is_no_image_is_not_written(tmp_path: Path, image: Any) -> None:
    with pytest.raises(ShapeError, match="an image is"):
        write_image(tmp_path / "image.png", image)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["image", "image.xyz"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match="cannot be written as"):
        write_image(tmp_path / name, np.zeros((2, 2, 3), np.uint8))


def test_a_target_that_cannot_be_written_is_named_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "image.png").mkdir()
    with pytest.raises(OutputError, match=r"image\.png"):
        write_image(tmp_path / "image.png", np.zeros((2, 2, 3), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["image.png"]
