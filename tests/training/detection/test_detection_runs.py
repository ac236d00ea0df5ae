"""Runs of detectors: from drawings to a model that opens, interrupted or not."""

import csv
import dataclasses
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import several_devices
import tensorflow as tf
import tiny_detectors
from PIL import Image

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.training import train
from hrnet_tf.training.detection import task
from hrnet_tf.training.detection import trainee as trainees
from hrnet_tf.training.detection.batches import _point_targets
from hrnet_tf.training.detection.trainee import PointsTrainee, RegionsTrainee, trainee
from hrnet_tf.training.loop import resume
from hrnet_tf.training.loop.callbacks import Count

EVERYTHING = {"ema": 0.8, "accumulation": 2, "clip_norm": 0.1, "precision": "mixed_float16"}
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return tiny_detectors.write_recipe(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def small(monkeypatch):
    tiny_detectors.shrink(monkeypatch.setattr)


@pytest.fixture
def traces(monkeypatch):
    """After each step, how often the losses have been traced."""
    found, counted = [0], []
    for kind in (PointsTrainee, RegionsTrainee):

        def losses_of(self, *args, original=kind.losses_of):
            found[0] += 1
            return original(self, *args)

        monkeypatch.setattr(kind, "losses_of", losses_of)
    count = Count.on_train_batch_end

    def on_train_batch_end(self, batch, logs=None):
        count(self, batch, logs)
        counted.append(found[0])

    monkeypatch.setattr(Count, "on_train_batch_end", on_train_batch_end)
    return counted


def same_end(first, second):
    one, other = (resume.newest(run / "checkpoints", pytest.fail) for run in (first, second))
    assert one.position == other.position and one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)
    assert (first / "history.csv").read_bytes() == (second / "history.csv").read_bytes()


HEADS = [
    pytest.param("mask_rcnn", id="mask_rcnn"),
    *(
        pytest.param(head, id=head, marks=slow)
        for head in ("fcos", "faster_rcnn", "cascade_rcnn", "cascade_mask_rcnn", "htc")
    ),
]


@pytest.mark.parametrize("head", HEADS)
def test_a_run_from_drawings_to_a_detector(recipe, head, small, traces, tmp_path):
    """It trains, evaluates, saves, predicts, and no step is traced again."""
    recipe = dataclasses.replace(recipe, head=head, evaluate_every=2, clip_norm=35.0)
    path = train.train(recipe, tmp_path / "run", distribute="none")
    with open(tmp_path / "run" / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    masks = head in ("mask_rcnn", "cascade_mask_rcnn", "htc")
    assert len(rows) == 2 and float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert 0 < float(rows[1]["val_loss"]) < 100 and 0 <= float(rows[1]["AP"]) <= 1
    assert ("AP mask" in rows[1]) == masks
    assert len(traces) == 4 and len(set(traces)) == 1
    image = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    predictor = hrnet_tf.predictor(path, score_threshold=0.0)
    found = predictor(image)
    assert predictor.card.classes == ("person", "thing") and len(found.boxes) > 0
    assert (found.masks is not None) == masks
    assert keras.models.load_model(path).count_params() > 0


@pytest.mark.parametrize(
    "changes",
    [pytest.param({}, id="plain", marks=slow), pytest.param(EVERYTHING, id="everything")],
)
def test_ctrl_c_ends_the_step_and_the_same_command_goes_on(
    recipe, changes, small, interrupt, tmp_path
):
    """To the bit: weights, optimizer, averages, history; in the middle of an epoch."""
    recipe = dataclasses.replace(recipe, **changes)
    train.train(recipe, tmp_path / "quiet", distribute="none", deterministic=True)
    interrupt(3)
    with pytest.raises(KeyboardInterrupt, match="Stopped after step 3"):
        train.train(recipe, tmp_path / "broken", distribute="none", deterministic=True)
    train.train(recipe, tmp_path / "broken", distribute="none", deterministic=True)
    same_end(tmp_path / "quiet", tmp_path / "broken")


@slow
@pytest.mark.parametrize("head", ["fcos", "faster_rcnn", "mask_rcnn", "cascade_mask_rcnn"])
def test_a_run_that_is_killed_ends_as_if_it_had_not_been(recipe, head, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(dataclasses.replace(recipe, head=head).to_json())
    command = [sys.executable, tiny_detectors.__file__, str(path)]
    quiet = subprocess.Popen([*command, tmp_path / "quiet"], stdout=subprocess.DEVNULL)
    for kill in (True, False):
        left = 3  # steps before it is killed; the next one may be half done
        with subprocess.Popen(
            [*command, tmp_path / "killed"], stdout=subprocess.PIPE, text=True
        ) as run:
            for line in run.stdout:
                left -= line.startswith("saved")
                if kill and not left:
                    run.kill()
        assert (run.returncode != 0) == kill
    assert quiet.wait() == 0
    same_end(tmp_path / "quiet", tmp_path / "killed")


@pytest.mark.parametrize("head", ["fcos", pytest.param("mask_rcnn", marks=slow)])
def test_shares_of_a_loss_are_its_parts(recipe, head, small, monkeypatch):
    """Divisors are counted over all devices, so the losses of two halves add up to the whole."""
    recipe = task.TRAINING.settle(dataclasses.replace(recipe, head=head))
    model = trainee(task.network(recipe), recipe)
    batch = next(iter(task.TRAINING.batches(task.TRAINING.source(recipe), recipe, True)))
    numbers = []

    def total(number):  # -1: of this part alone
        given = totals[len(numbers)]
        numbers.append(number)
        return tf.where(given < 0, number, given)

    @tf.function
    def losses_of(batch, given):
        nonlocal totals
        totals = given
        numbers.clear()
        inputs, targets, weights = batch
        return model.losses_of(model(inputs), targets, weights), tf.stack(numbers)

    totals, alone = None, -tf.ones(9)
    monkeypatch.setattr(trainees, "total", total)
    halves = [tf.nest.map_structure(lambda x, i=i: x[i : i + 2], batch) for i in (0, 2)]
    whole, wanted = losses_of(batch, alone)
    together = sum(losses_of(half, alone)[1] for half in halves)
    np.testing.assert_allclose(together, wanted, rtol=1e-6)
    padded = tf.pad(together, [[0, 9 - len(together)]])
    parts = [losses_of(half, padded)[0] for half in halves]
    for name, loss in whole.items():
        np.testing.assert_allclose(sum(part[name] for part in parts), loss, rtol=1e-5)


@slow
@pytest.mark.parametrize("head", ["fcos", "mask_rcnn"])
def test_two_devices_or_workers_train_as_one_with_the_same_batch(recipe, head, tmp_path):
    """Losses are divided by numbers of all devices, and samples do not depend on the device.

    What is left is the order of sums, 1e-7 of each: seen after four steps was 3e-5 of the largest
    value of a variable.
    """
    changes = {"sync_norm": True, "optimizer": "sgd", "learning_rate": 1e-3, "clip_norm": 1.0}
    recipe = dataclasses.replace(recipe, head=head, **changes)
    one, *others = several_devices.checkpoints(tiny_detectors.__file__, recipe, tmp_path)
    assert len(one.arrays) > 30 and one.position.step == 4
    for several in others:
        found = several_devices.differences(one, several)
        assert max(found.values()) < 2e-4, found


@slow
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_regions_in_16_bits(recipe, precision, small, tmp_path):
    recipe = dataclasses.replace(recipe, head="mask_rcnn", precision=precision, epochs=1)
    path = train.train(recipe, tmp_path / "run", distribute="none")
    with open(tmp_path / "run" / "history.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert 0 < float(row["loss"]) < 20
    assert keras.models.load_model(path).dtype_policy.name == "float32"


@pytest.mark.parametrize("head", ["fcos", "mask_rcnn"])
def test_losses_are_finite_whatever_the_objects_are(recipe, head, small):
    """No objects, 500 of them, tiny ones, ones as large as the image; and so are the gradients."""
    recipe = task.TRAINING.settle(dataclasses.replace(recipe, head=head))
    source = task.TRAINING.source(recipe)
    model = trainee(task.network(recipe), recipe)
    most = 500
    corner = np.random.default_rng(0).uniform(0, 60, (most, 2)).astype(np.float32)
    many = np.concatenate([corner, corner + np.float32([3, 2])], axis=1)
    cases = {"none": [], "many": many, "tiny": [[5, 5, 6, 6]], "whole": [[0, 0, 96, 64]]}
    boxes = np.zeros((4, most, 4), np.float32)
    for row, own in zip(boxes, cases.values(), strict=True):
        row[: len(own)] = np.reshape(own, (-1, 4))
    big = dataclasses.replace(source, most=most)
    inputs, targets, weights = next(iter(task.TRAINING.batches(big, recipe, True)))
    if head == "fcos":
        batch = {"objects": tf.constant(boxes), "classes": targets["classes"]}
        targets |= _point_targets(batch, recipe)
    targets["objects"] = tf.constant(boxes)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            losses = model.losses_of(model(inputs, training=True), targets, weights)
            loss = sum(losses.values())
        values = [each.value for each in model.trainable_variables]
        return losses, tape.gradient(loss, values, unconnected_gradients="zero")

    losses, gradients = step()
    assert all(np.isfinite(each).all() for each in losses.values())
    assert all(np.isfinite(each).all() for each in gradients)
    assert sum(float(each) for each in losses.values()) < 100


def write_objects(folder, boxes, masks):
    """Annotations of four pictures of 96x64, each with these boxes (x, y, w, h)."""
    folder.mkdir()
    images, annotations = [], []
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 96, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 64})
        for x, y, w, h in boxes:
            own = {"id": len(annotations), "image_id": number, "category_id": 1 + x % 2}
            own |= {"bbox": [x, y, w, h], "area": w * h, "iscrowd": 0}
            if masks:
                own["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
            annotations.append(own)
    content = {"images": images, "annotations": annotations}
    content["categories"] = [{"id": 1, "name": "person"}, {"id": 2, "name": "thing"}]
    (folder / "instances.json").write_text(json.dumps(content))
    data = {"train_annotations": str(folder / "instances.json"), "train_images": str(folder)}
    return {**data, "val_annotations": "", "val_images": ""}


@slow
@pytest.mark.parametrize("head", ["fcos", "mask_rcnn"])
@pytest.mark.parametrize("objects", ["500", "none"])
def test_runs_with_500_objects_in_an_image_or_with_none(recipe, head, objects, small, tmp_path):
    """Each view of half the size leaves less than a pixel of the only object: it shows none."""
    places = np.random.default_rng(0).integers(0, 55, (500, 2)).tolist()
    boxes = [(x, y, 9, 7) for x, y in places] if objects == "500" else [(40, 30, 1.5, 1.5)]
    paths = write_objects(tmp_path / "set", boxes, masks=head == "mask_rcnn")
    changes = {"sides": (48, 32), "scale_range": (1.0, 1.0)} if objects == "none" else {}
    recipe = dataclasses.replace(recipe, head=head, **paths, **changes)
    settled = task.TRAINING.settle(recipe)
    source = task.TRAINING.source(settled)
    assert source.most == len(boxes)
    _, targets, weights = next(iter(task.TRAINING.batches(source, settled, True)))
    assert targets["objects"].numpy().any() == (objects == "500") and weights.numpy().all()
    path = train.train(recipe, tmp_path / "run", distribute="none")
    with open(tmp_path / "run" / "history.csv", newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 2 and all(0 < each < 100 for each in losses)
    weights = keras.models.load_model(path).get_weights()
    assert all(np.isfinite(each).all() for each in weights)


def test_the_page_of_inspect(recipe, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(dataclasses.replace(recipe, head="mask_rcnn").to_json())
    assert cli.main(["inspect", str(path), f"--output={tmp_path}/look", "--count=4"]) == 0
    page = (tmp_path / "look" / "index.html").read_text()
    assert page.count("<img") == 4 and "person" in page and "with a mask" in page
