"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from facedots.errors import OutputError
from facedots.io.files import atomic_write


def test_folders_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.txt"
    atomic_write(target, "old")
    atomic_write(target, b"new")
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["b.txt"]


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("in the way")
    with pytest.raises(OutputError, match=r"b\.txt"):
        atomic_write(tmp_path / "a" / "b.txt", "x")


def test_a_folder_in_place_of_the_file_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(OutputError, match=r"b\.txt"):
        atomic_write(tmp_path / "b.txt", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]
