"""Outputs destroy nothing, and the names of files do no harm (cases 12 and 13, attack a3)."""

import csv
import html.parser
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facedots.annotations.csv_table import CsvFile
from facedots.cli.main import app
from facedots.data.synthetic import draw_face
from facedots.errors import OutputError
from facedots.io.images import write_image
from facedots.io.text import csv_name
from facedots.io.video import Frame, VideoInfo
from facedots.io.video_opencv import OpenCVWriter

HOSTILE = [
    "<script>alert(1)<⁄script>.png",
    "a\nb.png",
    "=1+1.png",
    "@SUM(1).png",
    "-rf.png",
    "+x.png",
    "'=y.png",
    "q\"'`$(id);&.png",
    "[red]x.png",
    "x[⁄blink.png",
    "\x1b[2J\x1b[31mred.png",
    "\u202egnp.exe.png",
    "  lead.png",
    "%s%n{0}.png",
    "a,b;c.png",
    "a\x01b.png",
    "~root.png",
    "*?[x].png",
    "u..\\..\\x.png",
    "$x_1^{2}$.png",
    "$\\frac.png",
    "caf\udce9.png",
    "n" * 200 + ".png",
]
IMAGE = np.full((50, 60, 3), 128, np.uint8)


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*command.split(), *map(str, arguments)])


@pytest.fixture
def predict(tiny_model: Path) -> Callable[..., Result]:
    """One object is found in each image, and no detector has to be opened."""

    def invoke(*arguments: object) -> Result:
        options = ("--model", tiny_model, "--detector", "single-object")
        return run("predict", *arguments, *options)

    return invoke


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_image(tmp_path / "x.png", IMAGE)
    return tmp_path / "x.png"


@pytest.fixture
def hostile(tmp_path: Path, photo: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in HOSTILE:
        shutil.copy(photo, folder / name)
    return folder


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of drawn faces under hostile names."""
    folder = tmp_path_factory.mktemp("faces")
    rows = ["name," + ",".join(f"{axis}{i}" for i in range(68) for axis in "xy")]
    for number, name in enumerate([*HOSTILE[:-1], *(f"n{i}.png" for i in range(4))]):
        image, points = draw_face(np.random.default_rng(number))
        write_image(folder / "drawn.png", image)
        (folder / "drawn.png").rename(folder / name)
        cell = name.encode("utf-8", "backslashreplace").decode().replace('"', '""')
        rows.append(f'"{cell}",' + ",".join(f"{value:.2f}" for value in points.ravel()))
    (folder / "faces.csv").write_text("\n".join(rows) + "\n")
    return folder / "faces.csv"


class Tags(html.parser.HTMLParser):
    """The names of all elements of a page, and of the attributes that run scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hostile: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what no report has."""
        self.hostile += [tag] if tag == "script" else []
        self.hostile += [name for name, _ in attrs if name.startswith("on")]


def test_hostile_names_come_back_from_every_file(
    predict: Callable[..., Result], hostile: Path, tmp_path: Path
) -> None:
    as_json, as_csv, out = tmp_path / "o.json", tmp_path / "o.csv", tmp_path / "out"
    result = predict(hostile, "--json", as_json, "--csv", as_csv, "--out", out)
    assert result.exit_code == 0, result.output
    images = json.loads(as_json.read_text(encoding="utf-8"))["images"]
    assert {Path(image["source"]).name for image in images} == set(HOSTILE)
    with as_csv.open(encoding="utf-8", newline="") as text:
        sources = [csv_name(row["source"]) for row in csv.DictReader(text)]
    assert {Path(source).name for source in sources} == set(HOSTILE)
    assert len(list(out.rglob("*"))) == len(HOSTILE)
    assert all(path.parent == out for path in out.rglob("*"))
    assert not set("\x1b\x01\u202e\udce9") & set(result.stdout)
    assert len(result.stdout.splitlines()) == len(HOSTILE) + 1


def test_cells_are_no_formulas(
    predict: Callable[..., Result], hostile: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(hostile)
    names = ["=1+1.png", "@SUM(1).png", "+x.png", "'=y.png", "./-rf.png"]
    assert predict(*names, "--csv", tmp_path / "o.csv").exit_code == 0
    with (tmp_path / "o.csv").open(newline="") as text:
        cells = [row["source"] for row in csv.DictReader(text)]
    assert not [cell for cell in cells if cell[0] in "=+-@"]
    assert [csv_name(cell) for cell in cells] == names


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_names_are_printed_on_any_terminal(hostile: Path, tiny_model: Path, encoding: str) -> None:
    command: list[str | Path] = [sys.executable, "-m", "facedots", "predict", hostile]
    command += ["--model", tiny_model]
    environment = os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    result = subprocess.run(
        [*command, "--detector", "single-object", hostile / "none\x1b[2J"],
        capture_output=True,
        env=environment,
        check=False,
    )
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr
    assert b"\x1b" not in result.stdout + result.stderr
    assert len(result.stdout.splitlines()) == len(HOSTILE) + 1


def test_outputs_onto_inputs_are_refused(
    predict: Callable[..., Result], photo: Path, tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "link.png").symlink_to("x.png")
    (tmp_path / "hard.png").hardlink_to(photo)
    data, model = photo.read_bytes(), tiny_model.read_bytes()
    for source in (photo, tmp_path / "link.png", tmp_path):
        for target in (photo, tmp_path / "link.png", tmp_path / "hard.png", tiny_model):
            for option in ("--json", "--csv"):
                result = predict(source, option, target)
                assert isinstance(result.exception, OutputError), (source, option, target)
                assert "is an input" in str(result.exception)
                assert result.stderr == ""
                assert photo.read_bytes() == data
                assert tiny_model.read_bytes() == model
    assert not list(tmp_path.glob(".*"))


def test_two_outputs_in_one_file_are_refused(
    predict: Callable[..., Result], photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("same")
    result = predict(photo, "--json", tmp_path / "same", "--csv", tmp_path / "link")
    assert "are the same" in str(result.exception)
    assert result.stderr == ""
    assert not (tmp_path / "same").exists()


def test_drawings_never_land_on_sources(
    predict: Callable[..., Result], photo: Path, tmp_path: Path, tiny_model: Path
) -> None:
    """Also where an old result in the folder is a link to a source, soft or hard."""
    folder = tmp_path / "p"
    for name in ("1.png", "1_dots.png", "a/1.png", "b/1.png", "1.PNG"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, folder / name)
    (folder / "a" / "1_dots.png").symlink_to("../1.png")
    (folder / "b" / "1_dots.png").hardlink_to(folder / "1.png")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    options = ("--model", tiny_model, "--detector", "single-object", "--recursive")
    for command in ("predict", "filter --with sunglasses", "align", "pose"):
        result = run(command, folder, "--out", folder, *options)
        assert result.exit_code == 0, result.output
        assert {path: path.read_bytes() for path in before} == before, command


def test_pipes_links_and_devices_stay(
    predict: Callable[..., Result], photo: Path, tmp_path: Path
) -> None:
    pipe, link, real = tmp_path / "pipe", tmp_path / "link.json", tmp_path / "real.json"
    os.mkfifo(pipe)
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to("real.json")
    got = list[str]()
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    assert predict(photo, "--json", link, "--csv", pipe).exit_code == 0
    reader.join(10)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert got[0].startswith("frame,face_id,")
    assert link.is_symlink()
    assert json.loads(real.read_text())["images"][0]["source"] == str(photo)
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    null = os.lstat(os.devnull)
    assert predict(photo, "--json", os.devnull, "--csv", os.devnull).exit_code == 0
    assert os.lstat(os.devnull).st_rdev == null.st_rdev


@pytest.mark.parametrize("command", ["--json /dev/stdout", "--json -", "--json >(cat >&2)"])
def test_results_stream_to_the_shell(photo: Path, tiny_model: Path, command: str) -> None:
    words = f"{sys.executable} -m facedots predict {photo} --model {tiny_model}"
    script = f"{words} --detector single-object {command} | cat; wait"
    result = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    # A stream of its own for >(cat): its lines and those of the command would mix in one.
    output = result.stderr if ">(" in command else result.stdout
    lines = [line for line in output.splitlines() if line.startswith("{")]
    assert json.loads(lines[0])["images"][0]["source"] == str(photo)
    assert ("1 face" in result.stdout) == (">(" in command)


def test_help_says_what_is_replaced() -> None:
    for command in (
        "predict",
        "pose",
        "video",
        "filter",
        "anonymize",
        "align",
        "evaluate",
        "compare",
        "export",
        "data show",
        "data audit",
        "label import",
        "features",
        "demo",
    ):
        words = " ".join(run(command, "--help").stdout.replace("│", " ").split())
        assert any(said in words for said in ("over what is", "over those there", "replace")), (
            command
        )


@pytest.fixture
def film(tmp_path: Path) -> Path:
    info = VideoInfo(64, 64, Fraction(10), Fraction(1, 10), 5)
    with OpenCVWriter(tmp_path / "film.mp4", info) as writer:
        for number in range(5):
            writer.write(Frame(np.full((64, 64, 3), 40 * number, np.uint8), Fraction(number, 10)))
    return tmp_path / "film.mp4"


@pytest.mark.parametrize("option", ["--csv", "--jsonl", "--parquet", "--out"])
def test_a_film_is_not_overwritten_by_its_tables(
    film: Path, tmp_path: Path, option: str, tiny_model: Path
) -> None:
    data = film.read_bytes()
    (tmp_path / "link.mp4").symlink_to("film.mp4")
    for target in (film, tmp_path / "link.mp4"):
        for source in (film, tmp_path / "link.mp4"):
            result = run("video", source, option, target, "--model", tiny_model)
            assert isinstance(result.exception, OutputError)
            assert film.read_bytes() == data
    assert not list(tmp_path.glob(".*"))


def test_tables_of_a_film_are_printed(film: Path, tiny_model: Path) -> None:
    result = run("video", film, "--jsonl", "-", "--model", tiny_model)
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["frame"] for line in result.stdout.splitlines()] == [1, 2, 3, 4, 5]
    assert "5 frames" in result.stderr


def test_reports_hold_no_markup_of_names(faces: Path, tmp_path: Path, tiny_model: Path) -> None:
    run_folder = tmp_path / "<b>w[⁄b]"
    run_folder.mkdir()
    shutil.copy(tiny_model, run_folder / "model.onnx")
    out = tmp_path / "out[" / "]rep<i>"
    result = run("evaluate", run_folder, "--data", faces, "--source", "custom", "--out", out)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert not Tags((out / "report.html").read_text()).hostile
    page = tmp_path / "cmp.html"
    result = run("compare", f"<script>alert(2)</script>={out}", f"$\\frac={out}", "--out", page)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert not Tags(page.read_text()).hostile


def test_audit_and_show_of_hostile_names(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "out[" / "]a"
    result = run("data audit", faces, "--out", out, "--fix", "--model", "none")
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert not Tags((out / "index.html").read_text()).hostile
    for table in out.rglob("*.csv"):
        with table.open(newline="") as text:
            cells = [cell for row in csv.reader(text) for cell in row[:2]]
        assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@"}]
    (clean,) = (out / "clean").glob("*.csv")
    names = {face.name for face in CsvFile(clean).faces(faces.parent)}
    assert {"=1+1.png", "-rf.png", "caf\udce9.png"} <= names
    assert names == {face.name for face in CsvFile(faces).faces()}
    shown = tmp_path / "show"
    result = run("data show", faces, "--count", "40", "--out", shown)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert all(path.parent == shown for path in shown.rglob("*"))


def test_an_audit_does_not_replace_its_data(faces: Path, tmp_path: Path) -> None:
    """The audit writes a file faces.csv, too."""
    folder = tmp_path / "data"
    shutil.copytree(faces.parent, folder)
    before = (folder / "faces.csv").read_bytes()
    result = run("data audit", folder / "faces.csv", "--out", folder, "--model", "none")
    assert isinstance(result.exception, OutputError)
    assert (folder / "faces.csv").read_bytes() == before


def test_label_export_of_hostile_names(hostile: Path, tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "lab"
    options = ("--model", tiny_model, "--detector", "single-object")
    result = run("label export", hostile, "--out", out, *options)
    assert result.exit_code == 0, result.output + repr(result.exception)
    images = ET.parse(out / "cvat" / "annotations.xml").getroot().findall("image")
    assert {image.get("name") for image in images} == {p.name for p in (out / "images").iterdir()}
    result = run(
        "label import",
        out / "cvat" / "annotations.xml",
        "--exported",
        out,
        "--out",
        tmp_path / "fixed.csv",
    )
    assert result.exit_code == 0, result.output + repr(result.exception)
    groups = {face.group or face.name for face in CsvFile(tmp_path / "fixed.csv").faces(hostile)}
    assert len(groups) == len(HOSTILE)
    before = (out / "cvat" / "annotations.xml").read_bytes()
    target = out / "cvat" / "annotations.xml"
    result = run("label import", target, "--exported", out, "--out", target)
    assert isinstance(result.exception, OutputError)
    assert target.read_bytes() == before


def test_features_does_not_replace_its_image(tmp_path: Path, tiny_model: Path) -> None:
    image = tmp_path / "kernels-stem.0.png"
    write_image(image, IMAGE)
    before = image.read_bytes()
    result = run("features", tiny_model, "--image", image, "--box", "5,5,40,40", "--out", tmp_path)
    assert isinstance(result.exception, OutputError), result.output
    assert image.read_bytes() == before


@pytest.mark.parametrize("words", [["--json", ""], ["--threads", "100000"]])
def test_options_that_cannot_be_meant_are_refused(words: list[str], tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", IMAGE)
    assert run("predict", tmp_path / "a.png", *words).exit_code in (1, 2)


def test_an_empty_name_and_an_address_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (["predict", "a.png", "--out"], ["video", "a.mp4", "--csv"], ["export", ".", "--out"])
    for command in words:
        result = CliRunner().invoke(app, [*command, ""])
        assert result.exit_code == 2
        assert "the name is empty" in result.stderr
    address = CliRunner().invoke(app, [*words[0], "s3://faces/drawn"])
    assert "a local path is needed here, not an address" in str(address.exception)
    (tmp_path / "a.txt").touch()
    assert "is a file" in CliRunner().invoke(app, [*words[0], "a.txt"]).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_closed_standard_output_is_one_line(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", IMAGE)
    command = f"{sys.executable} -m facedots predict {tmp_path / 'a.png'} --json - >&-"
    done = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be written: Bad file descriptor" in done.stderr
    assert "unexpected" not in done.stderr
