from pathlib import Path

import cv2
import numpy as np
import pytest

from facedots.audit.duplicates import MAX_HAMMING
from facedots.audit.image_files import inspect_image, phash
from facedots.errors import ImageError
from facedots.geometry import Image
from facedots.io.images import read_image, write_image


@pytest.fixture
def scene() -> Image:
    """A smooth image that JPEG keeps well."""
    y, x = np.mgrid[:60, :80]
    return np.stack([2 * x, 3 * y, x + y], axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("written", "found", "misnamed"),
    [(".png", ".png", False), (".png", ".jpg", True), (".jpg", ".JPEG", False)],
)
def test_bytes_tell_the_format(
    scene: Image, tmp_path: Path, written: str, found: str, misnamed: bool
) -> None:
    write_image(tmp_path / f"a{written}", scene)
    file = (tmp_path / f"a{written}").rename(tmp_path / f"b{found}")
    image = inspect_image(file)
    assert (image.width, image.height) == (80, 60)
    assert image.format == {".png": "PNG", ".jpg": "JPEG"}[written]
    assert image.misnamed is misnamed


@pytest.mark.parametrize(("channels", "mode"), [(None, "gray"), (3, "RGB"), (4, "RGBA")])
def test_channels(tmp_path: Path, channels: int | None, mode: str) -> None:
    cv2.imwrite(
        str(tmp_path / "a.png"),
        np.full((5, 4) if channels is None else (5, 4, channels), 9, np.uint8),
    )
    assert inspect_image(tmp_path / "a.png").mode == mode


@pytest.mark.parametrize("data", [b"", b"not an image"])
def test_what_is_no_image_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(ImageError, match=r"a\.jpg"):
        inspect_image(tmp_path / "a.jpg")


def test_a_missing_image_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.jpg: cannot be read"):
        inspect_image(tmp_path / "a.jpg")


def test_hashes_survive_encoding_and_size_but_not_another_image(
    folder: Path, hopper: Image
) -> None:
    height, width = hopper.shape[:2]
    poor = cv2.imdecode(
        cv2.imencode(".jpg", hopper, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR
    )
    small = cv2.resize(hopper, (width // 3, height // 3), interpolation=cv2.INTER_AREA)
    versions = [phash(np.asarray(image, np.uint8)) for image in (hopper, poor, small)]
    others = [phash(read_image(folder / f"p{i:02}.png")) for i in range(10)]
    assert all((one != versions[0]).sum() <= MAX_HAMMING for one in versions)
    assert all((one != versions[0]).sum() > 2 * MAX_HAMMING for one in others)
    assert not phash(np.full((30, 30, 3), 99, np.uint8)).any()
