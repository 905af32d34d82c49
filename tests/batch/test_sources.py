"""Sources are cut into the same parts each time."""

import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from facedots.batch.sources import Part, list_parts
from facedots.errors import DataError, ImageError


def locations(parts: list[Part], folder: Path) -> list[list[str]]:
    return [[str(Path(name).relative_to(folder)) for name in part.locations] for part in parts]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.jpg", "c.png", "deep/d.png", "0.tar", "1.tar.gz", "film.mp4", "x.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_images_are_counted_off_and_files_that_hold_many_are_parts(folder: Path) -> None:
    names = ("", "*.tar", "*.tar.gz", "film.mp4", "a.jpg")
    sources = [str(folder / name) for name in names]
    parts = list_parts(sources, 2)
    assert [part.kind for part in parts] == ["images", "tar", "tar", "video", "images"]
    assert locations(parts, folder) == [
        ["a.jpg", "b.png"],
        ["0.tar"],
        ["1.tar.gz"],
        ["film.mp4"],
        ["c.png"],
    ]
    assert len(list_parts([str(folder)], 9, recursive=True)[0].locations) == 4
    assert list_parts(folder, 9) == list_parts(str(folder), 9) == list_parts([folder], 9)


def test_the_kind_of_an_address_is_that_of_its_path(folder: Path) -> None:
    (folder / "old.AVI").touch()
    sources = [str(folder / "old.AVI"), "https://host/0.tar?token=a.png", "http://host/f.mp4#t=1"]
    assert [part.kind for part in list_parts(sources, 9)] == ["video", "tar", "video"]


def test_names_that_are_no_files_are_listed_as_their_rows_will_say_so(folder: Path) -> None:
    (folder / "d.png").symlink_to("nowhere")
    (folder / "e.png").symlink_to("e.png")
    os.mkfifo(folder / "f.png")
    for source in (folder, folder / "*.*g"):
        names = locations(list_parts([str(source)], 9), folder)
        assert names == [["a.jpg", "b.png", "c.png", "d.png", "e.png", "f.png"]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.txt", "a.jpg\n\n deep/d.png\nhttp://host/x.png\n"),
        ("l.csv", "a.jpg\ndeep/d.png\nhttp://host/x.png\n"),
        ("l.csv", "id,path\n1,a.jpg\n2,deep/d.png\n3,http://host/x.png\n"),
        ("l.csv", "image\na.jpg\ndeep/d.png\nhttp://host/x.png\n"),
    ],
)
def test_lists_name_files_beside_them_and_addresses(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (part,) = list_parts([str(folder / name)], 10)
    names = (str(folder / "a.jpg"), str(folder / "deep" / "d.png"), "http://host/x.png")
    assert part.locations == names


def test_parquet_with_paths_is_a_list_and_with_images_a_part_per_row_group(folder: Path) -> None:
    names = pyarrow.array(["a.jpg", "b.png"])
    for paths in (names, names.dictionary_encode(), names.cast("large_string")):
        table = pyarrow.table({"file": paths, "n": [1, 2]})
        pyarrow.parquet.write_table(table, folder / "paths.parquet")
        (part,) = list_parts([str(folder / "paths.parquet")], 10)
        assert locations([part], folder) == [["a.jpg", "b.png"]]
    table = pyarrow.table({"image": [b"1", b"2", b"3"]})
    pyarrow.parquet.write_table(table, folder / "images.parquet", row_group_size=2)
    parts = list_parts([str(folder / "images.parquet")], 10)
    assert [(part.column, part.row_group) for part in parts] == [("image", 0), ("image", 1)]


def test_a_list_without_the_column_names_those_it_has(folder: Path) -> None:
    (folder / "l.csv").write_text("id,photo\n1,a.jpg\n")
    with pytest.raises(DataError, match=r"l\.csv: none of the columns .*--column: id, photo"):
        list_parts([str(folder / "l.csv")], 10)
    (part,) = list_parts([str(folder / "l.csv")], 10, column="photo")
    assert locations([part], folder) == [["a.jpg"]]
    with pytest.raises(DataError, match="no column image;"):
        list_parts([str(folder / "l.csv")], 10, column="image")
    (folder / "l.csv").write_bytes(b"\xff\x00")
    with pytest.raises(DataError, match="not a list that can be read"):
        list_parts([str(folder / "l.csv")], 10)


def test_damaged_parquet_is_a_part_that_will_say_so_and_an_empty_folder_an_error(
    folder: Path,
) -> None:
    (folder / "bad.parquet").write_bytes(b"no table")
    assert [part.kind for part in list_parts([str(folder / "bad.parquet")], 10)] == ["parquet"]
    (folder / "empty").mkdir()
    (folder / "empty.txt").touch()
    for name in ("empty", "empty.txt"):
        with pytest.raises(ImageError, match="no images"):
            list_parts([str(folder / name)], 10)
    with pytest.raises(ImageError, match="an empty name"):  # and not the folder at hand
        list_parts([""], 10)


def test_paths_in_a_list_at_an_address_are_beside_it() -> None:
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/beside/lists/l.txt", b"../a.jpg\n./deep//d.png\n")
    (part,) = list_parts(["memory://beside/lists/l.txt"], 9)
    assert part.locations == ("memory://beside/a.jpg", "memory://beside/lists/deep/d.png")
