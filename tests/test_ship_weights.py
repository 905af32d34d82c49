"""tools/ship_weights.py: what a model card says of a run and of the files of before."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import ship_weights
from docs_tables import disjoint_mean, table_of
from teacher import TAUGHT

from facedots.annotations.base import FaceAnnotation
from facedots.evaluation.metrics import measure_accuracy
from facedots.inference.weights import WEIGHTS
from facedots.schema import IBUG68
from facedots.training.recipe import load_recipe

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "tiny.yaml"
PACKED = {"sources": "custom", "styles": "300w,youtube-faces,fgnet", "epochs": 7}


def test_lines_on_disjoint_runs_are_kept_from_the_card(tmp_path: Path) -> None:
    lines = ship_weights.kept_disjoint(ROOT / "docs" / "models" / "small.md")
    about, *rows = lines
    assert about.startswith("- **Disjoint runs**: 2026-11-23, ")
    assert [row[:26] for row in rows] == [f"| youtube-faces disjoint:{k}" for k in range(5)]
    table = table_of("\n".join([ship_weights.TABLE_HEAD, *rows, ""]))
    assert disjoint_mean(table) == "3.78"
    assert ship_weights.kept_disjoint(tmp_path / "new.md") == []


def test_the_command_has_what_the_recipe_file_has_not() -> None:
    text = ship_weights.training_commands(load_recipe(RECIPE, {"workers": 5}), "tiny")
    assert text == "`facedots train recipes/tiny.yaml --data DIR --out RUN`"
    recipe = load_recipe(RECIPE, PACKED)
    pack, train = re.findall("`(.*?)`", ship_weights.training_commands(recipe, "tiny"))
    assert pack == "python tools/gpu_pack.py faces DIR"
    taught = recipe.model_copy(update={"trained_on": f"faces; {TAUGHT} large"})
    assert "faces DIR --teacher TEACHER`" in ship_weights.training_commands(taught, "tiny")
    words = shlex.split(train)[3:]
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options.pop("--data") == "/tmp/facedots-gpu/faces"
    assert options.pop("--out") == "RUN"
    fields = {name.strip("-").replace("-", "_"): text for name, text in options.items()}
    assert load_recipe(RECIPE, fields) == recipe


def test_faces_are_counted_by_their_labels() -> None:
    labeled = FaceAnnotation(Path("a.jpg"), np.zeros((68, 2), np.float32), "a.jpg")
    boxed = replace(labeled, points=labeled.points * np.nan, box=np.zeros(4, np.float32))
    assert ship_weights.count_faces([labeled, labeled]) == "2 faces"
    assert (
        ship_weights.count_faces(
            [labeled, labeled, boxed, boxed, *[replace(boxed, is_face=False)] * 3]
        )
        == "2 faces, 2 more by their boxes, 3 places without one"
    )


def test_the_card_of_a_run_without_disjoint_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.onnx").write_bytes(WEIGHTS["tiny"].read())
    (tmp_path / "recipe.yaml").write_text(load_recipe(RECIPE, PACKED).to_yaml())
    record = {"data": "synthetic:20", "faces": {"train": 16, "validation": 2, "test": 2}}
    record |= {"started": "2026-11-27T20:00", "git": "0123456789abcdef", "machine": "Linux"}
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    points = np.random.default_rng(0).uniform(0, 100, (2, 68, 2))
    scores = {"300-W": measure_accuracy(points, points, IBUG68)}
    kept = ship_weights.kept_disjoint(ROOT / "docs" / "models" / "tiny.md")
    card = ship_weights.model_card(tmp_path, "tiny", scores, kept)
    assert all(f"\n{line}\n" in card for line in kept)
    assert "; 16 faces, 2 more for validation" in card
    assert "trained 2026-11-27, revision 0123456789ab, Linux" in card
    table = table_of(card)
    assert next(iter(table)) == "300-W"
    assert disjoint_mean(table) == "4.07"
