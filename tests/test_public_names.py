import json
import subprocess
import sys
from pathlib import Path

import pytest

import facedots
from facedots.cli.predict import portrait

BLOCKED = ("torch", "pandas", "matplotlib", "pydantic", "pytorch_lightning", "onnx", "yaml")


def test_the_public_names_are_few_and_all_there() -> None:
    assert len(facedots.__all__) <= 25
    for name in facedots.__all__:
        value = getattr(facedots, name)
        assert value is getattr(facedots, name)
        if isinstance(value, type):
            assert value.__name__ == name
    assert set(facedots.__all__) <= set(dir(facedots))


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        facedots.nothing  # noqa: B018


def test_import_loads_nothing_else() -> None:
    code = "import facedots, sys; print([name for name in ('numpy', 'cv2', 'onnxruntime', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_predicts_with_the_training_side_blocked(tiny_model: Path, tmp_path: Path) -> None:
    """In Python, and on the command line, where typer itself needs pydantic."""
    arguments = [
        "predict",
        str(portrait()),
        "--model",
        str(tiny_model),
        "--out",
        str(tmp_path),
        "--json",
        str(tmp_path / "j"),
    ]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({BLOCKED!r}))
import facedots
for name in facedots.__all__:
    getattr(facedots, name)
pipeline = facedots.Pipeline(predictor=facedots.KeypointPredictor({str(tiny_model)!r}))
assert len(pipeline(facedots.read_image({str(portrait())!r}))) == 1
del sys.modules["pydantic"]
from facedots.cli.main import main
sys.argv = ["facedots", *{arguments!r}]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 face" in done.stdout
    assert len(json.loads((tmp_path / "j").read_text())["images"][0]["faces"]) == 1
    assert (tmp_path / "grace_hopper_dots.jpg").is_file()
