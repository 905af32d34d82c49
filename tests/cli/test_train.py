"""The command train: parsing of the recipe and its fields, and refusals."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from facedots.cli.main import app
from facedots.cli.train import parse_arguments
from facedots.errors import RecipeError

RECIPE = str(Path(__file__).parents[2] / "recipes" / "small.yaml")


def refusal(*words: str) -> str:
    """The message of the command's error."""
    result = CliRunner().invoke(app, ["train", *words])
    assert isinstance(result.exception, RecipeError), result.output
    return str(result.exception)


def test_fields_and_recipe_come_in_any_order() -> None:
    expected = ("r.yaml", {"epochs": "2", "batch_size": "64", "loss": "wing"})
    assert (
        parse_arguments(["r.yaml", "--epochs", "2", "--batch-size=64", "--loss", "wing"])
        == expected
    )
    assert (
        parse_arguments(["--epochs", "2", "--batch-size=64", "r.yaml", "--loss", "wing"])
        == expected
    )


@pytest.mark.parametrize("words", [["r.yaml", "--epochs"], ["a.yaml", "b.yaml"]])
def test_options_without_value_and_two_recipes_are_refused(words: list[str]) -> None:
    with pytest.raises(RecipeError):
        parse_arguments(words)


def test_a_training_needs_data_and_a_folder() -> None:
    assert "--data and --out" in refusal(RECIPE)


def test_resume_takes_no_other_argument(tmp_path: Path) -> None:
    assert "takes no other argument" in refusal("--resume", str(tmp_path), "--epochs", "3")


def test_an_unknown_field_is_named(tmp_path: Path) -> None:
    assert "color" in refusal(
        RECIPE, "--data", "synthetic:20", "--out", str(tmp_path / "run"), "--color", "red"
    )
    assert not (tmp_path / "run").exists()


def test_the_fields_of_a_recipe_are_listed() -> None:
    result = CliRunner().invoke(app, ["train", "--fields"])
    assert result.exit_code == 0
    assert "--batch-size" in result.output


def test_a_finder_has_no_label_style(tmp_path: Path) -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "finder.yaml"
    (tmp_path / "recipe.yaml").write_bytes(recipe.read_bytes())
    options = ["--out", str(tmp_path / "a.onnx"), "--label-style", "300w"]
    result = CliRunner().invoke(app, ["export", str(tmp_path), *options])
    assert str(result.exception) == f"{tmp_path}: a finder, which has no --label-style"


@pytest.mark.parametrize(("name", "kind"), [("a.onnx", "a network already"), ("a.zip", "a file")])
def test_what_is_no_run_is_not_gone_on_with(tmp_path: Path, name: str, kind: str) -> None:
    file = tmp_path / name
    file.write_bytes(bytes(300_000))
    result = CliRunner().invoke(app, ["export", str(file), "--out", str(tmp_path / "b.onnx")])
    assert str(result.exception) == f"{file}: {kind}; export takes the folder of a run"
    result = CliRunner().invoke(app, ["train", "--resume", str(tmp_path / name)])
    assert str(result.exception) == f"{tmp_path / name}: {kind}; --resume takes the folder of a run"
