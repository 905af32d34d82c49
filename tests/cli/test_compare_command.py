import json
from pathlib import Path

import onnx
import pytest
from onnx.helper import set_model_props
from typer.testing import CliRunner, Result

from facedots.cli.main import app
from facedots.errors import DataError


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the drawn faces go, once for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def report(tiny_model: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report on two drawn faces."""
    folder = tmp_path_factory.mktemp("reports") / "first"
    result = run(cache, "evaluate", tiny_model, "--data", "synthetic:20", "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def run_folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training run, with another network and a log."""
    folder = tmp_path_factory.mktemp("run")
    model = onnx.load(tiny_model)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    set_model_props(
        model,
        {**properties, "facedots.spec": properties["facedots.spec"].replace('"tiny"', '"other"')},
    )
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "logs").mkdir()
    (folder / "logs" / "metrics.csv").write_text("epoch,train_loss,val_nme\n0,3,9\n1,2,5\n")
    return folder


def run(cache: Path, *arguments: object) -> Result:
    return CliRunner(env={"XDG_CACHE_HOME": str(cache)}).invoke(app, [*map(str, arguments)])


def test_a_report_and_a_run_stand_side_by_side(
    report: Path, run_folder: Path, cache: Path, tmp_path: Path
) -> None:
    page = tmp_path / "new" / "page.html"
    result = run(cache, "compare", report, run_folder, "--data", "synthetic:20", "--out", page)
    assert result.exit_code == 0, result.output
    assert str(page) in result.stdout
    html = page.read_text(encoding="utf-8")
    assert f"Comparison of tiny and {run_folder.name}" in html
    assert ">Training</h2>" in html
    assert "Not comparable" not in html


def test_one_report_is_enough_and_can_be_named(report: Path, cache: Path, tmp_path: Path) -> None:
    result = run(cache, "compare", f"before={report}", "--out", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert "Report on before" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_other_faces_are_refused_unless_asked_for(
    report: Path, tiny_model: Path, cache: Path, tmp_path: Path
) -> None:
    words = [
        "compare",
        report,
        f"more={tiny_model}",
        "--data",
        "synthetic:30",
        "--out",
        tmp_path / "page.html",
    ]
    refused = run(cache, *words)
    assert isinstance(refused.exception, DataError)
    assert "tiny and more were measured on different faces" in str(refused.exception)
    assert "--force" in str(refused.exception)
    assert not (tmp_path / "page.html").exists()
    allowed = run(cache, *words, "--force")
    assert allowed.exit_code == 0, allowed.output
    assert "Not comparable: tiny and more" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "different faces" in allowed.stderr


def test_weights_need_data(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    result = run(cache, "compare", tiny_model, "--out", tmp_path / "page.html")
    assert isinstance(result.exception, DataError)
    assert "give --data DIR" in str(result.exception)


def test_the_report_of_a_run_knows_its_training(
    run_folder: Path, cache: Path, tmp_path: Path
) -> None:
    result = run(cache, "evaluate", run_folder, "--data", "synthetic:20", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert ">Training</h2>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report.json").read_text())["model"] == run_folder.name
