"""Recipe pages of segmentation networks: the values of the originals' configurations."""

import dataclasses
import importlib
import inspect
import pkgutil

import pytest

from hrnet_tf.labels.classes import CLASS_SETS
from hrnet_tf.training.recipe import Recipe, load_recipe
from hrnet_tf.training.recipes import segmentation as recipes
from hrnet_tf.training.segmentation.losses import loss
from hrnet_tf.training.segmentation.published import rows
from hrnet_tf.training.segmentation.source import check

from places import ROOT

# Page, architecture, head, aligned corners, crop, base and rule, largest scale, batch, rate, decay,
# rate of the head, epochs, loss, published mean IoU.
ORIGINALS = """
cityscapes_w18_small_v1 w18_small_v1 concat no  512x1024 2048,long       2.1 12 .01  5e-4 1  484 cross_entropy 70.3
cityscapes_w18_small_v2 w18_small_v2 concat no  512x1024 2048,long       2.1 12 .01  5e-4 1  484 cross_entropy 76.2
cityscapes_w18          w18          concat no  512x1024 2048,long       2.1 12 .01  5e-4 1  484 cross_entropy 79.0
cityscapes_w48          w48          concat no  512x1024 2048,long       2.1 12 .01  5e-4 1  484 cross_entropy 81.1
cityscapes_w48_ocr      w48          ocr    yes 512x1024 2048,long       2.1 12 .01  5e-4 1  484 cross_entropy 81.6
pascal_context_w48      w48          concat no  480x480  520,long        2.1 16 .004 1e-4 1  200 cross_entropy 54.1
pascal_context_w48_ocr  w48          ocr    yes 520x520  520,short_long  2.1 16 .001 1e-4 10 200 cross_entropy 56.2
lip_w48                 w48          concat no  473x473  473,both        1.6 40 .007 5e-4 1  150 cross_entropy 55.83
lip_w48_ocr             w48          ocr    yes 473x473  473,both        1.6 40 .007 5e-4 1  150 cross_entropy 56.48
ade20k_w48              w48          concat yes 520x520  520,short_long  1.6 16 .02  1e-4 1  120 ohem          43.1
ade20k_w48_ocr          w48          ocr    yes 520x520  520,short_long  2.1 16 .02  1e-4 1  120 ohem          44.5
coco_stuff_w48          w48          concat yes 520x520  520,short_long  2.1 16 .001 1e-4 10 110 ohem          36.2
coco_stuff_w48_ocr      w48          ocr    yes 520x520  520,short_long  2.1 16 .001 1e-4 10 110 ohem          39.7
voc_w48                 w48          concat no  512x512  512,short       2.0 16 .01  5e-4 1  30  cross_entropy 75.87
"""  # noqa: E501
ROWS = {row.split()[0]: row.split()[1:] for row in ORIGINALS.strip().splitlines()}
OURS = {"own_masks", "synthetic_segmentation"}


@pytest.mark.parametrize("name", ROWS)
def test_a_page_has_the_values_of_its_original(name):
    recipe = load_recipe(name)
    base, rule = ROWS[name][4].split(",")
    found = [
        recipe.arch,
        recipe.head,
        "yes" if recipe.align_corners else "no",
        "x".join(map(str, recipe.input_size)),
        (recipe.base_size, recipe.resize),
        recipe.scale_range[1],
        recipe.batch_size,
        recipe.learning_rate,
        recipe.weight_decay,
        recipe.head_rate,
        recipe.epochs,
        recipe.loss,
        round(100 * recipe.expected.numbers["mIoU"], 2),
    ]
    wanted = [*ROWS[name][:4], (int(base), rule), *map(float, ROWS[name][5:11])]
    assert found == [*wanted, ROWS[name][11], float(ROWS[name][12])]
    values = (recipe.optimizer, recipe.momentum, recipe.nesterov, recipe.power, recipe.sync_norm)
    assert values == ("sgd", 0.9, False, 0.9, True)
    assert bool(recipe.class_weights) == name.startswith("cityscapes")


@pytest.mark.parametrize("name", sorted(set(ROWS) | OURS))
def test_a_page_is_complete(name):
    """It says how to run it, can be saved, and its classes fit its masks and its loss."""
    recipe = load_recipe(name)
    page = inspect.getdoc(importlib.import_module(f"{recipes.__name__}.{name}"))
    assert f"    hrnet-tf train {name} --workdir=runs/" in page and "Expected: " in page
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert recipe.classes == CLASS_SETS[recipe.classes.name]
    check(recipe)
    assert loss(recipe)
    again = recipe.for_card(recipe.card)
    assert again == dataclasses.replace(recipe, classes=again.classes)


def test_no_page_is_forgotten():
    assert {module.name for module in pkgutil.iter_modules(recipes.__path__)} == set(ROWS) | OURS


def test_the_docs_have_the_pages_numbers():
    text = ROOT.joinpath("docs", "train.md").read_text(encoding="utf-8")
    text = text.partition("\n## Segmentation\n")[2].partition("\n## ")[0]
    assert [line for line in text.splitlines() if line.startswith("|")] == rows()
    for row in ROWS.values():
        assert f"| {row[-1]} |" in text
