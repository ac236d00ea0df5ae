"""Views of pictures and masks against samples of the original, with its random draws."""

import json

import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.labels.classes import (
    ADE20K,
    CITYSCAPES,
    COCO_STUFF,
    LIP,
    PASCAL_CONTEXT,
    PASCAL_CONTEXT_60,
)
from hrnet_tf.labels.label_values import IGNORED, UNKNOWN
from hrnet_tf.training.segmentation import augment
from hrnet_tf.training.segmentation.batches import _swap
from hrnet_tf.training.segmentation.masks import meaning
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

from places import FIXTURES

FOLDER = FIXTURES / "seg_augment"
CASES = {
    each["name"]: each for each in json.loads((FOLDER / "meta.json").read_text())["config"]["cases"]
}
TRAINING = [name for name in CASES if "val" not in name]
# Data set of a case -> classes, labels, resize.
SETS = {
    ("Cityscapes", 19): (CITYSCAPES, "cityscapes", "long"),
    ("LIP", 20): (LIP, "lip", "both"),
    ("PASCALContext", 59): (PASCAL_CONTEXT, "pascal_context", "short_long"),
    ("PASCALContext", 60): (PASCAL_CONTEXT_60, "pascal_context_60", "short_long"),
    ("ADE20K", 150): (ADE20K, "ade20k", "short_long"),
    ("COCOStuff", 171): (COCO_STUFF, "coco_stuff", "short_long"),
}


def recipe_of(case):
    classes, labels, resize = SETS[case["dataset"], case["num_classes"]]
    recipe = SegmentationRecipe(
        arch="w18",
        input_size=(64, 64),
        train_annotations="",
        train_images="",
        classes=classes,
        labels=labels,
        resize=resize,
        base_size=case["base_size"],
        scale_range=(0.5, 0.5 + case["scale_factor"] / 10),
        random_brightness=True,
    )
    object.__setattr__(
        recipe, "input_size", tuple(case["crop_size_hw"])
    )  # smaller than any network
    return recipe


def draws_of(case):
    """Scale index, corner, shift and mirroring that the code of the case has drawn."""
    draws = [draw[-1] for draw in case["draws"]]
    if case["dataset"] == "LIP":
        flip, scale, x, y = draws
        return scale, (y, x), 0, not flip
    scale, x, y, *rest, flip = draws
    return scale, (y, x), rest[1] if len(rest) == 2 else 0, not flip


@pytest.mark.parametrize("name", TRAINING)
def test_a_training_sample_is_that_of_the_original(name):
    case = CASES[name]
    with np.load(FOLDER / "data.npz") as data:
        pixels, label, picture, classes = (
            data[f"{name}/{each}"] for each in ("image", "label", "out_image", "out_label")
        )
    recipe = recipe_of(case)
    index, corner, shift, mirrored = draws_of(case)
    size = tf.constant([label.shape])
    first, scaled = augment.sizes(size, tf.constant([0.5 + index / 10], tf.float32), recipe)
    row = {"first": first[0], "scaled": scaled[0], "corner": tf.constant(corner)}
    row["mirrored"] = tf.constant(mirrored)
    # The crop has as many places as the original draws from.
    limits = [draw[2] for draw in case["draws"] if draw[0] == "randint"][1:3]
    room = np.maximum(scaled[0].numpy() - recipe.input_size, 0)
    assert room.tolist() == limits[::-1]
    row["shift"], row["color"] = tf.constant(float(shift)), tf.ones(3)
    meant = meaning(recipe.labels, "index", recipe.classes.palette)
    mask = meant.table[label]
    mask[mask == UNKNOWN] = IGNORED  # official files have no such numbers; we refuse them
    crop = augment.view(tf.constant(pixels), tf.constant(mask), row, recipe)
    batch = {name: each[None] for name, each in row.items()}
    levels, ours = (each[0] for each in augment.finished(crop[None], batch, recipe))
    if mirrored:
        ours = np.array(_swap(recipe))[ours]
    np.testing.assert_array_equal(ours, np.where(classes == UNKNOWN, IGNORED, classes))
    error = np.abs(levels.numpy() - picture.astype(int))
    assert error.max() <= 1 + (recipe.resize in ("both", "short_long"))
    assert np.mean(error > 0) < 0.3
