import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.servers import QuietHandler, serving

from facedots.errors import DownloadError, ImageError
from facedots.io.fetch import read_url
from facedots.io.inputs import ImageSource, distinct, find_images, is_url

PNG = cv2.imencode(".png", np.full((4, 6, 3), (0, 0, 255), np.uint8))[
    1
].tobytes()  # red: OpenCV writes blue first


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.JPG",
        "a.png",
        "notes.txt",
        ".hidden.png",
        "data",
        "w[1].png",
        "inner/c.webp",
        "inner/deep/d.tif",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def names(images: list[ImageSource], folder: Path) -> list[str]:
    return [Path(image.location).relative_to(folder).as_posix() for image in images]


def test_a_folder_gives_its_images_sorted(folder: Path) -> None:
    found = find_images(str(folder))
    assert names(found, folder) == ["a.png", "b.JPG", "w[1].png"]
    assert found[0].relative == Path("a.png")


def test_a_folder_and_its_folders(folder: Path) -> None:
    found = find_images(str(folder), recursive=True)
    assert sorted(names(found, folder)) == [
        "a.png",
        "b.JPG",
        "inner/c.webp",
        "inner/deep/d.tif",
        "w[1].png",
    ]
    assert {image.relative.as_posix() for image in found} == set(names(found, folder))


def test_a_folder_without_images_says_what_would_help(folder: Path) -> None:
    (folder / "empty" / "more").mkdir(parents=True)
    with pytest.raises(ImageError, match=r"empty: no images \(\.avif.*--recursive"):
        find_images(str(folder / "empty"))


@pytest.mark.parametrize("name", ["notes.txt", "data", "w[1].png", "missing.jpg"])
def test_a_named_file_is_taken_whatever_its_name(folder: Path, name: str) -> None:
    assert find_images(str(folder / name)) == [ImageSource(str(folder / name), Path(name))]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", [".hidden.png", "a.png", "w[1].png"]),
        ("*", ["a.png", "b.JPG", "w[1].png"]),
        ("[ab].*", ["a.png", "b.JPG"]),
        ("?otes.txt", ["notes.txt"]),
        ("**/*.tif", ["inner/deep/d.tif"]),
    ],
)
def test_a_pattern(folder: Path, pattern: str, expected: list[str]) -> None:
    expected = [name for name in expected if not name.startswith(".")]
    assert names(find_images(str(folder / pattern)), folder) == expected


def test_a_pattern_goes_round_no_circle_of_links(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for link in ("up", "self", "down"):
        (tmp_path / "deep" / link).symlink_to("..")
    (tmp_path / "deep" / "a.png").touch()
    found = find_images(f"{tmp_path}/**/*.png")
    assert [image.location for image in found] == [str(tmp_path / "deep" / "a.png")]


def test_a_pattern_that_fits_nothing(folder: Path) -> None:
    with pytest.raises(ImageError, match=r"\*\.gif: no image fits this pattern"):
        find_images(str(folder / "*.gif"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/photo%201.jpg?size=2#top", "photo 1.jpg"),
        ("HTTP://example.org", "image"),
        ("http://example.org/", "image"),
    ],
)
def test_an_address_is_named_after_its_last_part(url: str, name: str) -> None:
    assert is_url(url)
    assert find_images(url) == [ImageSource(url, Path(name))]


def test_what_is_named_twice_is_taken_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    images = [
        *find_images("a.png"),
        *find_images("."),
        *find_images(str(folder / "inner" / ".." / "a.png")),
    ]
    assert [image.location for image in distinct(images)] == ["a.png", "b.JPG", "w[1].png"]


def searched(source: Path, recursive: bool = False) -> tuple[list[str], list[str], list[str]]:
    """The names of the images, the faults, and what is said to be skipped."""
    faults, skipped = list[str](), list[str]()
    found = find_images(str(source), recursive, on_error=faults.append, on_skip=skipped.append)
    return [image.relative.as_posix() for image in found], faults, skipped


def test_what_a_folder_holds_besides_images_is_counted_in_one_line(folder: Path) -> None:
    names = ["a.png", "b.JPG", "w[1].png"]
    line = "skipped: 3 files (.txt hidden no ending), 3 folders"
    (folder / "more").mkdir()
    assert searched(folder) == (names, [], [f"{folder}: {line}"])
    assert searched(folder / "*")[2] == [
        f"{folder}/*: skipped: 2 files (.txt no ending), 3 folders"
    ]
    assert searched(folder / "*.png") == (
        ["a.png", "w[1].png"],
        [],
        [f"{folder}/*.png: skipped: 1 folder"],
    )


def test_the_formats_of_phones_and_browsers_are_images(tmp_path: Path) -> None:
    for name in ("a.png", "b.avif", "c.jfif", "d.gif", "e.HEIC", "f.heif", "g.jp2"):
        (tmp_path / name).write_bytes(PNG)
    assert len(searched(tmp_path)[0]) == 7


def test_names_of_images_that_are_no_files_are_faults(folder: Path) -> None:
    os.mkfifo(folder / "fifo.jpg")
    (folder / "gone.jpg").symlink_to("nowhere")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "null.jpg").symlink_to("/dev/null")
    faults = searched(folder)[1]
    assert [Path(fault.partition(":")[0]).name for fault in faults] == [
        *("fifo.jpg", "gone.jpg", "loop.jpg", "null.jpg")
    ]
    assert "a pipe" in faults[0]
    assert "a link to nothing" in faults[1]
    with pytest.raises(ImageError, match=r"fifo\.jpg"):
        find_images(str(folder))


def test_a_locked_folder_is_a_fault_and_the_rest_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "inner":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    names, faults, _ = searched(folder, recursive=True)
    assert names == ["a.png", "b.JPG", "w[1].png"]
    assert faults == [f"{folder}/inner: cannot be searched: Permission denied"]


def test_links_to_folders_are_not_followed_but_counted(folder: Path) -> None:
    (folder / "up").symlink_to(".")
    names, faults, skipped = searched(folder, recursive=True)
    assert len(names) == 5
    assert not faults
    assert skipped[0].endswith("1 folder")


class Handler(QuietHandler):
    """Answers with an image, an error, too much, or too slowly."""

    def do_GET(self) -> None:
        if self.path == "/gone":
            self.send_error(404, "Gone fishing")
            return
        self.send_response(200)
        if self.path == "/half":
            self.send_header("Content-Length", str(2 * len(PNG)))
        self.end_headers()
        if self.path == "/drip":
            for _ in range(20):
                self.wfile.write(b"x")
                time.sleep(0.05)
        elif self.path == "/long":
            self.wfile.write(b"x" * 300_000)
        else:
            self.wfile.write(PNG)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(Handler) as address:
        yield address


def test_a_image_from_an_address_and_from_a_file_is_the_same(server: str, folder: Path) -> None:
    for source in (f"{server}/photo", str(folder / "data")):
        image = find_images(source)[0].read()
        assert image.shape == (4, 6, 3)
        assert image[0, 0].tolist() == [255, 0, 0]


def test_a_refusal_a_flood_a_break_and_a_drip(server: str) -> None:
    with pytest.raises(
        DownloadError,
        match=rf"/half: the connection broke after {len(PNG)} of {2 * len(PNG)} bytes",
    ):
        read_url(f"{server}/half")
    with pytest.raises(DownloadError, match=r"/gone: the server answers 404 Gone fishing"):
        read_url(f"{server}/gone")
    with pytest.raises(DownloadError, match=r"/long: larger than 0 MB; download it yourself"):
        read_url(f"{server}/long", limit=100_000)
    with pytest.raises(DownloadError, match=r"/drip: too slow"):
        read_url(f"{server}/drip", max_seconds=0.1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x.jpg", "http://", "http://[bad/x.jpg", "http://127.0.0.1:port/x"]
)
def test_an_address_that_leads_nowhere(url: str) -> None:
    with pytest.raises(DownloadError, match="cannot be fetched"):
        read_url(url)


def test_a_page_that_is_no_image(server: str) -> None:
    with pytest.raises(ImageError, match=r"/long: not an image"):
        find_images(f"{server}/long")[0].read()
