"""``facedots video`` on a film of a drawn face: dots, stickers, tables, and what is left when it is
cut short.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike
from tests.faces import isotropic_covariance
from typer.testing import CliRunner, Result

from facedots.analysis.analyzer import face_columns
from facedots.analysis.emotion import EMOTIONS, UNSURE
from facedots.cli.main import app
from facedots.data.synthetic import draw_face
from facedots.detection.base import Detections, Detector
from facedots.errors import FacedotsError, PointsError, VideoError
from facedots.geometry import Floats, Image, tight_boxes
from facedots.io import video
from facedots.io.images import read_image, write_image
from facedots.io.video import Frame, VideoInfo, VideoReader, VideoWriter, open_reader
from facedots.io.video_opencv import FolderReader
from facedots.pipeline import Pipeline
from facedots.pipeline_options import PipelineOptions
from facedots.schema import IBUG68
from facedots.types import Face, Keypoints
from facedots.video import VideoOptions, process_video

REFERENCES = Path(__file__).parents[1] / "data"
FACE, POINTS = draw_face(np.random.default_rng(24))
FACE = np.ascontiguousarray(FACE[: FACE.shape[0] // 2 * 2, : FACE.shape[1] // 2 * 2])
GRAY = np.full_like(FACE, 128)


class Truth(Detector):
    """A detector and network that know the drawn face, and see none in an image of one color."""

    spec = SimpleNamespace(schema=IBUG68)
    predicts_visibility = predicts_pupils = False

    def __call__(self, image: Image) -> Detections:
        boxes = tight_boxes(POINTS[None])[: int(image.std() > 5)]
        return Detections(boxes, np.full(len(boxes), 0.9, np.float32))

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        count = len(np.asarray(boxes))
        points: Floats = np.repeat(POINTS[None], count, axis=0)
        sigma = np.full(points.shape[:2], 1.0 if image.std() > 5 else 100.0, np.float32)
        return Keypoints(
            points,
            isotropic_covariance(sigma),
            np.exp(-sigma),
            np.full(count, np.nan, np.float32),
            IBUG68,
        )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six frames with the face and two without, to be read by somebody who knows the truth."""
    truth = Truth()
    monkeypatch.setattr(
        PipelineOptions, "load", lambda *_: SimpleNamespace(detector=truth, predictor=truth)
    )
    for number in range(8):
        write_image(tmp_path / "frames" / f"{number}.png", FACE if number < 6 else GRAY)
    return tmp_path


def run(folder: Path, *arguments: str, source: str | None = None) -> Result:
    return CliRunner().invoke(app, ["video", source or str(folder / "frames"), *arguments])


def assert_matches_reference(image: Image, name: str) -> None:
    """At half its size, the image is that of ``tests/data/<name>.png``; FACEDOTS_WRITE_REFERENCES=1
    writes it instead.
    """
    small = np.asarray(
        cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
    )
    file = REFERENCES / f"{name}.png"
    if "FACEDOTS_WRITE_REFERENCES" in os.environ:
        write_image(file, small)
    gaps = np.abs(read_image(file).astype(int) - small)
    assert gaps.mean() < 2.5, f"{name}: the mean difference is {gaps.mean():.2f}"
    assert (gaps.max(axis=2) > 60).mean() < 0.005, f"{name}: parts of the image look different"


def test_dots_are_drawn_and_every_frame_is_listed(folder: Path) -> None:
    out, tables = folder / "out.mp4", [folder / "a.csv", folder / "a.jsonl", folder / "a.parquet"]
    options = [
        item
        for name, file in zip(("--csv", "--jsonl", "--parquet"), tables, strict=True)
        for item in (name, str(file))
    ]
    result = run(folder, "--out", str(out), "--fps", "12.5", *options)
    assert result.exit_code == 0, result.output
    assert "8 frames, 2 of them without a face, 1 face;" in result.stdout
    frames = list(open_reader(out))
    assert [frame.time for frame in frames] == [Fraction(2 * i, 25) for i in range(8)]
    assert_matches_reference(frames[5].image, "video_dots")
    listed = pd.read_csv(tables[0])
    assert listed["success"].tolist() == [1] * 6 + [0] * 2
    assert listed["timestamp"].tolist() == [0.08 * i for i in range(8)]
    assert np.abs(listed[[f"x_{i}" for i in range(68)]].to_numpy()[:6] - POINTS[:, 0]).max() < 0.02
    lines = [json.loads(line) for line in tables[1].read_text().splitlines()]
    assert list(lines[0]) == list(listed) == list(pd.read_parquet(tables[2]))


def test_effects_take_the_place_of_dots(folder: Path) -> None:
    out = folder / "out.mp4"
    result = run(folder, "--out", str(out), "--filter", "sunglasses,mustache", "--seconds", "0.1")
    assert result.exit_code == 0, result.output
    frames = list(open_reader(out))
    assert len(frames) == 3
    assert_matches_reference(frames[2].image, "video_filter")


def test_frames_with_too_few_faces_to_swap_stay_as_they_are(folder: Path) -> None:
    out = folder / "out.mp4"
    result = run(folder, "--out", str(out), "--filter", "swap")
    assert result.exit_code == 0, result.output
    assert "8 frames left as recorded: too few faces to draw" in result.stdout
    for number, frame in enumerate(open_reader(out)):
        assert np.abs(frame.image.astype(int) - (FACE if number < 6 else GRAY)).mean() < 3


@pytest.mark.parametrize(
    "place", ["facedots.effects.stickers.Stickers", "facedots.video._Expressions"]
)
def test_an_error_in_a_frame_names_it_and_says_what_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    calls = list[int]()

    def broken(_: object, image: Image, faces: list[Face], *time: float) -> object:
        calls.append(1)
        if len(calls) == 4:
            raise PointsError("a part of it would be too near to the lens")
        return faces if time else image

    monkeypatch.setattr(f"{place}.__call__", broken)
    outputs = ("--out", str(folder / "out.mp4"), "--csv", str(folder / "a.csv"))
    result = run(folder, *outputs, "--pose", "--filter", "hat")
    assert result.exit_code == 1
    assert f"{folder}/frames: frame 4: a part of it would be too near" in str(result.exception)
    assert "out.mp4" in str(result.exception)
    assert "3 frames, 0 of them without a face" in str(result.exception)
    assert len(list(open_reader(folder / "out.mp4"))) == len(pd.read_csv(folder / "a.csv")) == 3


def test_pose_and_expression_are_read_into_the_table(folder: Path) -> None:
    result = run(folder, "--csv", str(folder / "a.csv"), "--pose")
    assert result.exit_code == 0, result.output
    assert "blinks of face 0: 0;" in result.stdout
    table = pd.read_csv(folder / "a.csv")
    columns = replace(face_columns(Truth(), analyzed=True), timestamp=True)  # type: ignore[arg-type]
    assert list(table) == columns.names
    tilt = np.degrees(np.arctan2(*(POINTS[45] - POINTS[36])[::-1]))
    assert np.abs(table["roll"][:6] - tilt).max() < 6
    for name in ("smile", "emotion_sad", "emotion_guess"):
        assert table[name].notna().tolist() == [True] * 6 + [False] * 2
    sums = table[[f"emotion_{name}" for name in EMOTIONS]].sum(axis=1)
    assert sums[:6].to_numpy() == pytest.approx(1, abs=1e-3)
    assert {*table["emotion_guess"][:6]} <= {*EMOTIONS, UNSURE}


def test_a_source_that_breaks_off_is_an_error_that_says_what_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = FolderReader._frames

    def broken(self: FolderReader) -> Iterator[Frame]:
        yield from itertools.islice(frames(self), 4)
        raise VideoError(f"{self.name}: damaged after frame 4")

    monkeypatch.setattr(FolderReader, "_frames", broken)
    result = run(folder, "--out", str(folder / "out.mp4"), "--csv", str(folder / "out.csv"))
    assert result.exit_code == 1
    assert "damaged after frame 4; " in str(result.exception)
    assert "out.mp4" in str(result.exception)
    assert "4 frames" in str(result.exception)
    assert len(list(open_reader(folder / "out.mp4"))) == 4
    assert len(pd.read_csv(folder / "out.csv")) == 4


def test_a_size_that_changes_is_fitted_in_the_film_and_said(folder: Path) -> None:
    for number in (4, 5):
        small = cv2.resize(FACE, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        canvas = np.zeros((FACE.shape[0], FACE.shape[1] // 2, 3), np.uint8)
        canvas[: small.shape[0]] = small
        write_image(folder / "frames" / f"{number}.png", canvas)
    result = run(folder, "--out", str(folder / "out.mp4"), "--csv", str(folder / "a.csv"))
    assert result.exit_code == 0, result.output
    height, width = FACE.shape[:2]
    assert f"{width} x {height} from frame 1, {width // 2} x {height} from frame 5" in result.stdout
    assert "black borders" in result.stdout
    table = run(folder, "--csv", str(folder / "a.csv")).stdout
    assert "change their size" in table
    assert "the video written" not in table
    film = run(folder, "--out", str(folder / "b.mp4")).stdout
    assert "black borders" in film
    assert "tables" not in film
    frames = [frame.image for frame in open_reader(folder / "out.mp4")]
    assert {frame.shape for frame in frames} == {FACE.shape}
    quarter = width // 4
    assert frames[4][:, : quarter - 2].max() < 20
    assert frames[4][:100, quarter:-quarter].max() > 100


def test_mirrored_frames_show_and_list_the_mirror_image(folder: Path) -> None:
    result = run(folder, "--out", str(folder / "out.mp4"), "--csv", str(folder / "a.csv"))
    mirrored = run(folder, "--out", str(folder / "mirrored.mp4"), "--mirror")
    assert (result.exit_code, mirrored.exit_code) == (0, 0), mirrored.output
    last = [list(open_reader(folder / name))[-1].image for name in ("out.mp4", "mirrored.mp4")]
    assert np.abs(last[0][:, ::-1].astype(int) - last[1]).mean() < 2


def test_damaged_frames_are_told_with_status_1(folder: Path) -> None:
    for number in (0, 4, 7):
        (folder / "frames" / f"{number}.png").write_bytes(b"broken")
    result = run(folder, "--csv", str(folder / "a.csv"))
    assert result.exit_code == 1
    assert "5 frames" in result.stdout
    assert "3 damaged frames in the source" in result.stdout
    assert pd.read_csv(folder / "a.csv")["timestamp"].tolist() == [0.04, 0.08, 0.12, 0.2, 0.24]


class Interrupted(VideoReader):
    """Somebody presses Ctrl-C after three frames."""

    def __init__(self) -> None:
        self.name = "camera 0"
        self.info = VideoInfo(FACE.shape[1], FACE.shape[0], Fraction(25), Fraction(1, 25), None)

    def _frames(self) -> Iterator[Frame]:
        for number in range(3):
            yield Frame(FACE, Fraction(number, 25))
        raise KeyboardInterrupt

    def _close(self) -> None:
        pass


def test_one_frame_is_counted_as_one(folder: Path) -> None:
    result = run(folder, "--csv", str(folder / "faces.csv"), "--seconds", "0.01")
    assert "faces.csv: 1 frame, 0 of them without a face, 1 face;" in result.stdout


def test_ctrl_c_ends_the_film_and_keeps_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "open_reader", lambda *_: Interrupted())
    result = run(folder, "--out", str(folder / "out.mp4"), source="0")
    monkeypatch.undo()
    assert result.exit_code == 130
    assert "3 frames" in result.stdout
    assert "Ctrl-C" in result.stderr
    assert len(list(open_reader(folder / "out.mp4"))) == 3


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as in a terminal: jobs in the background begin with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("frame", [1, 4])
def test_a_signal_while_a_frame_is_written_waits_until_it_is_in_all_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int, frame: int
) -> None:
    write = VideoWriter.write

    def interrupted(self: VideoWriter, image: Frame) -> None:
        write(self, image)
        if self.count == frame:
            signal.raise_signal(number)

    monkeypatch.setattr(VideoWriter, "write", interrupted)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    result = run(folder, "--out", str(folder / "out.mp4"), "--csv", str(folder / "a.csv"))
    assert result.exit_code == status
    assert f"{frame} frame" in result.stdout
    assert len(list(open_reader(folder / "out.mp4"))) == len(pd.read_csv(folder / "a.csv")) == frame
    assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "nothing to write: give --out, --csv"),
        (["--csv", "a.csv", "--filter", "hat"], "nothing to draw on: give --out"),
        (["--out", "same.mp4", "--csv", "./same.mp4"], "are the same"),
        (["--out", "a.gif"], ".mp4"),
        (["--out", "a.mp4", "--filter", "halo"], "halo"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    folder: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    result = run(folder, *options)
    assert result.exit_code == 1
    assert isinstance(result.exception, FacedotsError)
    assert said in str(result.exception)
    assert [file.name for file in folder.iterdir()] == ["frames"]


def test_a_command_that_is_refused_leaves_frames_and_older_tables(folder: Path) -> None:
    frame, table = folder / "frames" / "3.png", folder / "old.csv"
    pixels = frame.read_bytes()
    table.write_text("precious")
    result = run(folder, "--csv", str(table), "--jsonl", str(frame))
    assert "is an input" in str(result.exception)
    assert frame.read_bytes() == pixels
    assert table.read_text() == "precious"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_without_a_frame_older_tables_stay(folder: Path, kind: str) -> None:
    table = folder / f"old.{kind}"
    table.write_text("precious")
    assert run(folder, f"--{kind}", str(table), "--seconds", "0").exit_code == 2
    options = replace(VideoOptions(seconds=0), **{kind: table})  # type: ignore[arg-type]
    with pytest.raises(VideoError, match="no frame to process"):
        process_video(folder / "frames", options, Pipeline())
    assert table.read_text() == "precious"
    assert sorted(file.name for file in folder.iterdir()) == ["frames", table.name]


@pytest.mark.parametrize("option", ["--fps", "--seconds"])
def test_numbers_without_end_are_refused(folder: Path, option: str) -> None:
    for number in ("inf", "nan", "1e308"):
        assert run(folder, "--csv", str(folder / "a.csv"), option, number).exit_code == 2
    assert [file.name for file in folder.iterdir()] == ["frames"]


def test_the_real_networks_follow_a_drawn_face(tmp_path: Path) -> None:
    for number in range(4):
        write_image(tmp_path / "in" / f"{number}.png", FACE)
    arguments = ["video", str(tmp_path / "in"), "--csv", str(tmp_path / "a.csv")]
    code = "from facedots.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "a.csv")
    assert table["face_id"].tolist() == [0] * 4
    found = (
        table.iloc[-1][[f"{axis}_{i}" for i in range(68) for axis in "xy"]]
        .to_numpy(float)
        .reshape(68, 2)
    )
    assert np.linalg.norm(found - POINTS, axis=1).mean() < 0.15 * np.linalg.norm(
        POINTS[36] - POINTS[45]
    )
