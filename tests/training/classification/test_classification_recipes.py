"""Pages of classification recipes, their values, and their form in text and JSON."""

import dataclasses
import importlib
import inspect
import pkgutil
import re

import pytest

from hrnet_tf.labels.classes import IMAGENET
from hrnet_tf.presets import PRESETS
from hrnet_tf.training import scoring_options
from hrnet_tf.training.classification.published import table
from hrnet_tf.training.overrides import all_fields, override
from hrnet_tf.training.recipe import Recipe, load_recipe
from hrnet_tf.training.recipes import classification as recipes

from places import ROOT

# Error rates as the original's README prints them: top-1 / top-5.
PAPERS = """
imagenet_w18 23.2 6.6
imagenet_w30 21.8 5.8
imagenet_w32 21.5 5.8
imagenet_w40 21.1 5.5
imagenet_w44 21.1 5.6
imagenet_w48 20.7 5.5
imagenet_w64 20.5 5.4
imagenet_w18_small_v1 27.7 9.3
imagenet_w18_small_v2 24.9 7.6
"""
ROWS = {row.split()[0]: row.split()[1:] for row in PAPERS.strip().splitlines()}
OURS = {"own_classes", "synthetic_classification"}


@pytest.mark.parametrize("name", ROWS)
def test_a_page_has_the_values_of_the_original(name):
    recipe = load_recipe(name)
    assert recipe.arch == name.removeprefix("imagenet_") and recipe.input_size == (224, 224)
    assert (recipe.optimizer, recipe.momentum, recipe.nesterov) == ("sgd", 0.9, True)
    assert (recipe.weight_decay, recipe.learning_rate, recipe.batch_size) == (1e-4, 0.05, 128)
    assert (recipe.epochs, recipe.milestones, recipe.warmup_steps) == (100, (30, 60, 90), 0)
    assert (recipe.smallest_crop, recipe.stretch) == (0.08, 4 / 3)
    assert (recipe.label_smoothing, recipe.color_jitter, recipe.flip_probability) == (0, 0, 0.5)
    assert recipe.classes == IMAGENET.names and not recipe.weights
    errors = [100 - 100 * recipe.expected.numbers[each] for each in ("top1", "top5")]
    assert [f"{error:.1f}" for error in errors] == ROWS[name]


@pytest.mark.parametrize("name", sorted(set(ROWS) | OURS))
def test_a_page_is_complete(name):
    """It says how to run it, can be saved, and names nothing that is not there."""
    recipe = load_recipe(name)
    page = inspect.getdoc(importlib.import_module(f"{recipes.__name__}.{name}"))
    assert f"    hrnet-tf train {name} --workdir=runs/" in page and "Expected: " in page
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert not recipe.weights or recipe.weights in PRESETS
    options = scoring_options("classification")
    known = set(all_fields()) | {"workdir", "model", "output", "annotations", "images", "kind"}
    known |= {"num_images", "seed", *options.TABLES}
    assert set(re.findall(r"--(\w+)", page)) <= known


def test_no_page_is_forgotten():
    pages = {module.name for module in pkgutil.iter_modules(recipes.__path__)}
    assert pages == set(ROWS) | OURS


def test_the_docs_have_the_pages_numbers():
    assert table() in ROOT.joinpath("docs", "train.md").read_text(encoding="utf-8")


def test_classes_are_written_as_a_set_a_file_or_a_list(tmp_path):
    recipe = load_recipe("own_classes")
    file = tmp_path / "names.txt"
    file.write_text("left arrow\nright arrow\n")
    for text, wanted in (
        ("imagenet", IMAGENET.names),
        ("cat, dog", ("cat", "dog")),
        (str(file), ("left arrow", "right arrow")),
    ):
        changed = override(recipe, {"classes": text})
        assert changed.classes == wanted and Recipe.from_json(changed.to_json()) == changed
    assert '"classes": "imagenet"' in override(recipe, {"classes": "imagenet"}).to_json()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": "cats"}, "`classes` must be one of imagenet"),
        ({"classes": "cat,cat"}, "different from each other"),
        ({"smallest_crop": "0"}, "`smallest_crop` must be above 0"),
        ({"stretch": "0.5"}, "`stretch` must be at least 1"),
        ({"label_smoothing": "1"}, "`label_smoothing` must be below 1"),
        ({"held_out": "1"}, "`held_out` must be below 1"),
        ({"optimizer": "adam"}, "`weight_decay` must be 0 with Adam"),
        ({"optimizer": "sdg"}, "must be one of adam, sgd"),
    ],
)
def test_a_wrong_value_says_what_would_be_right(changes, message):
    with pytest.raises(ValueError, match=message):
        override(load_recipe("own_classes"), changes)


def test_the_card_is_how_the_recipe_cuts_pictures():
    recipe = dataclasses.replace(
        load_recipe("own_classes"), classes=("a", "b"), crop_fraction=0.9, interpolation="bicubic"
    )
    assert recipe.card.outputs() == {"logits": (2,)}
    assert load_recipe("imagenet_w18").for_card(recipe.card).card == recipe.card
