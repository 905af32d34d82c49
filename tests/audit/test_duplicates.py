from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facedots.audit.duplicates import (
    MAX_HAMMING,
    DuplicatePair,
    find_near_duplicates,
    nearest_distances,
)
from facedots.audit.image_files import ImageFile, inspect_image
from facedots.geometry import Image
from facedots.io.images import write_image


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
    monkeypatch.setattr("facedots.audit.duplicates._BLOCK", 7)
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
