"""Tar shards, read as a stream."""

import io
import tarfile

import numpy as np
import pytest

from facedots.errors import DataError
from facedots.io import tar_files
from facedots.io.tar_files import read_shard

FILES = {"a/1.png": b"one", "a/1.cls": b"7", "a/2.png": b"two" * 5000, "b/1.seg.png": b"three"}


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("a")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        link = tarfile.TarInfo("a/0.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_the_files_come_in_their_order(mode: str) -> None:
    assert list(read_shard(io.BytesIO(tar_of(FILES, mode)), "0.tar")) == list(FILES.items())


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_of_a_shard_that_is_cut_off_the_files_before_are_whole(mode: str) -> None:
    files = {f"{i}.png": np.random.default_rng(i).bytes(20_000) for i in range(5)}
    data = tar_of(files, mode)
    found = list[tuple[str, bytes]]()
    with pytest.raises(DataError, match=r"^0\.tar: damaged, or cut off, after "):
        found.extend(read_shard(io.BytesIO(data[: len(data) * 6 // 10]), "0.tar"))
    assert 1 <= len(found) < 5
    assert found == list(files.items())[: len(found)]


@pytest.mark.parametrize("damage", ["cut", "zeros", "noise"])
def test_a_damaged_header_is_not_the_end(damage: str) -> None:
    """Nor is the end of the bytes: a copy may end between two files, or within a header."""
    data = tar_of({"1.png": b"one", "2.png": b"two", "3.png": b"three"})
    second = data.index(b"2.png")
    head, rest = data[:second], data[second + 512 :]
    found = list[tuple[str, bytes]]()
    broken = {"cut": head, "zeros": head + bytes(100), "noise": head + b"x" * 512 + rest}
    with pytest.raises(DataError, match=r"^0\.tar: damaged, or cut off, after 1\.png: "):
        found.extend(read_shard(io.BytesIO(broken[damage]), "0.tar"))
    assert found == [("1.png", b"one")]


@pytest.mark.parametrize("data", [b"", b"no tar" * 1000])
def test_what_is_no_tar_is_an_error(data: bytes) -> None:
    with pytest.raises(DataError, match=r"0\.tar: damaged"):
        list(read_shard(io.BytesIO(data), "0.tar"))


def test_a_file_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_files, "MAX_MEMBER", 1 << 10)
    with pytest.raises(DataError, match=r"a/2\.png has 0 MB"):
        list(read_shard(io.BytesIO(tar_of(FILES)), "0.tar"))
