"""Recipes: read, overridden, refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from neuralpedal.contract.errors import SpecError
from neuralpedal.train.recipe import FRAME_SAMPLES, SHIPPED, Recipe, read_recipe


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


@pytest.mark.parametrize("fields", [{}, {"family": "gru"}, {"family": "frame_lstm"},
                                    {"family": "frame_lstm", "frame_samples": 32, "streams": 5}])
def test_a_written_recipe_is_complete_and_reads_back_the_same(tmp_path: Path, fields: dict[str, Any]) -> None:
    recipe = read_recipe(None, epochs=4, hidden_size=12, **fields)
    recipe.write(tmp_path / "recipe.yaml")
    assert read_recipe(tmp_path / "recipe.yaml") == recipe
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text()).keys() == Recipe.model_fields.keys()


@pytest.mark.parametrize("family", ["lstm", "gru", "rnn"])
def test_all_streaming_families_share_their_defaults(family: str) -> None:
    recipe = read_recipe(None, family=family)
    assert recipe == Recipe(family=family, minutes=10)
    assert recipe.network(48_000).frame_samples is None


@pytest.mark.parametrize("frame", [None, 32])
def test_a_network_with_a_frame_has_small_updates_that_begin_with_a_full_frame(frame: int | None) -> None:
    recipe = read_recipe(None, family="frame_lstm", frame_samples=frame)
    assert recipe.network(48_000).frame_samples == (frame or FRAME_SAMPLES)
    assert recipe.warm_up_samples == (frame or FRAME_SAMPLES) - 1
    assert recipe.streams * recipe.chunk_samples * recipe.frame_samples <= 2**16 and recipe.chunks_per_segment == 1


def test_what_a_file_or_an_option_says_wins_over_a_familys_defaults(tmp_path: Path) -> None:
    path = tmp_path / "frame.yaml"
    path.write_text("family: frame_lstm\nframe_samples: 32\nminutes: 2\nstreams: 7\nwarm_up_samples:\n")
    recipe = read_recipe(path, chunk_samples=99)
    assert (recipe.frame_samples, recipe.streams, recipe.chunk_samples) == (32, 7, 99)
    # A field without a value says nothing.
    assert recipe.warm_up_samples == 31
    assert read_recipe(path, frame_samples=16).warm_up_samples == 15


@pytest.mark.parametrize(("text", "named"), [
    ("hidden_sise: 16\nminutes: 1", "hidden_sise"),
    ("hidden_size: 0\nminutes: 1", "hidden_size"),
    ("hidden_size: many\nminutes: 1", "hidden_size"),
    ("minutes: -1", "minutes"),
    ("minutes: 1\nepochs: 1", "one of them"),
    ("hidden_size: 16", "one of them"),
    ("family: frame_lstm\nframe_samples: long\nminutes: 1", "frame_samples"),
    ("family: frame_lstm\nframe_samples: 5000\nminutes: 1", "frame_samples"),
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


def test_a_family_that_is_unknown_or_streams_with_a_frame_is_no_network() -> None:
    rows = (({"family": "organ"}, "organ"), ({"family": "gru", "frame_samples": 32}, "carries its state"))
    for fields, message in rows:
        with pytest.raises(SpecError, match=message):
            read_recipe(None, **fields).network(48_000)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="nowhere"):
        read_recipe(tmp_path / "nowhere.yaml")
