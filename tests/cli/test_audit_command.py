import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facedots.annotations.csv_table import CsvFile
from facedots.cli.main import app
from facedots.data.synthetic import random_head, random_rotation
from facedots.io.images import write_image
from facedots.schema import IBUG68


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of 40 drawn heads in the layout of YouTube faces; ``Ann_03`` has left and right
    swapped.
    """
    rng = np.random.default_rng(0)
    root = tmp_path / "youtube-faces"
    rows = ["name," + ",".join(f"{name}_{axis}" for name in IBUG68.names for axis in "xy")]
    labels = [
        (random_head(rng) @ random_rotation(rng)[:2].T * 28 + (50, 35)).round() for _ in range(40)
    ]
    labels[3] = labels[3][list(IBUG68.flip)]
    for i, points in enumerate(labels):
        coarse = rng.integers(30, 220, (9, 10, 3), dtype=np.uint8)
        write_image(
            root / "training" / f"Ann_{i:02}.png", np.kron(coarse, np.ones((10, 10, 1), np.uint8))
        )
        rows.append(f"Ann_{i:02}.png," + ",".join(map(str, points.ravel())))
    (root / "training_frames_keypoints.csv").write_text("\n".join(rows))
    return root


def run(*arguments: object, code: int = 0) -> str:
    """What the command prints on standard output."""
    result = CliRunner().invoke(app, ["data", "audit", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout


def test_the_audit_prints_its_findings_and_leaves_the_data_alone(
    folder: Path, tmp_path: Path
) -> None:
    before = (folder / "training_frames_keypoints.csv").read_bytes()
    options = ("--model", "none", "--fix", "--origin", "0,0")
    printed = run(folder, "--out", tmp_path / "report", *options)
    assert "1 label in a wrong order: 1 with left and right swapped" in printed
    assert "all coordinates are whole numbers" in printed
    assert "no network was given" in printed
    files = [Path(line) for line in printed.splitlines() if line.startswith(str(tmp_path))]
    assert [path.name for path in files] == [
        "index.html",
        "audit.json",
        "faces.csv",
        "training.csv",
        "changes.json",
    ]
    assert all(path.is_file() for path in files)
    assert (folder / "training_frames_keypoints.csv").read_bytes() == before
    mended = CsvFile(files[3]).faces(folder / "training")
    original = CsvFile(folder / "training_frames_keypoints.csv").faces(folder / "training")
    for i, (new, old) in enumerate(zip(mended, original, strict=True)):
        np.testing.assert_array_equal(
            new.points, old.points[list(IBUG68.flip)] if i == 3 else old.points
        )


def test_a_network_from_a_file_is_asked(folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    printed = run(folder, "--out", tmp_path / "report", "--model", tiny_model)
    content = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert content["model"] == str(tiny_model)
    assert "training" in content["label_offset"]
    assert not (tmp_path / "report" / "clean").exists()
    assert "px to the" in printed


def test_other_data_to_compare_with(folder: Path, tmp_path: Path) -> None:
    run(
        folder,
        "--out",
        tmp_path / "report",
        "--model",
        "none",
        "--against",
        folder / "training_frames_keypoints.csv",
    )
    content = json.loads((tmp_path / "report" / "audit.json").read_text())
    shared = [
        finding
        for finding in content["findings"]
        if finding["check"] == "Near duplicates across subsets"
    ]
    assert [finding["level"] for finding in shared] == ["error"]
    assert "40 images of against/training" in shared[0]["text"]


def test_data_of_other_points_to_compare_with_are_called_so(folder: Path, tmp_path: Path) -> None:
    cats = tmp_path / "cats.csv"
    cats.write_text("image,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y\n")
    cats.write_text(cats.read_text() + "cat.png,10,10,30,10,20,20\n")
    write_image(tmp_path / "cat.png", np.zeros((40, 40, 3), np.uint8))
    for source, against in ((folder, cats), (cats, folder)):
        words = ["data", "audit", str(source), "--against", str(against), "--model", "none"]
        result = CliRunner().invoke(app, words)
        assert "the two sets have different points" in str(result.exception)
        assert f"{cats} has 3 (cats)" in str(result.exception)


def test_dropping_needs_fix(folder: Path) -> None:
    assert (
        "--fix"
        in CliRunner().invoke(app, ["data", "audit", str(folder), "--drop-suspicious"]).output
    )
    run(folder, "--drop-suspicious", code=2)
