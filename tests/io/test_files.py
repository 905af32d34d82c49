"""Files appear whole or not at all."""

import json
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from facedots.errors import FileNameError, OutputError
from facedots.io.files import AtomicFile, atomic_write, guard_inputs, protect
from facedots.io.result_files import RecordFile

FillDisk = Callable[[int], None]


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


def test_temporary_names_are_short_random_and_nobody_elses(tmp_path: Path) -> None:
    longest = tmp_path / ("n" * 250 + ".json")
    first, second = AtomicFile(longest), AtomicFile(longest)
    assert first.path != second.path
    assert len(os.fsencode(first.path.name)) < 60
    assert first.path.suffix == ".json"
    assert first.path.name.startswith(".")
    first.rollback()
    second.rollback()
    atomic_write(longest, "x")
    atomic_write(tmp_path / ("a." + "s" * 248), "x")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_name_that_is_too_long_is_a_fault_of_this_file_alone(tmp_path: Path) -> None:
    with pytest.raises(FileNameError, match="too long"):
        atomic_write(tmp_path / ("n" * 256), "x")
    assert list(tmp_path.iterdir()) == []


def test_links_are_followed_and_permissions_kept(tmp_path: Path) -> None:
    real, link, dangling = tmp_path / "real.json", tmp_path / "link.json", tmp_path / "new.json"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to("real.json")
    dangling.symlink_to(tmp_path / "there" / "later.json")
    atomic_write(link, "new")
    atomic_write(dangling, "later")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert (real.read_text(), dangling.read_text()) == ("new", "later")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.parent / "there" / "later.json" == dangling.resolve()


def test_a_pipe_stays_a_pipe_and_its_reader_gets_all(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data, got = b"x" * 300_000, list[bytes]()
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    atomic_write(pipe, data)
    reader.join(10)
    assert got == [data]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_devices_and_open_streams_are_written_to(tmp_path: Path) -> None:
    before = os.lstat("/dev/null")
    atomic_write("/dev/null", "x")
    assert os.lstat("/dev/null") == before
    out, (read, write) = tmp_path / "out", os.pipe()
    out.symlink_to(f"/dev/fd/{write}")
    atomic_write(out, "through a link")
    atomic_write(f"/proc/self/fd/{write}", ", twice")
    os.close(write)
    with open(read, "rb") as stream:  # noqa: PTH123 (a descriptor)
        assert stream.read() == b"through a link, twice"


def test_an_address_is_refused_and_becomes_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("s3://faces/a.json", Path("s3://faces/a.json"), "https://host/a.json"):
        with pytest.raises(OutputError, match="a local path is needed here, not an address"):
            AtomicFile(name)
    assert not list(tmp_path.iterdir())


def test_a_disk_and_a_socket_are_refused(tmp_path: Path) -> None:
    plug = socket.socket(socket.AF_UNIX)
    plug.bind(str(tmp_path / "plug"))
    with plug, pytest.raises(OutputError, match="plug"):
        atomic_write(tmp_path / "plug", "x")
    assert stat.S_ISSOCK((tmp_path / "plug").stat().st_mode)
    if os.getuid() == 0:
        try:
            os.mknod(tmp_path / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 250))
        except PermissionError:
            pytest.skip("no device can be made here")
        with pytest.raises(OutputError, match="is a disk"):
            atomic_write(tmp_path / "disk", "x")


def test_inputs_are_known_by_whatever_name(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_text("precious")
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "hard").hardlink_to(source)
    with guard_inputs():
        protect([tmp_path / "link"])
        for name in ("a.jpg", "link", "hard"):
            with pytest.raises(OutputError, match="is an input"):
                atomic_write(tmp_path / name, "x")
    assert source.read_text() == "precious"
    atomic_write(source, "elsewhere")
    assert len(list(tmp_path.iterdir())) == 3


def test_what_becomes_an_input_in_the_meantime_stays(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_text("precious")
    with guard_inputs():
        file = AtomicFile(source)
        protect([source])
        with pytest.raises(OutputError, match="is an input"):
            file.commit()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.jpg", "precious")]


def test_two_outputs_are_not_one_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a.json")
    with guard_inputs():
        first = AtomicFile(tmp_path / "a.json")
        with pytest.raises(OutputError, match="are the same"):
            AtomicFile(tmp_path / "link")
        first.rollback()
        atomic_write(tmp_path / "link", "x")
        atomic_write(tmp_path / "a.json", "one after the other")
    assert (tmp_path / "link").read_text() == "one after the other"


def test_a_full_disk_leaves_the_old_file_and_no_part(tmp_path: Path, fill_disk: FillDisk) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    fill_disk(3)
    with pytest.raises(OutputError, match="No space left"):
        atomic_write(target, "much longer")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_records_before_a_full_disk_are_kept_whole(tmp_path: Path, fill_disk: FillDisk) -> None:
    target = tmp_path / "a.json"
    with RecordFile(target, "[", ", ", "]\n") as file:
        file.write("1")
        fill_disk(8)
        file.write("2")
        with pytest.raises(OutputError, match="No space left"):
            file.write("3" * 50)
        assert file.count == 2
    assert json.loads(target.read_text()) == [1, 2]
    assert list(tmp_path.iterdir()) == [target]


def test_a_record_file_is_valid_at_any_time_and_empty_ones_are_not_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), RecordFile(target, "[", ", ", "]\n"):
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    file = RecordFile(target, "[", ", ", "]\n")
    file.write('"caf\udce9"')
    (part,) = tmp_path.glob(".*.part.json")
    assert json.loads(part.read_text()) == ["caf\udce9"]
    with pytest.raises(KeyboardInterrupt), file:
        raise KeyboardInterrupt
    assert target.read_bytes() == b'["caf\\udce9"]\n'
    assert list(tmp_path.iterdir()) == [target]


def test_without_right_to_write_a_file_stays(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write everything")
    target = tmp_path / "a.json"
    target.write_text("old")
    target.chmod(0o444)
    with pytest.raises(FileNameError, match="read-only"):
        atomic_write(target, "x")
    assert target.read_text() == "old"
