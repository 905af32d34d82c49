"""Recipes: loading, overrides, and all faults in one error."""

from pathlib import Path

import pytest

from facedots.errors import RecipeError
from facedots.training.finder import is_finder, load_finder_recipe
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
    path.write_text("model: huge\nepochs: many\ncolor: red\nsplit: disjoint:7\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    for part in ("r.yaml", "'huge'", "epochs", "color", "disjoint:7"):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1,\n", ""])
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"r\.yaml"):
        load_recipe(path)


def test_a_missing_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")
