"""Networks of pixels and of classes train on two devices and by two workers as on one device.

Detectors and poses have tests of their own.
"""

import dataclasses
from pathlib import Path

import own_masks
import pytest
import several_devices
import tiny_run

from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.data.synthetic.shapes import write_shapes
from hrnet_tf.training.recipe import Recipe

SGD = {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 3, "batch_size": 4, "sync_norm": True}


def recipe_of(task: str, folder: Path) -> Recipe:
    """Three epochs over some drawings, judged after each."""
    if task == "segmentation":
        return own_masks.recipe(own_masks.write(folder / "set", 6), **SGD)
    shapes = write_shapes(folder / "set", 28, seed=0, size=(48, 48))
    values = {"arch": "w18", "input_size": (32, 32), "train_images": str(shapes), "held_out": 0.25}
    return ClassificationRecipe(**values, milestones=(), evaluate_every=1, **SGD)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_two_devices_or_workers_train_as_one_with_the_same_batch(task, tmp_path):
    """Also what they are judged by; only sums have another order."""
    recipe = recipe_of(task, tmp_path)
    if task == "segmentation":  # no padding: see the next test
        recipe = dataclasses.replace(recipe, scale_range=(1.0, 2.0))
    one, *others = several_devices.checkpoints(tiny_run.__file__, recipe, tmp_path)
    for several in others:
        found = several_devices.differences(one, several)
        assert max(found.values()) < 1e-4, found
        for row, wanted in zip(several.position.rows, one.position.rows, strict=True):
            kept = {name: value for name, value in wanted.items() if "per_second" not in name}
            assert {name: row[name] for name in kept} == pytest.approx(kept, abs=1e-4)


@pytest.mark.slow
def test_pixels_that_do_not_count_are_counted_on_each_device(tmp_path):
    """As in the original: each device has the mean of its own pixels, and those are averaged."""
    recipe = recipe_of("segmentation", tmp_path)
    one, two, workers = several_devices.checkpoints(tiny_run.__file__, recipe, tmp_path)
    assert max(several_devices.differences(two, workers).values()) < 1e-4
    losses = [[row["loss"] for row in each.position.rows] for each in (one, two)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-4)
    assert losses[0] == pytest.approx(losses[1], rel=0.2)
