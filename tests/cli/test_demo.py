import json
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facedots.cli.main import app
from facedots.errors import ImageError
from facedots.inference import weights
from facedots.io.images import read_image, sample_portrait
from facedots.io.pinned import WeightFile


@pytest.fixture(autouse=True)
def tiny_small(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default network is the test's."""
    digest = sha256(tiny_model.read_bytes()).hexdigest()
    monkeypatch.setattr(weights, "WEIGHTS", {"small": WeightFile(tiny_model, digest)})


def test_writes_a_image_and_its_numbers_twice_alike(tmp_path: Path) -> None:
    first = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "new")])
    assert first.exit_code == 0
    assert first.stdout.startswith("1 face, 68 dots:")
    image, numbers = tmp_path / "new" / "demo.png", tmp_path / "new" / "demo.json"
    assert read_image(image).shape[2] == 3
    face = json.loads(numbers.read_text())["images"][0]["faces"][0]
    assert len(face["points"]) == 68
    before = image.read_bytes(), numbers.read_bytes()
    CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "new")])
    assert (image.read_bytes(), numbers.read_bytes()) == before


def test_without_matplotlib_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "matplotlib" else find_spec(name)
    )
    with pytest.raises(ImageError, match=r"pip install 'facedots\[plots\]'"):
        sample_portrait()
