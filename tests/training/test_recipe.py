"""Recipes: loading, overrides, and all faults in one error."""

from pathlib import Path

import pytest
import torch

from facedots.errors import RecipeError, TrainingError
from facedots.inference.weights import is_finder
from facedots.training.finder import load_finder_recipe
from facedots.training.hardware import choose_device, use_bf16
from facedots.training.recipe import load_recipe

FILES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
RECIPES = [path for path in FILES if not is_finder(path)]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_published_recipes_load_and_survive_a_round_trip(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)
    copy = tmp_path / "copy.yaml"
    copy.write_text(recipe.to_yaml())
    assert load_recipe(copy) == recipe
    assert recipe.license
    assert recipe.trained_on or recipe.sources == (
        "custom",
    )  # the card then names the path of the data


def test_the_published_recipe_of_the_finder_loads() -> None:
    (path,) = set(FILES) - set(RECIPES)
    recipe = load_finder_recipe(path)
    assert recipe.license
    assert recipe.trained_on


def test_overrides_are_read_from_strings(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("model: small\n")
    recipe = load_recipe(path, {"epochs": "2", "sources": "youtube-faces,300w", "lr": "1e-4"})
    assert (recipe.epochs, recipe.sources, recipe.lr) == (2, ("youtube-faces", "300w"), 1e-4)


def test_every_fault_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("model: huge\nepochs: many\ncolor: red\nsplit: disjoint:7\n1: 2\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    for part in ("r.yaml", "model: 'huge' is none of", "epochs", "color", "disjoint:7", "  1: "):
        assert part in str(caught.value)


def test_faults_of_the_finders_recipe_are_listed_by_line(tmp_path: Path) -> None:
    path = tmp_path / "finder.yaml"
    path.write_text("model: finder\ncanvas: 100\ncolor: red\n")
    with pytest.raises(RecipeError) as caught:
        load_finder_recipe(path)
    title, *faults, names = str(caught.value).splitlines()
    assert title == f"{path}: invalid recipe"
    assert faults == [
        "  canvas: Input should be a multiple of 32",
        "  color: Extra inputs are not permitted",
    ]
    assert names.startswith("fields: model, epochs, canvases,")


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1,\n", ""])
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    for load in (load_recipe, load_finder_recipe):
        with pytest.raises(RecipeError, match=r"r\.yaml"):
            load(path)


def test_a_missing_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_first_device_that_is_there(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == expected
    assert choose_device("cpu") == "cpu"


def test_a_device_that_is_not_there_is_an_error_with_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        TrainingError, match=r"device cuda is not there: torch .* has .*cpu; instal"
    ):
        choose_device("cuda")


def test_bf16_is_never_chosen_where_it_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert not use_bf16("auto", "cpu")
    assert not use_bf16("auto", "mps")
    assert use_bf16("bf16", "cpu")


def test_styles_of_a_pack_replace_the_sources() -> None:
    recipe = load_recipe("recipes/tiny.yaml", {"sources": "custom", "styles": "fgnet,300w"})
    assert (recipe.label_styles, recipe.exported_style) == (("fgnet", "300w"), "300w")
