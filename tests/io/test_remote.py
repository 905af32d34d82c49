"""Addresses of fsspec, by its file system in memory."""

import re
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from facedots.errors import DownloadError, ImageError
from facedots.io.images import write_image
from facedots.io.remote import file_bytes, find_remote, open_binary, read_location


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[fsspec.AbstractFileSystem]:
    """Two images, a table, and an image in a folder below."""
    write_image(tmp_path / "a.png", np.full((4, 6, 3), 200, np.uint8))
    data = (tmp_path / "a.png").read_bytes()
    files = fsspec.filesystem("memory")
    for name in ("b.png", "a.PNG", "t.csv", "deep/c.png"):
        files.pipe_file(f"/faces/{name}", data)
    yield files
    files.rm("/faces", recursive=True)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    ("source", "recursive", "names"),
    [
        ("memory://faces", False, ["a.PNG", "b.png"]),
        ("memory://faces", True, ["a.PNG", "b.png", "deep/c.png"]),
        ("memory://faces/*.csv", False, ["t.csv"]),
        ("memory://faces/*", False, ["a.PNG", "b.png"]),
        ("memory://faces/?.p*", False, ["b.png"]),
        ("memory://faces/b.png", False, ["b.png"]),
    ],
)
def test_addresses_are_found(source: str, recursive: bool, names: list[str]) -> None:
    found = find_remote(source, {".png"}, recursive)
    assert [name.replace("memory:///", "memory://") for name in found] == [
        f"memory://faces/{name}" for name in names
    ]


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("memory://faces", "no images in this folder; --recursive looks into its folders too"),
        ("memory://faces/n*", "nothing fits this pattern"),
    ],
)
def test_an_address_without_files_is_an_error(source: str, problem: str) -> None:
    with pytest.raises(ImageError, match=f"{re.escape(source)}: {problem}"):
        find_remote(source, {".bmp"}, recursive=False)


@pytest.mark.usefixtures("memory")
def test_an_image_at_an_address_is_read() -> None:
    assert read_location("memory://faces/b.png").shape == (4, 6, 3)
    assert file_bytes("memory://faces/b.png") == file_bytes("memory://faces/a.PNG")
    with pytest.raises(ImageError, match=r"memory://faces/b\.png: 6 x 4 pixels"):
        read_location("memory://faces/b.png", max_pixels=5)


@pytest.mark.parametrize("address", ["memory://nowhere/a.png", "odd://a.png"])
def test_what_cannot_be_fetched_names_the_address(address: str) -> None:
    reason = "not found$" if address.startswith("memory") else ""
    with pytest.raises(DownloadError, match=f"^{address}: cannot be fetched: {reason}"):
        read_location(address)
    assert file_bytes(address) is None


def test_local_files_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with open_binary(str(tmp_path / "a")) as file:
        assert file.read() == b"abc"
    assert file_bytes(str(tmp_path / "a")) == 3
    with pytest.raises(FileNotFoundError), open_binary(str(tmp_path / "b")):
        pass
