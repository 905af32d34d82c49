import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facedots.cli.main import app
from facedots.cli.models import _summary
from facedots.detection.finder import WEIGHTS as DETECTORS
from facedots.inference import weights
from facedots.inference.predictor import KeypointPredictor
from facedots.inference.session import describe_model
from facedots.io.pinned import WeightFile


def test_lists_what_a_user_must_know(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "WEIGHTS", {"tiny": WeightFile(tiny_model, sha256(tiny_model))})
    lines = CliRunner().invoke(app, ["models"]).stdout.splitlines()
    assert lines == [
        "tiny: tiny",
        f"  file        {tiny_model.stat().st_size / 1e6:.2f} MB, {tiny_model}",
        "  input       8 × 8 RGB, 1 × the side of the face",
        "  points      68 (ibug68)",
        "  license     Apache-2.0",
        "  trained on  nothing",
        "  note        for tests",
        "  scores      not measured",
        f"finder: detector of faces, {DETECTORS['finder'].path.stat().st_size / 1e6:.2f} MB, "
        "chosen by --detector finder",
        "Code: Apache-2.0. Weights: for research only, terms above (LICENSE-WEIGHTS.md).",
    ]


def test_json_has_the_terms_of_code_and_weights() -> None:
    listed = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert [model["name"] for model in listed] == list(weights.WEIGHTS)
    for model in listed:
        network = KeypointPredictor(model["name"])
        assert model["visibility"] == network.predicts_visibility
        assert model["pupils"] == network.predicts_pupils
        assert model["code_license"] == "Apache-2.0"
        assert "research" in model["weights_license"]


def test_says_what_else_a_network_predicts() -> None:
    facts = describe_model("tiny") | {"visibility": True, "pupils": True}
    assert "points      68 (ibug68), whether each is hidden, the pupils\n" in _summary(facts)


def test_says_so_when_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "WEIGHTS", {})
    assert "no networks come with this copy" in CliRunner().invoke(app, ["models"]).stdout


def sha256(path: Path) -> str:
    from hashlib import sha256 as digest

    return digest(path.read_bytes()).hexdigest()
