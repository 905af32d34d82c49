"""Images found by what annotation tools call them."""

from pathlib import Path

import pytest

from facedots.annotations.exports import ImageFinder
from facedots.errors import ImageError


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
