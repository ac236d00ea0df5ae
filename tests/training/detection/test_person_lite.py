"""The person detector for phones: its recipe, what it reads, and a small one from end to end."""

import dataclasses
import itertools
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.cards.files import save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.convert.options import Options
from hrnet_tf.convert.to_tflite import to_tflite
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec
from hrnet_tf.patches.keras_normalization import fuse
from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.detection.batches import batches, fcos_points
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.source import training_pictures
from hrnet_tf.training.detection.task import TRAINING
from hrnet_tf.training.evaluate import evaluate
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.weights.fit import TRUNK

SIZE = (96, 128)
STEPS = 60
pytestmark = pytest.mark.xdist_group("person_lite")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Eight drawings of people and things, of which the people count."""
    folder = tmp_path_factory.mktemp("people") / "set"
    write_dataset(folder, 8, seed=0, size=SIZE)
    data = {"annotations": str(folder / "instances.json"), "images": str(folder / "images")}
    values = {f"{use}_{kind}": value for use in ("train", "val") for kind, value in data.items()}
    return dataclasses.replace(
        load_recipe("person_lite"),
        arch=HRNetSpec(8, 1, 8, (1, 1, 1), 1, "final"),  # of fewest layers
        input_size=SIZE,
        sides=SIZE[::-1],
        scale_range=(1.0, 1.0),
        color_jitter=0.0,
        flip_probability=0.0,
        batch_size=8,
        **values,
    )


@pytest.fixture(scope="module")
def detector(recipe, tmp_path_factory):
    """A tiny one that has learned the drawings by heart, as a file."""
    keras.utils.set_random_seed(0)
    network = TRAINING.network(recipe)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.7  # in so few steps the averages would stay behind
    model = TRAINING.trainee(network, recipe)
    rate = keras.optimizers.schedules.CosineDecay(0.005, STEPS)
    fuse(model)
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=recipe.clip_norm)
    model.compile(optimizer, jit_compile=False)  # compiling would take longer than it saves
    data = batches(training_pictures(recipe), recipe, augment=False)
    model.fit(data.repeat(), steps_per_epoch=STEPS, shuffle=False, verbose=0)
    path = tmp_path_factory.mktemp("detector") / "person.keras"
    save_model(network, recipe.card, path)
    return path


def ap(model, recipe):
    predictor = hrnet_tf.predictor(model)
    scoring = recipe.data("val")
    found = evaluate(predictor, scoring.annotations, scoring.images, classes=scoring.classes)
    return found.numbers["AP"]


def test_only_people_are_read(recipe):
    """In training and in evaluation; without `only_classes`, other objects are an error."""
    content = json.loads(Path(recipe.train_annotations).read_text())
    people = sum(each["category_id"] == 1 for each in content["annotations"])
    assert 0 < people < len(content["annotations"])
    [(_, targets, _)] = batches(training_pictures(recipe), recipe, augment=False)
    there = np.asarray(targets["objects"])[..., 2] > 0
    assert there.sum() == people and not np.asarray(targets["classes"]).any()
    with pytest.raises(ValueError, match="none for thing"):
        training_pictures(dataclasses.replace(recipe, only_classes=False))


def test_points_are_those_of_the_network_s_levels(recipe):
    """Also at sides that are no multiple of 64; the coarsest level has no upper limit."""
    for height, width in ((320, 320), (96, 352)):
        places, limits = fcos_points((height, width), 4)
        arch = LiteHRNetSpec(8, (1, 1, 1), 1, weighting=False, stem=16)
        model = hrnet_tf.detection(arch, 1, "fcos_lite", (height, width, 3))
        cells = [x.shape[1] * x.shape[2] for x in model.output.values() if x.shape[-1] == 4]
        assert len(places) == sum(cells) and limits.max() == 1e8
        counts = [len(list(group)) for _, group in itertools.groupby(limits[:, 0].tolist())]
        assert counts == cells


def test_it_learns_drawings_by_heart(detector, recipe):
    assert ap(detector, recipe) >= 0.8


@pytest.mark.parametrize("suffix", [".keras", ".tflite"])
def test_it_finds_people_for_a_pose_network(detector, recipe, tmp_path, suffix):
    """`hrnet-tf predict photo.jpg --detector=FILE` with the file of either kind."""
    network = hrnet_tf.pose(HRNetSpec(8, 1, 8, (1, 1, 1), 1), (64, 64, 3))
    save_model(network, PoseCard(), tmp_path / "pose.keras")
    content = json.loads(Path(recipe.train_annotations).read_text())
    image = content["images"][0]
    own = [each for each in content["annotations"] if each["image_id"] == image["id"]]
    wanted = sorted(each["bbox"] for each in own if each["category_id"] == 1)
    picture, output = f"{recipe.train_images}/{image['file_name']}", tmp_path / "out"
    file = detector
    if suffix == ".tflite":
        options = Options(verify=False)
        file = to_tflite(detector, tmp_path / "x.tflite", options=options, report=lambda line: None)
    words = [f"--model={tmp_path / 'pose.keras'}", f"--detector={file}", f"--output={output}"]
    assert cli.main(["predict", picture, *words]) == 0
    found = json.loads((output / "results.json").read_text())
    boxes = sorted(each["bbox"] for each in found)
    assert len(boxes) == len(wanted)
    np.testing.assert_allclose(boxes, wanted, atol=6)


def test_the_layers_of_its_head_have_a_rate_of_their_own(recipe):
    """`head_rate` is for all that a checkpoint of another task lacks."""
    network = TRAINING.network(recipe)
    for layer in network.layers:
        if layer.weights:
            assert TRAINING.is_head(layer.name) == (not TRUNK.match(f"{layer.name}.")), layer.name


def test_the_page_describes_a_detector_of_phones():
    recipe = load_recipe("person_lite")
    assert isinstance(recipe, DetectionRecipe) and recipe.expected is None
    assert recipe.card.classes == ("person",) and recipe.card.sides == (320, 320)
    assert recipe.input_size == (320, 320)
