import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facedots.data import download as module
from facedots.data.download import (
    PARTS,
    PINS,
    differences,
    download_youtube_faces,
    fingerprints,
    read_labels,
)
from facedots.errors import AnnotationError, DataError, DownloadError
from facedots.io.images import write_image

NAMES = {"training": ["Ann_00.jpg", "Bo_11.jpg"], "test": ["Ann_01.jpg"]}


def make_data(folder: Path, number: str = "7") -> Path:
    """A tiny data set of the published layout."""
    for part, labels in PARTS.items():
        rows = [",0,1", *(f"{name},45,{number}" for name in NAMES[part])]
        for name in NAMES[part]:
            write_image(folder / part / name, np.full((6, 8, 3), len(name), np.uint8))
        (folder / labels).write_text("\n".join(rows) + "\n")
    return folder


def make_zip(source: Path, target: Path, leave_out: str = "") -> Path:
    """The archive as GitHub builds it: all below one folder, with files that nobody asked for."""
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(source.rglob("*.*")):
            name = file.relative_to(source).as_posix()
            if name != leave_out:
                archive.write(file, f"P1_Facial_Keypoints-99f1/data/{name}")
        archive.writestr("P1_Facial_Keypoints-99f1/README.md", "hello")
        archive.writestr("P1_Facial_Keypoints-99f1/data/test/unlabeled_00.jpg", b"")
    return target


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_data(tmp_path / "source")


@pytest.fixture
def archive(source: Path, tmp_path: Path) -> Path:
    return make_zip(source, tmp_path / "data.zip")


def test_unpacks_what_is_labeled_and_nothing_else(
    source: Path, archive: Path, tmp_path: Path
) -> None:
    made = download_youtube_faces(tmp_path / "here", str(archive), fingerprints(source))
    assert made == tmp_path / "here" / "youtube-faces"
    files = {path.relative_to(made).as_posix() for path in made.rglob("*.*")}
    assert files == {
        *PARTS.values(),
        "training/Ann_00.jpg",
        "training/Bo_11.jpg",
        "test/Ann_01.jpg",
    }
    assert [path.name for path in made.parent.iterdir()] == ["youtube-faces"]
    assert archive.exists()


def test_fetches_the_archive_and_removes_it(
    source: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bring(url: str, target: Path, *, progress: Callable[[int, int | None], None]) -> None:
        assert url == "http://127.0.0.1/x.zip"
        target.parent.mkdir()
        target.write_bytes(archive.read_bytes())

    monkeypatch.setattr(module, "fetch", bring)
    made = download_youtube_faces(tmp_path / "here", "http://127.0.0.1/x.zip", fingerprints(source))
    assert [path.name for path in made.parent.iterdir()] == ["youtube-faces"]


def test_what_is_there_already_is_checked_and_not_fetched(source: Path, tmp_path: Path) -> None:
    source.rename(tmp_path / "youtube-faces")
    pins = fingerprints(tmp_path / "youtube-faces")
    assert (
        download_youtube_faces(tmp_path, "http://127.0.0.1:9/x.zip", pins)
        == tmp_path / "youtube-faces"
    )


def test_another_data_set_in_the_folder_is_left_alone(source: Path, tmp_path: Path) -> None:
    source.rename(tmp_path / "youtube-faces")
    with pytest.raises(DataError, match="move it away first"):
        download_youtube_faces(tmp_path, "http://127.0.0.1:9/x.zip")
    assert (tmp_path / "youtube-faces" / "test" / "Ann_01.jpg").exists()


def test_wrong_labels_are_refused_and_nothing_stays(source: Path, tmp_path: Path) -> None:
    other = make_zip(make_data(tmp_path / "other", number="8"), tmp_path / "other.zip")
    with pytest.raises(
        DownloadError, match="training labels are not as pinned; test labels are not as pinned"
    ):
        download_youtube_faces(tmp_path / "here", str(other), fingerprints(source))
    assert list((tmp_path / "here").iterdir()) == []


def test_a_test_image_with_other_bytes_is_refused(source: Path, tmp_path: Path) -> None:
    pins = fingerprints(source)
    write_image(source / "test" / "Ann_01.jpg", np.full((6, 8, 3), 200, np.uint8))
    assert differences(source, pins) == ["test images are not as pinned"]


def test_a_training_image_may_be_encoded_anew_but_not_resized(source: Path) -> None:
    pins = fingerprints(source)
    write_image(source / "training" / "Bo_11.jpg", np.full((6, 8, 3), 200, np.uint8))
    assert differences(source, pins) == []
    write_image(source / "training" / "Bo_11.jpg", np.full((6, 9, 3), 200, np.uint8))
    assert differences(source, pins) == ["training sizes are not as pinned"]


@pytest.mark.parametrize(
    "missing", ["training/Bo_11.jpg", "test_frames_keypoints.csv", "training_frames_keypoints.csv"]
)
def test_an_archive_that_lacks_something_is_refused(
    source: Path, tmp_path: Path, missing: str
) -> None:
    poor = make_zip(source, tmp_path / "poor.zip", leave_out=missing)
    with pytest.raises(DownloadError, match=Path(missing).name):
        download_youtube_faces(tmp_path / "here", str(poor), fingerprints(source))
    assert list((tmp_path / "here").iterdir()) == []


def test_a_damaged_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    data = archive.read_bytes()
    for damaged in (data[:-200], data.replace(b"45,7", b"45,8"), b"no zip"):
        archive.write_bytes(damaged)
        with pytest.raises(DownloadError, match="not a whole zip archive"):
            download_youtube_faces(tmp_path / "here", str(archive), PINS)
    assert list((tmp_path / "here").iterdir()) == []


def test_labels_of_a_wrong_download_that_are_none_are_not_kept(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    with zipfile.ZipFile(archive, "w") as wrong:
        wrong.writestr("data/training_frames_keypoints.csv", "n,0\n../a.jpg,1\n")
    monkeypatch.setattr(
        module, "fetch", lambda url, target, progress: target.write_bytes(archive.read_bytes())
    )
    with pytest.raises(DownloadError, match="not a plain file name"):
        download_youtube_faces(tmp_path / "here", "http://127.0.0.1/x.zip", PINS)
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("bound", ["MAX_MEMBER", "MAX_TOTAL", "MAX_RATIO"])
def test_an_archive_that_unpacks_to_too_much_is_refused(
    source: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    if bound == "MAX_RATIO":  # A bomb: two megabytes of blanks.
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb:
            bomb.writestr("data/training_frames_keypoints.csv", b" " * (2 << 20))
    else:
        monkeypatch.setattr(module, bound, 30)
    with pytest.raises(DownloadError, match="larger than"):
        download_youtube_faces(tmp_path / "here", str(archive), fingerprints(source))
    assert list((tmp_path / "here").iterdir()) == []


def test_a_wrong_download_is_not_taken_again(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(
        module, "fetch", lambda url, target, progress: target.write_bytes(archive.read_bytes())
    )
    with pytest.raises(DownloadError, match="does not hold the published data"):
        download_youtube_faces(tmp_path / "here", "http://127.0.0.1/x.zip", PINS)
    assert list((tmp_path / "here").iterdir()) == []


def test_labels_are_compared_as_numbers() -> None:
    assert read_labels(b",0,1\na.jpg,45,-7\n", "x") == read_labels(
        b"\xef\xbb\xbfname,0,1\r\na.jpg,45.0,-7.00\r\n\r\n", "x"
    )


@pytest.mark.parametrize("row", ["../a.jpg,1", "/etc/x.jpg,1", "sub/a.jpg,1", "..,1", ",1"])
def test_names_that_leave_the_folder_are_refused(row: str) -> None:
    with pytest.raises(AnnotationError, match="not a plain file name"):
        read_labels(f"n,0\n{row}\n".encode(), "x.csv")


@pytest.mark.parametrize("data", [b"n,0\na.jpg,one\n", b"n,0\na.jpg,\n", b"\xff\xfe\x00"])
def test_labels_that_are_no_numbers_are_refused(data: bytes) -> None:
    with pytest.raises(AnnotationError, match="not a CSV file of names and numbers"):
        read_labels(data, "x.csv")


def test_the_real_data_is_as_pinned(data_dir: Path) -> None:
    assert differences(data_dir / "youtube-faces") == []


def test_importing_opens_no_connection() -> None:
    code = (
        "import socket; socket.socket.connect = None; "
        "import facedots.data.download, sys; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
