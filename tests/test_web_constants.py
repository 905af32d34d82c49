"""What the npm package shares with Python; ``make test-web`` tests the package itself."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from web_constants import write

from facedots import IBUG68, Camera, KeypointPredictor, RetinaFace
from facedots.inference.weights import WEIGHTS


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    write(folder)
    return folder


def test_the_constants_are_those_of_python(package: Path) -> None:
    text = (package / "src" / "constants.ts").read_text("utf-8")
    lines = re.findall(r"^export const (\w+) = (.*) as const;$", text, re.MULTILINE)
    constants: dict[str, Any] = {name: json.loads(value) for name, value in lines}
    spec = KeypointPredictor("tiny").spec
    assert constants["models"]["tiny"]["inputSize"] == spec.input_size
    assert constants["models"]["tiny"]["dof"] == spec.dof
    assert constants["schema"]["names"] == list(IBUG68.names)
    assert constants["pose"]["GUESSED_FOCAL"] == Camera.GUESSED_FOCAL
    assert constants["retinaface"]["ADJUSTMENT"]["top"] == RetinaFace.adjustment.top
    assert constants["tracker"]["DEFAULTS"]["detect_every"] == 30


def test_the_networks_are_those_of_python(package: Path) -> None:
    files = list((package / "assets").iterdir())
    networks = {file.stem: file.read_bytes() for file in files if file.suffix == ".onnx"}
    assert set(networks) == {"tiny", "small", "retinaface", "inspection"}
    assert networks["tiny"] == WEIGHTS["tiny"].read()
