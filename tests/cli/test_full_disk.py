"""A disk that is really full: a small tmpfs, which root may mount."""

import csv
import json
import os
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facedots.cli.main import app
from facedots.errors import OutputError
from facedots.io.images import write_image
from facedots.io.video import Frame, VideoInfo
from facedots.io.video_opencv import OpenCVWriter

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """256 KB, of which a file takes half."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.name != "posix" or os.getuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    (folder / "other").write_bytes(bytes(128 << 10))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*command.split(), *map(str, arguments)])


def left_over(disk: Path) -> list[str]:
    return [path.name for path in disk.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize("drawn", [False, True])
def test_images_before_are_in_json_and_csv(
    disk: Path, tmp_path: Path, tiny_model: Path, drawn: bool
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 60, 3)).astype(np.uint8)
    for i in range(60):
        write_image(tmp_path / "in" / f"{i:02}.png", noise)
    outputs = ["--json", disk / "r.json", "--csv", disk / "r.csv"]
    outputs += ["--out", disk / "out"] if drawn else []
    options = ("--model", tiny_model, "--detector", "single-object")
    result = run("predict", tmp_path / "in", *outputs, *options)
    assert isinstance(result.exception, OutputError)
    assert "No space left" in str(result.exception)
    images = json.loads((disk / "r.json").read_text())["images"]
    with (disk / "r.csv").open(newline="") as text:
        rows = [row["source"] for row in csv.DictReader(text)]
    assert 3 < len(images) < 60
    assert rows == [image["source"] for image in images]
    assert f"{60 - len(rows)} of 60 images not done" in result.stderr
    assert not left_over(disk)
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
    assert run("predict", tmp_path / "in", *outputs, *options, "--resume").exit_code == 0
    assert len(json.loads((disk / "r.json").read_text())["images"]) == 60


@pytest.fixture
def film(tmp_path: Path) -> Path:
    info = VideoInfo(160, 120, Fraction(10), Fraction(1, 10), 300)
    rng = np.random.default_rng(0)
    with OpenCVWriter(tmp_path / "film.mp4", info) as writer:
        for number in range(300):
            image = cv2.resize(rng.integers(0, 256, (30, 40, 3)).astype(np.uint8), (160, 120))
            writer.write(Frame(np.asarray(image, np.uint8), Fraction(number, 10)))
    return tmp_path / "film.mp4"


@pytest.fixture(params=["PyAV", "OpenCV"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "OpenCV":
        monkeypatch.setattr("facedots.io.video.has_pyav", lambda: False)
    return str(request.param)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t.mp4", "t.mkv", "t.webm"])
def test_nothing_half_written_gets_a_name(
    disk: Path, film: Path, tiny_model: Path, name: str
) -> None:
    (disk / name).write_text("old")
    free = os.statvfs(disk)
    (disk / "more").write_bytes(bytes(free.f_bavail * free.f_frsize - (24 << 10)))
    option = {"csv": "--csv", "jsonl": "--jsonl", "parquet": "--parquet"}
    words = option.get(name.partition(".")[2], "--out"), disk / name
    result = run("video", film, *words, "--model", tiny_model, "--no-sound", "--detect-every", 300)
    assert isinstance(result.exception, OutputError), result.output
    assert not left_over(disk)
    if name.endswith(("csv", "jsonl")):
        lines = (disk / name).read_text().splitlines()
        assert 2 < len(lines) < 300
        assert lines[-1].endswith(str(film) if name == "t.csv" else '"}')
    else:
        assert (disk / name).read_text() == "old"
