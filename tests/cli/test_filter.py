from pathlib import Path

import numpy as np
import pytest
from tests.faces import face_of, find_only
from typer.testing import CliRunner, Result

from facedots.cli.main import app
from facedots.data.synthetic import draw_face
from facedots.effects.stickers import Stickers
from facedots.io.images import read_image, write_image

IMAGE, POINTS = draw_face(np.random.default_rng(11))
FACE = face_of(POINTS)


@pytest.fixture(autouse=True)
def networks_that_know_the_drawn_face(monkeypatch: pytest.MonkeyPatch) -> None:
    find_only(monkeypatch, [FACE], IMAGE)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["filter", *map(str, arguments)])


def test_the_whole_way(tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "face.png", IMAGE)
    write_image(tmp_path / "in" / "gray.png", np.full((50, 60, 3), 128, np.uint8))
    (tmp_path / "in" / "text.png").write_text("not an image")
    result = run(tmp_path / "in", "--with", "hat,sunglasses", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{tmp_path}/out/face_filtered.png: 1 face",
        f"{tmp_path}/out/gray_filtered.png: no face found; looked for faces, at any angle",
    ]
    assert result.stderr.splitlines()[0] == "1 failed:"
    assert "text.png" in result.stderr.splitlines()[1]
    expected = Stickers(["hat", "sunglasses"])(IMAGE, [FACE])
    assert (read_image(tmp_path / "out" / "face_filtered.png") == expected).all()
    assert (read_image(tmp_path / "out" / "gray_filtered.png") == 128).all()


def test_what_an_effect_refuses_is_listed_with_its_image(tmp_path: Path) -> None:
    write_image(tmp_path / "face.png", IMAGE)
    result = run(tmp_path / "face.png", "--with", "swap", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert f"{tmp_path}/face.png: swapping needs two or more faces" in result.stderr
    assert not (tmp_path / "out").exists()


def test_unknown_effects_stop_before_any_image(tmp_path: Path) -> None:
    write_image(tmp_path / "face.png", IMAGE)
    result = run(tmp_path / "face.png", "--with", "beard", "--out", tmp_path / "out")
    assert "beard: no such effect; there are crown" in str(result.exception)
    assert not (tmp_path / "out").exists()
