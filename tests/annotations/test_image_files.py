"""Images that exports of tools refer to, and points on images that cameras turned."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from facedots.annotations.image_files import ImageFinder, stored_points
from facedots.errors import ImageError
from facedots.io.images import read_image


@pytest.fixture
def finder(tmp_path: Path) -> ImageFinder:
    for name in (
        "a.jpg",
        "deep/a.jpg",
        "deep/é x (1).png",
        "d#1?.jpg",
        "one/twin.jpg",
        "two/twin.jpg",
        "b.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return ImageFinder(tmp_path)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("a.jpg", "a.jpg"),
        ("deep/a.jpg", "deep/a.jpg"),
        ("images/default/deep/a.jpg", "deep/a.jpg"),
        ("deep\\a.jpg", "deep/a.jpg"),
        ("d#1?.jpg", "d#1?.jpg"),
        ("/data/local-files/?d=mnt/deep/%C3%A9%20x%20%281%29.png", "deep/é x (1).png"),
        ("/data/upload/3/0a1b2c3d-%C3%A9_x_1.png", "deep/é x (1).png"),
        ("/data/upload/3/0a1b2c3d-d1.jpg", "d#1?.jpg"),
        ("https://example.org/images/a.jpg?size=full", "a.jpg"),
        ("s3://bucket/deep/a.jpg", "deep/a.jpg"),
        ("../../deep/a.jpg", "deep/a.jpg"),
    ],
)
def test_a_reference_finds_its_image(finder: ImageFinder, reference: str, found: str) -> None:
    assert finder.find(reference) == finder.root / found


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("gone.jpg", r"no image .*gone\.jpg; put it back"),
        (
            "photos/00005_a.jpg",
            r"00005_a\.jpg; put it back.* --exported DIR, or --images DIR/images$",
        ),
        ("", "no image"),
        ("x/twin.jpg", r"may be .*one.* or .*two"),
        ("b", "no image"),
    ],
)
def test_what_is_not_there_or_not_clear_is_refused(
    finder: ImageFinder, reference: str, fault: str
) -> None:
    with pytest.raises(ImageError, match=fault):
        finder.find(reference)


def turned_jpeg(orientation: int) -> bytes:
    """A JPEG of 32 x 48 px with EXIF's orientation; a bright block covers x 24-31, y 8-15 of the
    stored image.
    """
    image = np.zeros((48, 32, 3), np.uint8)
    image[8:16, 24:32] = 255
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_point_on_the_seen_image_is_found_on_the_stored_one(
    tmp_path: Path, orientation: int
) -> None:
    file = tmp_path / "phone.jpg"
    file.write_bytes(turned_jpeg(orientation))
    rows, columns = np.nonzero(read_image(file)[:, :, 0] > 128)
    corners = np.array([(columns.min(), rows.min()), (columns.max(), rows.max())], np.float32)
    back, _ = stored_points(corners, file)
    assert np.sort(back, axis=0).tolist() == [[24, 8], [31, 15]]
    assert back.dtype == np.float32
    if (
        orientation == 6
    ):  # Shown a quarter turn clockwise: the stored top-left corner is seen at the top right.
        assert stored_points(np.array([(47, 0)], np.float32), file)[0].tolist() == [[0, 0]]


def test_an_image_without_exif_is_not_decoded(tmp_path: Path) -> None:
    (tmp_path / "plain.jpg").write_bytes(b"no image")
    points = np.array([(1, 2), (np.nan, np.nan)], np.float32)
    assert stored_points(points, tmp_path / "plain.jpg")[0] is points
    (tmp_path / "broken.jpg").write_bytes(b"Exif\0\0")
    assert stored_points(points, tmp_path / "broken.jpg")[0] is points
    with pytest.raises(ImageError, match="cannot be read"):
        stored_points(points, tmp_path / "none.jpg")
