"""Recipes: read, overridden, refused."""

from pathlib import Path

import pytest

from neuralpedal.contract.errors import SpecError
from neuralpedal.train.recipe import SHIPPED, read_recipe


def test_the_shipped_recipe_is_the_default() -> None:
    assert read_recipe(None) == read_recipe("standard")
    assert [read_recipe(name).minutes for name in SHIPPED] == [3, 10, 30]


def test_a_budget_option_replaces_the_files_other_budget() -> None:
    recipe = read_recipe(None, epochs=3)
    assert (recipe.epochs, recipe.minutes) == (3, None)


def test_options_override_the_file_and_none_overrides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("minutes: 2\nhidden_size: 24\nseed: 7\n")
    recipe = read_recipe(path, hidden_size=8, seed=None)
    assert (recipe.hidden_size, recipe.seed, recipe.minutes) == (8, 7, 2)


def test_a_written_recipe_reads_back_the_same(tmp_path: Path) -> None:
    recipe = read_recipe(None, epochs=4, hidden_size=12)
    recipe.write(tmp_path / "recipe.yaml")
    assert read_recipe(tmp_path / "recipe.yaml") == recipe


@pytest.mark.parametrize(("text", "named"), [
    ("hidden_sise: 16\nminutes: 1", "hidden_sise"),
    ("hidden_size: 0\nminutes: 1", "hidden_size"),
    ("hidden_size: many\nminutes: 1", "hidden_size"),
    ("minutes: -1", "minutes"),
    ("minutes: 1\nepochs: 1", "one of them"),
    ("hidden_size: 16", "one of them"),
    ("minutes: 1\nemphasized_esr_weight: 0", "nothing to learn"),
    ("- a\n- b", "table"),
    ("a: [", "not YAML"),
    ("", "table"),
])
def test_a_bad_recipe_is_refused_by_file_and_field(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=rf"bad\.yaml.*{named}"):
        read_recipe(path)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="nowhere"):
        read_recipe(tmp_path / "nowhere.yaml")
