from pathlib import Path

import cv2
import numpy as np
import pytest

from facedots.audit.duplicates import inspect_image, look_alikes
from facedots.errors import ImageError
from facedots.geometry import Image
from facedots.io.images import write_image


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


def test_look_alikes_are_found_in_spite_of_their_encoding(scene: Image, tmp_path: Path) -> None:
    dotted = scene.copy()
    cv2.circle(dotted, (40, 30), 3, (255, 255, 255), -1)
    for name, image in {
        "one.png": scene,
        "two.jpg": scene,
        "dotted.png": dotted,
        "wide.png": scene[:-1],
    }.items():
        write_image(tmp_path / name, image)
    images = [inspect_image(path) for path in sorted(tmp_path.iterdir())]
    assert [{a.path.name, b.path.name} for a, b in look_alikes(images)] == [{"one.png", "two.jpg"}]


def test_each_pair_of_equal_files_is_told_once(scene: Image, tmp_path: Path) -> None:
    for i in range(3):
        write_image(tmp_path / f"{i}.png", scene)
    pairs = look_alikes([inspect_image(path) for path in sorted(tmp_path.iterdir())])
    assert sorted(sorted((a.path.name, b.path.name)) for a, b in pairs) == [
        ["0.png", "1.png"],
        ["0.png", "2.png"],
        ["1.png", "2.png"],
    ]
