"""`facedots label`: out to the tools and back, with the corrections of a person in between."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facedots.annotations.csv_table import CsvFile
from facedots.annotations.labeling_interface import parse_interface
from facedots.annotations.load import load_annotations
from facedots.audit.stats import data_stats
from facedots.cli.main import app
from facedots.errors import AnnotationError, DataError, OutputError
from facedots.geometry import Image
from facedots.io.images import write_image
from facedots.io.results import JSON_SCHEMA
from facedots.schema import IBUG68


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["label", *map(str, arguments)])


def fails(*arguments: object) -> str:
    """The error of a command that must fail, as it is printed."""
    result = run(*arguments)
    assert isinstance(result.exception, AnnotationError | DataError | OutputError)
    return str(result.exception)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, hopper: Image) -> Path:
    """An image with one face, one with two in a folder, and one with none."""
    folder = tmp_path_factory.mktemp("images")
    small = np.asarray(cv2.resize(hopper, None, fx=0.25, fy=0.25), np.uint8)
    write_image(folder / "one.png", small)
    write_image(folder / "deep" / "two faces.png", np.concatenate([small, small], axis=1))
    write_image(folder / "nobody.png", np.full((50, 60, 3), 128, np.uint8))
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, source: Path, tiny_model: Path) -> Path:
    """What the export of these images leaves."""
    folder = tmp_path_factory.mktemp("label") / "work"
    result = run("export", source, "--recursive", "--out", folder, "--model", tiny_model)
    assert result.exit_code == 0, result.output
    assert f"{folder}: 3 of 3 images, 3 faces, 1 image without a face" in result.stdout
    return folder


def test_the_folder_holds_numbered_images_and_both_imports_the_worst_first(work: Path) -> None:
    with (work / "ranking.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["image"] == "nobody.png"
    assert rows[0]["uncertainty"] == ""
    assert {row["image"] for row in rows[1:]} == {"one.png", "deep/two faces.png"}
    assert float(rows[1]["uncertainty"]) >= float(rows[2]["uncertainty"])
    assert sorted(path.name for path in (work / "images").iterdir()) == [
        row["file"] for row in rows
    ]
    tasks = json.loads((work / "label_studio" / "tasks.json").read_text())
    assert [task["data"]["file"] for task in tasks] == [f"images/{row['file']}" for row in rows]
    assert {path.name for path in work.rglob("*") if path.is_file()} >= {
        "annotations.xml",
        "labels.json",
        "config.xml",
    }


def test_cvat_there_and_back_with_a_correction(work: Path, source: Path, tmp_path: Path) -> None:
    text = (work / "cvat" / "annotations.xml").read_text()
    file = next(path.name for path in (work / "images").iterdir() if path.name.endswith("one.png"))
    before, _, rest = text.partition(f'name="{file}"')
    place = rest[rest.index('<points label="jaw_0"') :].split('points="')[1].split('"')[0]
    x, y = map(float, place.split(","))
    rest = rest.replace(f'points="{place}"', f'points="{x + 3:.2f},{y - 4:.2f}"', 1)
    rest = rest.replace(
        'label="jaw_1" source="auto" outside="0"', 'label="jaw_1" source="manual" outside="1"', 1
    )
    (tmp_path / "annotations.xml").write_text(f'{before}name="{file}"{rest}')
    out, changes = tmp_path / "fixed.csv", tmp_path / "changes.csv"
    result = run(
        "import",
        tmp_path / "annotations.xml",
        "--exported",
        work,
        "--out",
        out,
        "--changes",
        changes,
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:5] == [
        "faces: 2 kept, 1 corrected",
        "points: 1 of 203 moved, by 5.00 px in the median and 5.00 px at most",
        "points: 0 added, 1 removed",
        "  one.png: 1 moved, by 5.00 px at most",
        "images without a face in this export: 1",
    ]
    assert [line.split(",")[:4] for line in changes.read_text().splitlines()[1:]] == [
        ["one.png", "moved", "jaw_0", "5.00"],
        ["one.png", "removed", "jaw_1", ""],
    ]
    faces = {face.name: face for face in CsvFile(out).faces(source)}
    assert set(faces) == {"one.png", "deep/two faces.png#1", "deep/two faces.png#2"}
    np.testing.assert_allclose(faces["one.png"].points[0], (x + 3 - 0.5, y - 4 - 0.5), atol=0.006)
    assert np.isnan(faces["one.png"].points[1]).all()


def test_label_studio_there_and_back_and_the_data_commands_read_it(
    work: Path, source: Path, tmp_path: Path
) -> None:
    tasks = json.loads((work / "label_studio" / "tasks.json").read_text())
    for number, task in enumerate(tasks):
        results = [
            {"id": 1, "result": prediction["result"], "was_canceled": False}
            for prediction in task["predictions"]
        ]
        task.update(id=number, annotations=results)
    (tmp_path / "project.json").write_text(json.dumps(tasks))
    mine = tmp_path / "mine"
    shutil.copytree(source, mine)
    result = run(
        "import", tmp_path / "project.json", "--exported", work, "--out", mine / "fixed.csv"
    )
    assert result.stdout.splitlines()[:2] == ["faces: 3 kept", "points: 0 of 204 moved"]
    parts = load_annotations(mine).subsets
    assert [len(faces) for faces in parts.values()] == [3]
    assert data_stats(parts).subsets["fixed"].labels.faces == 3


def test_an_image_that_was_submitted_without_its_only_face_is_listed(
    work: Path, tmp_path: Path
) -> None:
    tasks = json.loads((work / "label_studio" / "tasks.json").read_text())
    for number, task in enumerate(tasks):
        results = [prediction["result"] for prediction in task["predictions"]]
        if task["data"]["file"].endswith("one.png"):
            results = [[]]
        task.update(id=number, annotations=[{"id": 1, "result": result} for result in results])
    (tmp_path / "project.json").write_text(json.dumps(tasks))
    changes = tmp_path / "changes.csv"
    command = ("import", tmp_path / "project.json", "--exported", work)
    result = run(*command, "--out", tmp_path / "fixed.csv", "--changes", changes)
    assert result.stdout.splitlines()[0] == "faces: 2 kept, 1 removed"
    assert changes.read_text().splitlines()[1:] == ["one.png,face removed,,,,,,"]


def test_images_that_were_annotated_from_scratch(work: Path, tmp_path: Path) -> None:
    result = run(
        "import",
        work / "cvat" / "annotations.xml",
        "--images",
        work / "images",
        "--out",
        tmp_path / "own.csv",
    )
    assert result.exit_code == 0, result.output
    assert len(CsvFile(tmp_path / "own.csv").faces(work / "images")) == 3


def test_only_the_worst_can_be_taken_and_a_folder_is_filled_once(
    source: Path, work: Path, tiny_model: Path, tmp_path: Path
) -> None:
    options = ("--recursive", "--model", tiny_model)
    result = run("export", source, *options, "--out", tmp_path / "few", "--top", 2)
    assert "2 of 3 images" in result.stdout
    assert len(list((tmp_path / "few" / "images").iterdir())) == 2
    assert "holds images already" in fails("export", source, *options, "--out", work)


def test_an_export_that_fails_leaves_nothing_in_the_way_of_the_next(
    source: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanished(*_: object) -> None:
        raise FileNotFoundError("one.png is gone")

    arguments = ("export", source, "--model", tiny_model, "--out", tmp_path / "work")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", vanished)
        assert "one.png is gone" in fails(*arguments)
    assert not list((tmp_path / "work").iterdir())
    assert run(*arguments).exit_code == 0


def test_corrections_land_on_no_image_and_not_on_each_other(
    source: Path, work: Path, tmp_path: Path
) -> None:
    image, table = source / "one.png", tmp_path / "fixed.csv"
    pixels = image.read_bytes()
    command = ("import", work / "cvat" / "annotations.xml", "--exported", work)
    assert "is an input" in fails(*command, "--out", image)
    assert "is an input" in fails(*command, "--out", table, "--changes", image)
    assert "are the same" in fails(*command, "--out", table, "--changes", table)
    for own in sorted(file for file in work.rglob("*") if file.is_file()):
        content = own.read_bytes()
        assert "is an input" in fails(*command, "--out", own)
        assert own.read_bytes() == content
    assert image.read_bytes() == pixels
    assert not table.exists()


def test_a_printed_table_is_nothing_but_the_table(work: Path) -> None:
    result = run("import", work / "cvat" / "annotations.xml", "--exported", work, "--out", "-")
    assert len(list(csv.reader(result.stdout.splitlines()))) == 4
    assert "faces: 3 kept" in result.stderr
    assert not Path("-").exists()


def test_images_that_are_gone_are_named(source: Path, work: Path, tmp_path: Path) -> None:
    export = json.loads((work / "export.json").read_text())
    jsonschema.validate(export, json.loads(JSON_SCHEMA.read_text()))
    moved = tmp_path / "moved"
    shutil.copytree(work, moved)
    (tmp_path / "fewer").mkdir()
    (moved / "export.json").write_text(
        json.dumps({**export, "image_folder": str(tmp_path / "fewer")})
    )
    arguments = (
        "import",
        moved / "cvat" / "annotations.xml",
        "--exported",
        moved,
        "--out",
        tmp_path / "fixed.csv",
    )
    error = fails(*arguments)
    assert f"no file {tmp_path / 'fewer' / 'one.png'}; put it back" in error
    (moved / "export.json").write_text(
        json.dumps({**export, "image_folder": str(tmp_path / "nowhere")})
    )
    assert "no longer in" in fails(*arguments)
    (moved / "export.json").write_text("{}")
    assert "not what `facedots label export` writes" in fails(*arguments)
    assert not (tmp_path / "fixed.csv").exists()


def test_what_cannot_be_done_is_said(
    work: Path, source: Path, tiny_model: Path, tmp_path: Path
) -> None:
    file = work / "cvat" / "annotations.xml"
    out = ("--out", tmp_path / "fixed.csv")
    assert "give --exported" in fails("import", file, *out)
    assert "give --exported" in fails("import", file, *out, "--exported", work, "--images", source)
    assert "--changes needs --exported" in fails(
        "import", file, *out, "--images", source, "--changes", tmp_path / "c.csv"
    )
    assert "neither an export of CVAT" in fails(
        "import", work / "ranking.csv", *out, "--exported", work
    )
    (tmp_path / "empty").mkdir()
    write_image(tmp_path / "empty" / "gray.png", np.full((50, 60, 3), 128, np.uint8))
    assert "no face found in 1 image" in fails(
        "export", tmp_path / "empty", "--out", tmp_path / "w", "--model", tiny_model
    )


def test_an_image_that_cannot_be_read_is_listed_and_does_not_stop_the_others(
    source: Path, tiny_model: Path, tmp_path: Path
) -> None:
    shutil.copytree(source, tmp_path / "in")
    (tmp_path / "in" / "bad.jpg").write_text("no image")
    result = run("export", tmp_path / "in", "--out", tmp_path / "out", "--model", tiny_model)
    assert result.exit_code == 1
    assert "bad.jpg" in result.stderr
    assert len(list((tmp_path / "out" / "images").iterdir())) == 2


def test_the_interface_has_the_points_of_the_network(tiny_model: Path) -> None:
    result = run("interface", "--model", tiny_model)
    assert result.exit_code == 0
    assert len(parse_interface(result.stdout, IBUG68).labels) == IBUG68.count


def test_a_backend_says_what_is_wrong_before_it_serves(tmp_path: Path) -> None:
    assert "--images DIR, --label-studio-url" in fails("serve")
    assert fails("serve", "--images", tmp_path / "none").endswith("none: no such folder")
