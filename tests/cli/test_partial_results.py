"""Whatever ends a command, the images done are in its files, the others are listed, and --resume
goes on with them.
"""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facedots.cli.main import app
from facedots.errors import OutputError
from facedots.geometry import Image
from facedots.io.images import write_image
from facedots.io.inputs import ImageSource
from facedots.io.result_files import RecordFile
from facedots.pipeline import Pipeline
from facedots.types import Face

NAMES = ["a.png", "b.png", "c.png", "d.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image = np.full((50, 60, 3), 128, np.uint8)
    for name in NAMES:
        write_image(tmp_path / "in" / name, image)
    return tmp_path


@pytest.fixture
def run(folder: Path, tiny_model: Path) -> Callable[..., Result]:
    """One object is found in each image, and no detector has to be opened."""

    def invoke(command: str, *arguments: object) -> Result:
        options = ["--model", str(tiny_model), "--detector", "single-object", *map(str, arguments)]
        return CliRunner().invoke(app, [command, str(folder / "in"), *options])

    return invoke


def stop_at(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> None:
    read = ImageSource.read

    def interrupted(self: ImageSource) -> Image:
        if self.location.endswith(name):
            raise error
        return read(self)

    monkeypatch.setattr(ImageSource, "read", interrupted)


def names_in_json(file: Path) -> list[str]:
    return [Path(image["source"]).name for image in json.loads(file.read_text())["images"]]


def names_in_csv(file: Path) -> list[tuple[str, str]]:
    with file.open(newline="") as text:
        return [(row["frame"], Path(row["source"]).name) for row in csv.DictReader(text)]


@pytest.mark.parametrize("command", ["predict", "pose"])
def test_after_ctrl_c_the_images_done_are_there_and_resume_goes_on(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    as_json, as_csv = folder / "r.json", folder / "r.csv"
    outputs = ("--json", as_json, "--csv", as_csv)
    assert run(command, *outputs).exit_code == 0
    expected = as_json.read_bytes(), as_csv.read_bytes()
    with monkeypatch.context() as patch:
        stop_at(patch, "c.png", KeyboardInterrupt())
        result = run(command, *outputs)
    assert result.exit_code == 130
    assert names_in_json(as_json) == ["a.png", "b.png"]
    assert names_in_csv(as_csv) == [("1", "a.png"), ("2", "b.png")]
    assert "stopped by SIGINT: 2 of 4 images not done:" in result.stderr
    assert result.stderr.splitlines()[-1] == f"  {folder}/in/d.png"
    assert f"{folder}/in/b.png" in result.stdout
    result = run(command, *outputs, "--resume")
    assert result.exit_code == 0
    assert "2 of 4 images were done before" in result.stderr
    assert f"{folder}/in/b.png" not in result.stdout
    assert (as_json.read_bytes(), as_csv.read_bytes()) == expected


def test_stopped_before_the_first_image_the_old_files_stay(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "r.json").write_text("old")
    stop_at(monkeypatch, "a.png", KeyboardInterrupt())
    assert run("predict", "--json", folder / "r.json").exit_code == 130
    assert (folder / "r.json").read_text() == "old"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OutputError("the disk is full")])
def test_stopped_while_it_takes_over_earlier_results_they_stay(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    as_json, as_csv = folder / "r.json", folder / "r.csv"
    outputs = ("--json", as_json, "--csv", as_csv)
    assert run("predict", *outputs).exit_code == 0
    expected = as_json.read_bytes(), as_csv.read_bytes()
    write = RecordFile.write

    def stopped(self: RecordFile, record: str) -> None:
        if "c.png" in record:
            raise error
        write(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(RecordFile, "write", stopped)
        assert run("predict", *outputs, "--resume").exit_code != 0
    assert (as_json.read_bytes(), as_csv.read_bytes()) == expected
    assert not list(folder.glob(".*.part*"))


def test_align_keeps_its_table_and_resumes(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, table = folder / "out", folder / "out" / "transforms.csv"
    assert run("align", "--out", out).exit_code == 0
    expected = table.read_text()
    with monkeypatch.context() as patch:
        stop_at(patch, "c.png", KeyboardInterrupt())
        assert run("align", "--out", out).exit_code == 130
    assert table.read_text() == "".join(expected.splitlines(keepends=True)[:3])
    (out / "b_aligned_0.png").unlink()
    result = run("align", "--out", out, "--resume")
    assert result.exit_code == 0
    assert [line.split(":")[0][-5:] for line in result.stdout.splitlines()] == NAMES[1:]
    assert sorted(table.read_text().splitlines()) == sorted(expected.splitlines())
    other = run("align", "--out", out, "--resume", "--size", "96")
    assert isinstance(other.exception, OutputError)
    assert "another --template or --size" in str(other.exception)


def test_a_name_that_cannot_be_written_costs_one_drawing(
    run: Callable[..., Result], folder: Path
) -> None:
    longest = "z" + "x" * 246 + ".png"
    (folder / "in" / "d.png").rename(folder / "in" / longest)
    as_json, as_csv, out = folder / "r.json", folder / "r.csv", folder / "out"
    result = run("predict", "--out", out, "--json", as_json, "--csv", as_csv)
    assert result.exit_code == 1
    assert names_in_json(as_json) == [*NAMES[:3], longest]
    assert [name for _, name in names_in_csv(as_csv)] == [*NAMES[:3], longest]
    assert [path.name[0] for path in sorted(out.iterdir())] == ["a", "b", "c"]
    failed, line = result.stderr.splitlines()
    assert failed == "1 failed:"
    assert "File name too long" in line
    for command, options in (
        ("filter", ("--with", "sunglasses")),
        ("anonymize", ("--detector", "haar", "--on-no-face", "cover")),
        ("align", ()),
    ):
        result = run(command, *options, "--out", folder / command)
        assert result.exit_code == 1, command
        assert "1 failed:" in result.stderr
        assert "zxx" not in result.stdout or command == "align"
        assert len(list((folder / command).glob("*.png"))) == 3


def test_a_name_of_250_bytes_is_drawn(run: Callable[..., Result], folder: Path) -> None:
    (folder / "in" / "d.png").rename(folder / "in" / ("m" * 240 + ".png"))
    assert run("predict", "--out", folder / "out").exit_code == 0
    assert (folder / "out" / ("m" * 240 + "_dots.png")).is_file()


def test_a_full_disk_keeps_the_images_before(
    run: Callable[..., Result], folder: Path, fill_disk: Callable[[int], None]
) -> None:
    as_json, as_csv = folder / "r.json", folder / "r.csv"
    run("predict", "--json", as_json)
    whole = as_json.stat().st_size
    fill_disk(whole - 9)
    result = run("predict", "--json", as_json, "--csv", as_csv)
    assert isinstance(result.exception, OutputError)
    assert "No space left" in str(result.exception)
    assert names_in_json(as_json) == NAMES[:3]
    assert "stopped: 1 of 4 images not done:" in result.stderr
    fill_disk(10)
    assert run("predict", "--csv", folder / "new.csv").exit_code == 1
    assert not (folder / "new.csv").exists()
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("broken_face", "said"),
    [
        ({"score": float("nan")}, "score or the head pose is not a number"),
        ({"points": np.full((68, 2), np.nan, np.float32)}, "points are not all numbers"),
    ],
)
def test_one_answer_that_is_not_a_number_is_one_failure(
    run: Callable[..., Result],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken_face: dict[str, Any],
    said: str,
) -> None:
    call, calls = Pipeline.__call__, list[int]()

    def broken(self: Pipeline, image: Image) -> list[Face]:
        calls.append(1)
        faces = call(self, image)
        return [replace(face, **broken_face) for face in faces] if len(calls) == 2 else faces

    monkeypatch.setattr(Pipeline, "__call__", broken)
    result = run("predict", "--json", folder / "r.json", "--csv", folder / "r.csv")
    assert result.exit_code == 1
    assert names_in_json(folder / "r.json") == ["a.png", "c.png", "d.png"]
    assert f"b.png: the network's {said}" in result.stderr


def test_resume_goes_by_what_all_outputs_hold(run: Callable[..., Result], folder: Path) -> None:
    as_json, as_csv, out = folder / "r.json", folder / "r.csv", folder / "out"
    outputs = ("--json", as_json, "--csv", as_csv, "--out", out)
    assert run("predict", *outputs, "--resume").exit_code == 0
    expected = as_csv.read_text()
    lines = expected.splitlines(keepends=True)
    as_csv.write_text("".join([lines[0], *lines[2:]]))  # without a.png
    (out / "c_dots.png").unlink()
    assert run("predict", *outputs, "--resume").exit_code == 0
    names = ["b.png", "d.png", "a.png", "c.png"]
    assert names_in_json(as_json) == names
    assert names_in_csv(as_csv) == [(str(i), name) for i, name in enumerate(names, start=1)]
    assert (out / "c_dots.png").is_file()
    run("predict", "--out", out)
    (out / "a_dots.png").unlink()
    result = run("predict", "--out", out, "--resume")
    assert result.stdout == f"{folder}/in/a.png: 1 face\n"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("r.json", "{}", "not results of facedots"),
        ("r.json", "not JSON", "not results of facedots"),
        ("r.json", "[" * 100_000, "not results of facedots"),
        ("r.csv", "a,b\n1,2\n", "has other columns"),
    ],
)
def test_resume_says_what_it_cannot_go_on_with(
    run: Callable[..., Result], folder: Path, file: str, content: str, message: str
) -> None:
    (folder / file).write_text(content)
    result = run("predict", "--resume", f"--{file[2:]}", folder / file)
    assert isinstance(result.exception, OutputError)
    assert message in str(result.exception)
    assert (folder / file).read_text() == content


def test_resume_refuses_other_options_and_repeats_changed_images(
    run: Callable[..., Result], folder: Path
) -> None:
    as_json, as_csv, out = folder / "r.json", folder / "r.csv", folder / "out"
    outputs = ("--json", as_json, "--csv", as_csv, "--out", out)
    assert run("predict", *outputs).exit_code == 0
    expected = as_json.read_bytes()
    for option in ("--refine=0", "--search=fast", "--min-face=9", "--any-angle"):
        result = run("predict", *outputs, "--resume", option)
        assert isinstance(result.exception, OutputError)
        assert f"written with another {option.split('=')[0]};" in str(result.exception)
    assert as_json.read_bytes() == expected
    later = time.time() + 60
    os.utime(folder / "in" / "b.png", (later, later))
    result = run("predict", *outputs, "--resume")
    assert "3 of 4 images were done before" in result.stderr
    assert result.stdout == f"{folder}/in/b.png: 1 face\n"
    assert sorted(names_in_json(as_json)) == NAMES


def test_resume_measures_anew_what_an_older_version_measured_less_of(
    run: Callable[..., Result], folder: Path
) -> None:
    file = folder / "r.json"
    assert run("pose", "--json", file).exit_code == 0
    whole = json.loads(file.read_text())
    older = json.loads(file.read_text())
    for image, field in zip(older["images"], ("emotions", "emotion_guess"), strict=False):
        del image["faces"][0][field]
    file.write_text(json.dumps(older))
    result = run("pose", "--json", file, "--resume")
    assert "2 of 4 images were done before" in result.stderr
    resumed = json.loads(file.read_text())["images"]
    assert sorted(resumed, key=lambda image: image["source"]) == whole["images"]


def kill(folder: Path, file: Path, *arguments: object) -> None:
    """A run that is killed when it reads d.png."""
    code = (
        "import os, signal, sys; from facedots.io.inputs import ImageSource as S; read = S.read\n"
        "S.read = lambda s: os.kill(os.getpid(), 9) if s.location.endswith('d.png') else read(s)\n"
        "from facedots.cli.main import main; main()"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    assert len([path for path in file.parent.glob(".*.part*") if path.suffix == file.suffix]) == 1


@pytest.mark.parametrize(("cut", "done"), [(0, 2), (40, 1)])
def test_resume_goes_on_from_what_a_killed_run_left(
    run: Callable[..., Result], folder: Path, tiny_model: Path, cut: int, done: int
) -> None:
    """The rows of the last image may be cut: it is done again."""
    options = ("--model", tiny_model, "--detector", "single-object")
    as_json, as_csv, out = folder / "r.json", folder / "r.csv", folder / "out"
    kill(folder, as_json, "predict", folder / "in", "--json", as_json, "--csv", as_csv, *options)
    for part in folder.glob(".*.part*"):
        part.write_bytes(part.read_bytes()[: -cut or None])
    result = run("predict", "--json", as_json, "--csv", as_csv, "--resume")
    assert f"{done} of 4 images were done before" in result.stderr
    assert names_in_json(as_json) == NAMES
    assert names_in_csv(as_csv) == [(str(i), name) for i, name in enumerate(NAMES, start=1)]
    again = run("predict", "--json", as_json, "--csv", as_csv, "--resume")
    assert "4 of 4 images were done before" in again.stderr
    kill(folder, out / "transforms.csv", "align", folder / "in", "--out", out, *options)
    assert not (out / "transforms.csv").exists()
    result = run("align", "--out", out, "--resume")
    assert [line.split(":")[0][-5:] for line in result.stdout.splitlines()] == NAMES[2:]
    with (out / "transforms.csv").open(newline="") as text:
        assert [Path(row["source"]).name for row in csv.DictReader(text)] == NAMES


def test_align_remembers_images_without_a_face(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "__call__", lambda *_: [])
        assert run("align", "--out", folder / "out").exit_code == 0
    result = run("align", "--out", folder / "out", "--resume")
    assert (result.exit_code, result.stdout) == (0, "")


def test_align_resumes_what_could_not_be_written(run: Callable[..., Result], folder: Path) -> None:
    blocked = folder / "out" / "b_aligned_0.png"
    blocked.mkdir(parents=True)
    result = run("align", "--out", folder / "out")
    assert (result.exit_code, "it is a folder" in result.stderr) == (1, True)
    blocked.rmdir()
    result = run("align", "--out", folder / "out", "--resume")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    assert blocked.is_file()


def test_align_resumes_beside_images_of_the_same_names(folder: Path, tiny_model: Path) -> None:
    for place, level in (("one", 60), ("two", 200)):
        write_image(folder / place / "p.png", np.full((50, 60, 3), level, np.uint8))
    options = ["--out", str(folder / "out"), "--model", str(tiny_model)]
    options += ["--detector", "single-object"]
    assert CliRunner().invoke(app, ["align", str(folder / "two"), *options]).exit_code == 0
    first = (folder / "out" / "p_aligned_0.png").read_bytes()
    both = ["align", str(folder / "one"), str(folder / "two"), *options, "--resume"]
    assert CliRunner().invoke(app, both).exit_code == 0
    assert (folder / "out" / "p_aligned_0.png").read_bytes() == first
    with (folder / "out" / "transforms.csv").open(newline="") as text:
        files = {row["source"][-9:]: row["file"] for row in csv.DictReader(text)}
    assert files == {"one/p.png": "p_aligned_2_0.png", "two/p.png": "p_aligned_0.png"}


def test_drawings_alone_do_not_tell_images_of_one_name_apart(
    run: Callable[..., Result], folder: Path
) -> None:
    write_image(folder / "in" / "a.jpg", np.zeros((50, 60, 3), np.uint8))
    (folder / "in" / "a.gif").write_bytes((folder / "in" / "b.png").read_bytes())
    result = run("predict", "--out", folder / "out", "--resume")
    assert "--out alone cannot tell images of one name apart" in str(result.exception)
    assert run("predict", "--out", folder / "out", "--csv", folder / "r.csv", "--resume")


def test_what_changes_while_a_run_lasts_is_done_again(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, outputs = ImageSource.read, ("--json", folder / "r.json", "--csv", folder / "r.csv")

    def meanwhile(self: ImageSource) -> Image:
        if self.location.endswith("c.png"):
            (folder / "in" / "a.png").touch()
        return read(self)

    with monkeypatch.context() as patch:
        patch.setattr(ImageSource, "read", meanwhile)
        assert run("predict", *outputs).exit_code == 0
    result = run("predict", *outputs, "--resume")
    assert "3 of 4 images were done before" in result.stderr


def test_resume_needs_files(run: Callable[..., Result]) -> None:
    assert "--resume needs" in str(run("predict", "--resume").exception)
    result = run("predict", "--resume", "--json", "-")
    assert "cannot go on with a stream" in str(result.exception)


def test_resume_refuses_the_results_of_another_network(
    run: Callable[..., Result], folder: Path, tiny_model: Path
) -> None:
    run("predict", "--json", folder / "r.json")
    other = folder / "other.onnx"
    other.write_bytes(tiny_model.read_bytes())
    result = run("predict", "--json", folder / "r.json", "--resume", "--model", other)
    assert "written with another model" in str(result.exception)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_an_image_is_in_all_files(
    run: Callable[..., Result],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    write = RecordFile.write

    def signaled(self: RecordFile, record: str) -> None:
        if "b.png" in record and record.startswith("{"):
            signal.raise_signal(number)
        write(self, record)

    monkeypatch.setattr(RecordFile, "write", signaled)
    result = run("predict", "--json", folder / "r.json", "--csv", folder / "r.csv")
    assert result.exit_code == 128 + number
    assert names_in_json(folder / "r.json") == NAMES[:2]
    assert [name for _, name in names_in_csv(folder / "r.csv")] == NAMES[:2]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_real_signal_keeps_the_images_done(
    folder: Path, tiny_model: Path, number: signal.Signals, status: int
) -> None:
    image = np.full((400, 400, 3), 128, np.uint8)
    for i in range(300):
        write_image(folder / "many" / f"{i:03}.png", image)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "facedots",
        "predict",
        folder / "many",
        "--refine",
        "2",
    ]
    command += ["--detector", "single-object", "--model", tiny_model]
    command += ["--out", folder / "out", "--json", folder / "r.json", "--csv", folder / "r.csv"]
    default = {signal.SIGINT: signal.default_int_handler}.get(number, signal.SIG_DFL)
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, default),  # noqa: PLW1509
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    while process.poll() is None and len(list((folder / "out").glob("*_dots.png"))) < 3:
        time.sleep(0.01)
    process.send_signal(number)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == status, messages
    done = names_in_json(folder / "r.json")
    assert 2 <= len(done) < 300
    assert [name for _, name in names_in_csv(folder / "r.csv")] == done
    title = rf"stopped by {number.name}: (\d+) of 300 images not done:"
    rest = int(re.findall(title, messages)[0])
    # The signal may come when an image is in the files and not yet counted.
    assert rest - (300 - len(done)) in (0, 1)
    assert f"… and {rest - 20} more" in messages
