"""Losses and their gradients against the original's; what it cannot do."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.training.segmentation.losses import PixelLoss, loss
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

from places import FIXTURES

FOLDER = FIXTURES / "seg_loss"
CONFIG = json.loads((FOLDER / "meta.json").read_text())["config"]
CASES = {each["name"]: each for each in CONFIG["cases"]}
OFFICIAL = [name for name in CASES if not name.startswith("mmseg")]


@pytest.fixture(scope="module")
def data():
    with np.load(FOLDER / "data.npz") as found:
        return dict(found)


def losses_of(case):
    """The losses of the outputs of a case, in their order."""
    settings = {"align_corners": case["align_corners"]}
    settings["class_weights"] = CONFIG["class_weights"] if case["class_weights"] else ()
    hard = {"threshold": case.get("thres", 0.9), "kept": max(1, case.get("min_kept", 1))}
    main = PixelLoss("ohem" if "ohem" in case["name"] else "cross_entropy", **settings, **hard)
    aux = PixelLoss("sum" if "ohem" in case["name"] else "cross_entropy", scale=0.4, **settings)
    return [aux, main][-len(case["logits"]) :]


@pytest.mark.parametrize("name", OFFICIAL)
def test_losses_and_gradients_are_those_of_the_original(data, name):
    """Where it has none, as without a pixel that counts, ours are 0."""
    case = CASES[name]
    label = data.get(case["label"], np.full_like(data["label"], 255))
    logits = [data[each].astype(np.float32).transpose(0, 2, 3, 1) for each in case["logits"]]
    logits = [tf.constant(each) for each in logits]
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = sum(f(label, x) for f, x in zip(losses_of(case), logits, strict=True))
    gradients = tape.gradient(found, logits)
    wanted = case.get("loss", "nan")
    np.testing.assert_allclose(found, 0 if wanted == "nan" else wanted, rtol=2e-6)
    for gradient, key in zip(gradients[::-1], ("grad", "grad_aux"), strict=False):
        theirs = data.get(f"{name}/{key}")
        ours = gradient.numpy().transpose(0, 3, 1, 2)
        if theirs is not None:
            np.testing.assert_allclose(ours, theirs, atol=2e-6 * np.abs(theirs).max() + 1e-9)
        assert np.isfinite(ours).all() and (wanted != "nan" or not ours.any())


def test_the_recipe_chooses_the_losses():
    files = {"train_annotations": "", "train_images": ""}
    recipe = SegmentationRecipe(arch="w18", input_size=(64, 64), head="ocr", loss="ohem", **files)
    found = loss(recipe)
    assert (found["aux"].kind, found["aux"].scale, found["logits"].kind) == ("sum", 0.4, "ohem")
    again = keras.losses.deserialize(keras.losses.serialize(found["logits"]))
    assert again.get_config() == found["logits"].get_config()


def test_dice_and_focal_prefer_what_they_are_for():
    """Dice: a rare class that is found at all. Focal: easy pixels hardly count."""
    label = np.zeros((1, 8, 8), np.uint8)
    label[0, 0, 0] = 1
    nothing = np.zeros((1, 8, 8, 2), np.float32)
    nothing[..., 0] = 4
    found = nothing.copy()
    found[0, 0, 0] = (0, 4)
    values = {
        kind: [float(PixelLoss(kind)(label, each)) for each in (nothing, found)]
        for kind in ("cross_entropy", "dice", "focal")
    }
    gain = {kind: before - after for kind, (before, after) in values.items()}
    assert gain["dice"] > gain["cross_entropy"] + 0.3
    assert values["focal"][1] < 0.01 * values["cross_entropy"][1]


def test_losses_are_float32_from_half_precision():
    value = PixelLoss()(np.zeros((1, 4, 4), np.uint8), tf.zeros((1, 2, 2, 3), tf.float16))
    assert value.dtype == tf.float32 and float(value) == pytest.approx(np.log(3))
