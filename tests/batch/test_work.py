"""What one process makes of a part."""

import contextlib
import io
import resource
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from facedots.analysis.analyzer import FaceAnalyzer
from facedots.analysis.emotion import guess_emotion
from facedots.batch.sources import Part, list_parts
from facedots.batch.work import Attempts, Job, PartWorker, read_stats
from facedots.data.synthetic import draw_face
from facedots.errors import DataError, OutputError
from facedots.io.images import read_image
from facedots.io.parquet import RowFile
from facedots.io.video import Frame, VideoInfo
from facedots.io.video_opencv import OpenCVWriter
from facedots.pipeline_options import PipelineOptions

Work = Callable[[Part], list[dict[str, Any]]]


@pytest.fixture
def job(tmp_path: Path, networks: PipelineOptions) -> Job:
    (tmp_path / "out" / "attempts").mkdir(parents=True)
    return Job(tmp_path / "out", networks)


@pytest.fixture
def work(job: Job) -> Work:
    """The rows of a part."""

    def rows(part: Part) -> list[dict[str, Any]]:
        PartWorker(job)(0, part)
        table: list[dict[str, Any]] = pyarrow.parquet.read_table(job.part_file(0)).to_pylist()
        return table

    return rows


def test_a_row_is_a_face_or_an_image_without_one_or_an_error(
    job: Job, work: Work, images: Path
) -> None:
    (part,) = list_parts([str(images)], 100)
    part = replace(part, locations=(*part.locations, str(images / "nowhere.jpg")))
    rows = {Path(row["source"]).name: row for row in work(part)}
    assert len(rows) == 13
    broken, gray, gone = rows["00004.jpg"], rows["00009.jpg"], rows["nowhere.jpg"]
    assert (broken["error_kind"], broken["success"], broken["face_id"]) == ("ImageError", 0, None)
    assert "not an image" in broken["error"]
    assert (gray["error"], gray["success"], gray["x_0"]) == (None, 0, None)
    assert "No such file" in gone["error"]
    stats = read_stats(job.part_file(0))
    assert (stats.images, stats.faces, stats.without_face) == (11, 10, 1)
    assert stats.errors == {"ImageError": 2}


def test_a_row_holds_the_face_as_the_pipeline_finds_it(job: Job, work: Work, images: Path) -> None:
    file = images / "00000.jpg"
    (row,) = work(Part("images", (str(file),)))
    (face,) = job.networks.load()(read_image(file))
    np.testing.assert_allclose([row[f"x_{i}"] for i in range(68)], face.points[:, 0], atol=0.006)
    np.testing.assert_allclose(row["covariance_yy_3"], face.covariance[3, 1, 1], atol=6e-5)
    np.testing.assert_allclose(row["box_x1"], face.box[2], atol=0.006)
    assert row["confidence"] == round(face.score, 4)
    assert abs(row["yaw"]) <= 90
    assert row["smile"] is not None
    (measured,) = FaceAnalyzer()(read_image(file), [face])
    assert measured.emotions is not None
    emotions = {name: row[f"emotion_{name}"] for name in measured.emotions}
    assert emotions == pytest.approx(measured.emotions, abs=6e-5)
    assert row["emotion_guess"] == guess_emotion(measured.emotions)
    assert (row["model"], row["frame"], row["face_id"]) == ("tiny", 1, 0)
    assert row["timestamp"] is None


def tar_of(files: list[Path]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for file in files:
            tar.add(file, file.name)
            tar.addfile(tarfile.TarInfo(f"{file.stem}.json"), io.BytesIO())
    return stream.getvalue()


def test_a_shard_and_parquet_hold_the_same_faces_as_the_files(
    work: Work, images: Path, tmp_path: Path
) -> None:
    files = sorted(images.glob("*.jpg"))[:6]
    columns = ("x_0", "y_67", "success", "error_kind", "confidence")
    plain = [
        [row[name] for name in columns] for row in work(Part("images", tuple(map(str, files))))
    ]
    (tmp_path / "0.tar").write_bytes(tar_of(files))
    rows = work(Part("tar", (str(tmp_path / "0.tar"),)))
    assert [[row[name] for name in columns] for row in rows] == plain
    assert rows[0]["source"] == f"tar://00000.jpg::{tmp_path}/0.tar"
    assert [row["frame"] for row in rows] == [1, 2, 3, 4, 5, 6]
    cells = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    table = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"image": cells}), table, row_group_size=4)
    parts = list_parts([str(table)], 1)
    rows = [row for part in parts for row in work(part)]
    assert [[row[name] for name in columns] for row in rows] == plain
    assert [row["frame"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert "row 5: not an image" in rows[4]["error"]


def test_a_damaged_shard_keeps_the_images_before_and_says_where(
    work: Work, images: Path, tmp_path: Path
) -> None:
    data = tar_of(sorted(images.glob("*.jpg"))[:4])
    (tmp_path / "0.tar").write_bytes(data[: len(data) // 2])
    *rows, last = work(Part("tar", (str(tmp_path / "0.tar"),)))
    assert rows
    assert all(row["success"] for row in rows)
    assert (last["source"], last["error_kind"]) == (f"{tmp_path}/0.tar", "DataError")
    assert last["frame"] == len(rows) + 1
    (row,) = work(Part("tar", (str(tmp_path / "gone.tar"),)))
    assert row["error_kind"] == "FileNotFoundError"
    (row,) = work(Part("tar", ("s3x://bucket/gone.tar",)))
    assert row["error_kind"] == "DownloadError"


def test_videos_are_tracked_or_taken_every_few_frames(job: Job, work: Work, tmp_path: Path) -> None:
    face, _ = draw_face(np.random.default_rng(24))
    height, width = (side // 2 * 2 for side in face.shape[:2])
    film = tmp_path / "film.mp4"
    with OpenCVWriter(film, VideoInfo(width, height, Fraction(10), Fraction(1, 10), 5)) as video:
        for i in range(5):
            image = np.zeros_like(face) if i == 4 else face
            video.write(Frame(image[:height, :width].copy(), Fraction(i, 10)))
    rows = work(Part("video", (str(film),)))
    assert [(row["frame"], row["timestamp"]) for row in rows] == [
        (1, 0.0),
        (2, 0.1),
        (3, 0.2),
        (4, 0.3),
        (5, 0.4),
    ]
    assert {row["face_id"] for row in rows[:4]} == {0}
    worker = PartWorker(Job(job.out, job.networks, frame_step=2))
    stats = worker(1, Part("video", (str(film),)))
    assert (stats.images, stats.without_face) == (3, 1)


def test_an_image_at_which_processes_ended_three_times_is_an_error(
    job: Job, work: Work, images: Path
) -> None:
    (part,) = list_parts([str(images)], 100)
    job.attempts_file(0).write_text("2 5 5 5")
    rows = work(part)
    assert [row["error_kind"] for row in rows].index("ProcessKilledError") == 5
    assert sum(row["error_kind"] == "ProcessKilledError" for row in rows) == 1
    assert not job.attempts_file(0).exists()
    job.attempts_file(0).write_text("5 " * 6)
    assert len(work(part)) == 6


def test_the_attempts_file_says_which_image_is_at_work(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    for ended in range(3):  # processes
        with Attempts(file) as attempts:
            assert [attempts.begin(number) for number in (9, 10)] == [0, ended]
    assert file.read_text() == "10 10 10"


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_on_a_full_disk_there_is_no_part(job: Job, images: Path) -> None:
    (part,) = list_parts([str(images)], 100)
    message = r"part-0000000\.parquet: cannot be written"
    with full_disk(20_000), pytest.raises(OutputError, match=message):
        PartWorker(job)(0, part)
    assert not list((job.out / "parts").iterdir())


def test_a_part_is_given_up_on_a_full_disk_too(tmp_path: Path) -> None:
    with full_disk(len("PAR1")):
        RowFile(tmp_path / "part.parquet", {"a": "int64"}).discard()
    assert not list(tmp_path.iterdir())


def test_a_part_that_is_damaged_has_no_stats(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_stats(tmp_path / "part.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "part.parquet")
    with pytest.raises(DataError, match="not a finished part"):
        read_stats(tmp_path / "part.parquet")
