from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from facedots.audit.image_files import (
    MAX_HAMMING,
    DuplicatePair,
    ImageFile,
    find_near_duplicates,
    inspect_image,
    nearest_distances,
    phash,
)
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


@pytest.mark.parametrize(
    ("kind", "ending", "name"),
    [
        ("GIF", ".gif", "GIF"),
        ("AVIF", ".avif", "AVIF"),
        ("JPEG2000", ".jp2", "JPEG 2000"),
        ("WEBP", ".webp", "WebP"),
        ("JPEG", ".jfif", "JPEG"),
    ],
)
def test_every_format_that_is_read_has_its_name(
    scene: Image, tmp_path: Path, kind: str, ending: str, name: str
) -> None:
    Pillow.fromarray(scene).save(tmp_path / f"a{ending}", kind)
    image = inspect_image(tmp_path / f"a{ending}")
    assert (image.format, image.misnamed) == (name, False)


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


def files(hashes: NDArray[np.bool_]) -> list[ImageFile]:
    """Files of different bytes with these hashes."""
    return [
        ImageFile(Path(f"{i}.png"), f"{i}", 9, 9, "PNG", "RGB", one) for i, one in enumerate(hashes)
    ]


def test_near_duplicates_by_hand() -> None:
    hashes = np.zeros((5, 256), bool)
    hashes[:, ::2] = True
    hashes[1, :MAX_HAMMING] = ~hashes[1, :MAX_HAMMING]
    hashes[2, : MAX_HAMMING + 1] = ~hashes[2, : MAX_HAMMING + 1]
    hashes[3] = False  # A flat image.
    assert find_near_duplicates(files(hashes)) == [
        DuplicatePair(0, 1, MAX_HAMMING),
        DuplicatePair(0, 4, 0),
        DuplicatePair(1, 2, 1),
        DuplicatePair(1, 4, MAX_HAMMING),
    ]


def test_near_duplicates_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.random.default_rng(0).random((40, 256)) < 0.5
    hashes[20:] = hashes[:20]
    whole = find_near_duplicates(files(hashes))
    monkeypatch.setattr("facedots.audit.image_files._BLOCK", 7)
    assert find_near_duplicates(files(hashes)) == whole
    assert {(pair.first, pair.second) for pair in whole} == {(i, i + 20) for i in range(20)}


def test_nearest_distances_in_and_across_groups() -> None:
    hashes = np.zeros((3, 256), bool)
    hashes[:, :128] = True
    hashes[1, :3] = False
    hashes[2, :10] = False
    assert nearest_distances(hashes, ["ann", "ann", "bo"]).tolist() == [3, 3]
    assert nearest_distances(hashes, ["ann", "ann", "bo"], across=True).tolist() == [10, 7, 7]


def test_near_duplicates_are_found_in_spite_of_their_encoding(
    hopper: Image, tmp_path: Path
) -> None:
    height, width = hopper.shape[:2]
    small = cv2.resize(hopper, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    versions = {
        "one.png": hopper,
        "two.jpg": hopper,
        "small.png": np.asarray(small, np.uint8),
        "turned.png": np.ascontiguousarray(hopper[::-1]),
        "cut.png": hopper[height // 4 :],
    }
    for name, image in versions.items():
        write_image(tmp_path / name, image)
    images = [inspect_image(path) for path in sorted(tmp_path.iterdir())]
    pairs = find_near_duplicates(images)
    assert sorted(
        sorted((images[pair.first].path.name, images[pair.second].path.name)) for pair in pairs
    ) == [["one.png", "small.png"], ["one.png", "two.jpg"], ["small.png", "two.jpg"]]


@pytest.mark.parametrize("flat", [False, True])
def test_each_pair_of_equal_files_counts_once(hopper: Image, tmp_path: Path, flat: bool) -> None:
    image = np.full((20, 30, 3), 99, np.uint8) if flat else hopper
    for i in range(3):
        write_image(tmp_path / f"{i}.png", image)
    images = [inspect_image(path) for path in sorted(tmp_path.iterdir())]
    assert find_near_duplicates(images) == [
        DuplicatePair(0, 1, 0),
        DuplicatePair(0, 2, 0),
        DuplicatePair(1, 2, 0),
    ]
