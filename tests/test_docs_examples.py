"""The programs that the how-to pages show."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from facedots.geometry import Image
from facedots.io.images import write_image

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def portrait(hopper: Image, tmp_path: Path) -> Path:
    write_image(tmp_path / "portrait.png", hopper)
    return tmp_path / "portrait.png"


def test_rows_of_many_images_have_the_same_columns(portrait: Path, tmp_path: Path) -> None:
    find = example("many_images").FindFaces()
    (tmp_path / "broken.png").write_bytes(b"no image")
    (face,) = find({"path": str(portrait)})
    (broken,) = find({"path": str(tmp_path / "broken.png")})
    assert face.keys() == broken.keys()
    assert face["found"]
    assert len(face["points"]) == 136
    assert not broken["found"]
    assert "broken.png" in broken["error"]
