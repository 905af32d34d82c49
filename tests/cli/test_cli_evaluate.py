import hashlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facedots.cli.main import app
from facedots.errors import DataError, OutputError, WeightsError
from facedots.evaluation import protocol, report
from facedots.evaluation.result import Evaluation


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the drawn faces go, once for all tests."""
    return tmp_path_factory.mktemp("cache")


def run(cache: Path, *arguments: object) -> Result:
    words = ["evaluate", *map(str, arguments), "--data", "synthetic:20"]
    return CliRunner(env={"XDG_CACHE_HOME": str(cache)}).invoke(app, words)


def test_prints_scores_and_writes_the_report(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    result = run(cache, tiny_model, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (content["n"], content["missed"], content["skipped"]) == (2, 0, [])
    assert (content["model"], content["split"], content["boxes"], content["sources"]) == (
        "tiny",
        "synthetic",
        "ground-truth",
        [],
    )
    assert content["weights_sha256"] == hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    assert 0 < content["nme_mean_shape"] < content["nme"]
    assert f"{content['nme']:.2f} %" in result.stdout
    for path in (tmp_path / "out").iterdir():
        assert str(path) in result.stdout.splitlines()


def test_an_object_found_by_its_keypoints_alone_is_measured_end_to_end(
    tiny_model: Path, cache: Path, tmp_path: Path
) -> None:
    result = run(cache, tiny_model, "--detector", "single-object", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["boxes"] == "singleobjectdetector"
    assert content["n"] == 2


def test_scores_are_told_though_the_report_cannot_be_written(
    tiny_model: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "report.json").mkdir()
    result = run(cache, tiny_model, "--out", tmp_path)
    assert result.exit_code == 1
    assert "NME" in result.stdout
    for file in (tiny_model, tiny_model / "deeper"):
        result = run(cache, tiny_model, "--out", file)
        assert isinstance(result.exception, OutputError)
        assert "NME" not in result.stdout


def test_the_report_is_written_though_the_scores_cannot_be_printed(
    tiny_model: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("facedots.cli.evaluate._warn", closed)
    assert run(cache, tiny_model, "--out", tmp_path / "out").exit_code == 1
    assert Evaluation.load(tmp_path / "out").names
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_report_that_stops_leaves_none_of_two_networks(
    tiny_model: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OutputError("the disk is full")

    assert run(cache, tiny_model, "--out", tmp_path).exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr(report, "save_figure", full)
        assert run(cache, tiny_model, "--out", tmp_path).exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation.npz"]


def test_a_network_is_called_by_its_name_or_its_file(
    tiny_model: Path, cache: Path, tmp_path: Path
) -> None:
    for file, name in (("hands.onnx", "hands"), ("runs/v1.5/model.onnx", "v1.5")):
        copy = tmp_path / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_model, copy)
        for weights in {copy, copy.parent if copy.name == "model.onnx" else copy}:
            run(cache, weights, "--out", tmp_path / "out")
            assert json.loads((tmp_path / "out" / "report.json").read_text())["model"] == name


def test_a_report_keeps_no_figure_of_another(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "calibration.png").write_text("of another")
    (tmp_path / "mine.png").write_text("mine")
    run(cache, tiny_model, "--out", tmp_path)
    assert (tmp_path / "mine.png").exists()
    calibration = tmp_path / "calibration.png"
    assert not calibration.exists() or calibration.read_bytes()[:4] == b"\x89PNG"


def test_hidden_points_are_printed_where_labels_and_network_tell(
    tiny_model: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "as hidden" not in run(cache, tiny_model, "--out", tmp_path).stdout
    measure = protocol.evaluate_split

    def seeing(*arguments: Any, **options: Any) -> Evaluation:
        evaluation = measure(*arguments, **options)
        seen = np.tile(np.arange(68) > 16, (len(evaluation.names), 1)).astype(np.float32)
        return replace(evaluation, visible=seen, visibility=seen)

    monkeypatch.setattr(protocol, "evaluate_split", seeing)
    lines = run(cache, tiny_model, "--out", tmp_path).stdout.splitlines()
    (line,) = (line for line in lines if "points labeled as hidden" in line)
    assert "25.00 %" in line
    content = json.loads((tmp_path / "report.json").read_text())
    assert (content["visibility"]["hidden_auroc"], content["pupils"]) == (100, None)


def test_folder_of_a_run_stands_for_its_weights(
    tiny_model: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    result = run(cache, tmp_path / "run", "--out", tmp_path / "out")
    assert isinstance(result.exception, WeightsError)
    assert "facedots export" in str(result.exception)
    shutil.copy(tiny_model, tmp_path / "run" / "model.onnx")
    assert run(cache, tmp_path / "run", "--out", tmp_path / "out").exit_code == 0


def test_detector_measures_end_to_end(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    result = run(cache, tiny_model, "--out", tmp_path, "--detector", "haar")
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["boxes"] == "haar"
    assert content["n"] == 2
    assert len(content["missed_names"]) == content["missed"]


def test_nothing_to_evaluate_is_an_error(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    for image in cache.rglob("*.jpg"):
        image.write_bytes(b"")
    result = run(cache, tiny_model, "--out", tmp_path / "out")
    assert result.exit_code != 0
    assert isinstance(result.exception, DataError)
    assert "none of 2 faces could be measured" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_wrong_path_is_told_before_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("report", "protocol"):
        monkeypatch.setitem(sys.modules, f"facedots.evaluation.{module}", None)
    for words in (["evaluate", "tiny", "--out", "out"], ["compare", "tiny"]):
        result = CliRunner().invoke(app, [*words, "--data", "nowhere"])
        assert isinstance(result.exception, DataError)
        assert str(result.exception) == "nowhere: no such file or folder"


def test_unknown_weights_are_an_error(cache: Path, tmp_path: Path) -> None:
    result = run(cache, "nobody", "--out", tmp_path)
    assert isinstance(result.exception, WeightsError)
    assert "nobody: no such network" in str(result.exception)
