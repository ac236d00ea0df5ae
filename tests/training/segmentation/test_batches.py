"""Batches of crops and classes: what is in them, where they resume, parts, and TFRecords."""

import dataclasses

import numpy as np
import own_masks
import pytest
from PIL import Image

from hrnet_tf.labels.classes import LIP
from hrnet_tf.training.overrides import override
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.segmentation.batches import batches
from hrnet_tf.training.segmentation.records import write_recipe_pictures
from hrnet_tf.training.segmentation.source import annotated, held_out, training_pictures

PLAIN = {"scale_range": (1.0, 1.0), "flip_probability": 0.0}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return own_masks.recipe(own_masks.write(tmp_path_factory.mktemp("own"), 6), color_jitter=0.2)


def first(source, recipe, count=3, augment=True, **settings):
    data = batches(source, recipe, augment, **settings).take(count)
    return [[np.array(x) for x in batch] for batch in data]


def test_unaugmented_batches_are_the_middles_of_the_pictures(recipe):
    source = training_pictures(recipe)
    found = first(source, recipe, augment=False)
    assert [len(crops) for crops, *_ in found] == [4, 2]
    for number, (crops, classes) in enumerate(
        pair for batch in found for pair in zip(*batch[:2], strict=True)
    ):
        mask = own_masks.class_map(number)
        np.testing.assert_array_equal(classes, mask[4:36, 12:44])
        pixels = np.array(own_masks.picture_of(mask, number))[4:36, 12:44]
        np.testing.assert_array_equal(recipe.card.denormalize(crops), pixels)


def test_classes_follow_the_pixels_through_augmentation(recipe):
    """Colours tell the classes, so every crop can be checked by itself."""
    source = training_pictures(dataclasses.replace(recipe, color_jitter=0.0))
    colors = np.array(own_masks.COLORS) * 0.7 + 20
    for crops, classes, weights in first(source, dataclasses.replace(recipe, color_jitter=0.0), 6):
        assert weights.tolist() == [1] * 4
        pixels = recipe.card.denormalize(crops).astype(float)
        nearest = np.linalg.norm(pixels[..., None, :] - colors, axis=-1).argmin(axis=-1)
        inside = classes != 255
        assert (pixels[~inside] == 0).all() and inside.mean() > 0.1
        assert np.mean(nearest[inside] == classes[inside]) > 0.8  # borders are mixed


def test_batches_depend_on_the_step_alone(recipe):
    source = training_pictures(recipe)
    whole = first(source, recipe, 4)
    for ours, wanted in zip(first(source, recipe, 2, first_step=2), whole[2:], strict=True):
        for a, b in zip(ours, wanted, strict=True):
            np.testing.assert_array_equal(a, b)
    halves = [first(source, recipe, 1, parts=2, first_part=part)[0] for part in (0, 1)]
    for number in range(3):
        joined = np.concatenate([half[number] for half in halves])
        np.testing.assert_array_equal(joined, whole[0][number])
    assert not np.array_equal(whole[0][0], whole[1][0])


def test_records_give_the_same_batches(recipe, tmp_path):
    count, paths = write_recipe_pictures(recipe, str(tmp_path / "records"), 2)
    assert count == 6 and len(paths) == 2
    records = dataclasses.replace(recipe, train_records=f"{tmp_path}/records/*.tfrecord")
    pairs = (first(training_pictures(each), each, 3) for each in (recipe, records))
    for ours, wanted in zip(*pairs, strict=True):
        for a, b in zip(ours, wanted, strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="must have the 20 classes"):
        training_pictures(dataclasses.replace(records, classes=LIP))


def test_what_cannot_be_read_has_no_classes_and_is_named(recipe, tmp_path, capfd):
    data = own_masks.write(tmp_path, 4)
    recipe = own_masks.recipe(data)
    source = training_pictures(recipe)
    Image.fromarray(np.full((40, 56), 9, np.uint8)).save(tmp_path / "masks" / "1.png")
    (tmp_path / "images" / "2.png").write_bytes(b"cut")
    (_, classes, weights), *_ = first(source, recipe, augment=False)
    assert weights.tolist() == [1, 0, 0, 1] and (classes[1:3] == 255).all()
    told = capfd.readouterr().err
    assert "images/1.png" in told and "images/2.png" in told


def test_mirrored_pictures_exchange_left_and_right(tmp_path):
    data = own_masks.write(tmp_path, 4)
    pairs = dataclasses.replace(own_masks.CLASSES, flip_pairs=((1, 2),))
    always = own_masks.recipe(data, **PLAIN | {"flip_probability": 1.0})
    source = training_pictures(always)
    (_, before, _), *_ = first(source, always, 1)
    (_, after, _), *_ = first(source, dataclasses.replace(always, classes=pairs), 1)
    swap = np.array([0, 2, 1, *range(3, 256)])
    np.testing.assert_array_equal(swap[before], after)


def test_ocr_has_targets_for_both_outputs(recipe):
    ocr = dataclasses.replace(recipe, head="ocr")
    _, classes, weights = next(iter(batches(training_pictures(ocr), ocr, augment=True)))
    assert classes.keys() == weights.keys() == {"aux", "logits"}


def test_a_recipe_with_classes_of_ones_own_is_the_same_again(recipe, tmp_path):
    assert Recipe.from_json(recipe.to_json()) == recipe
    path = tmp_path / "plants.json"
    path.write_text('{"names": ["background", "leaf"]}')
    changed = override(recipe, {"classes": str(path), "input_size": "65,33"})
    assert changed.card.classes == ("background", "leaf")
    assert Recipe.from_json(changed.to_json()) == changed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_size": (16, 64)}, "`input_size` must be a height and a width, at least 32"),
        ({"scale_range": (2.0, 1.0)}, "`scale_range` must be a least and a largest"),
        ({"base_size": 100}, "`base_size` must be positive if `resize` is not none, 0 if it is"),
        ({"class_weights": (1.0,)}, "`class_weights` must be empty or 3 weights"),
        ({"loss": "lovasz"}, "`loss` must be one of cross_entropy, ohem"),
        ({"test_scales": ()}, "`test_scales` must be positive"),
        ({"test_size": (64,)}, "`test_size` must be empty or a height and a width"),
    ],
)
def test_values_that_no_run_could_use(recipe, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(recipe, **changes)


def test_held_out_pictures_are_read_once(recipe):
    pictures, judge = held_out(recipe)
    assert len(pictures) == len(judge.wanted) == 6
    assert len(annotated(recipe, "val").records) == 6
