import csv
from pathlib import Path

import numpy as np
import pytest
from tests.faces import face_of, find_only
from typer.testing import CliRunner, Result

from facedots.analysis.align import align_face
from facedots.cli.main import app
from facedots.data.synthetic import draw_face
from facedots.geometry import apply_affine
from facedots.io.images import read_image, write_image

IMAGE, POINTS = draw_face(np.random.default_rng(11))


FACES = [face_of(POINTS, score=0.75), face_of(POINTS + 3, score=0.75)]


@pytest.fixture(autouse=True)
def networks_that_know_the_drawn_face(monkeypatch: pytest.MonkeyPatch) -> None:
    find_only(monkeypatch, FACES, IMAGE)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["align", *map(str, arguments)])


def test_the_whole_way(tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "face.png", IMAGE)
    write_image(tmp_path / "in" / "gray.png", np.full((50, 60, 3), 128, np.uint8))
    (tmp_path / "in" / "text.png").write_text("not an image")
    out = tmp_path / "out"
    result = run(tmp_path / "in", "--out", out, "--size", 64, "--template", "ffhq")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{tmp_path}/in/face.png: 2 faces",
        f"{tmp_path}/in/gray.png: no face found; looked for faces, at any angle",
    ]
    assert "text.png" in result.stderr.splitlines()[1]
    assert sorted(file.name for file in out.iterdir()) == [
        "face_aligned_0.png",
        "face_aligned_1.png",
        "transforms.csv",
    ]

    rows = list(csv.DictReader((out / "transforms.csv").read_text().splitlines()))
    faceless = rows.pop()
    assert (faceless["file"], faceless["m00"]) == ("", "")
    assert faceless["source"] == f"{tmp_path}/in/gray.png"
    assert [row["file"] for row in rows] == ["face_aligned_0.png", "face_aligned_1.png"]
    for row, face in zip(rows, FACES, strict=True):
        expected = align_face(IMAGE, face, 64, "ffhq")
        assert (read_image(out / row["file"]) == expected.image).all()
        assert (row["source"], row["confidence"]) == (f"{tmp_path}/in/face.png", "0.7500")
        assert (row["template"], row["size"]) == ("ffhq", "64")
        there, back = (
            [[float(row[f"{m}{i}{j}"]) for j in range(3)] for i in range(2)]
            for m in ("m", "inverse_")
        )
        np.testing.assert_allclose(there, expected.matrix, rtol=1e-6)
        np.testing.assert_allclose(
            apply_affine(np.array(back), apply_affine(np.array(there), POINTS)), POINTS, atol=1e-3
        )


def test_a_source_is_never_overwritten(tmp_path: Path) -> None:
    write_image(tmp_path / "face.png", IMAGE)
    write_image(tmp_path / "face_aligned_0.png", IMAGE)
    result = run(tmp_path, "--out", tmp_path)
    assert result.exit_code == 1
    assert "would be overwritten" in str(result.exception)
    assert (read_image(tmp_path / "face_aligned_0.png") == IMAGE).all()


def test_templates_are_named_in_the_message(tmp_path: Path) -> None:
    result = run(tmp_path, "--out", tmp_path, "--template", "arcface")
    assert result.exit_code == 2
    assert "arcface112" in result.stderr
