"""Crops, loss, schedule and one whole training step are those of the original."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.media.graph.pillow import resize
from hrnet_tf.networks.classification import classification
from hrnet_tf.patches.keras_normalization import fuse
from hrnet_tf.patches.keras_sgd import SGD
from hrnet_tf.tasks.classification.predictor import central_crop
from hrnet_tf.training.classification import augment
from hrnet_tf.training.classification.batches import _middle
from hrnet_tf.training.classification.losses import CrossEntropy
from hrnet_tf.training.classification.metrics import Confusion
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.loop.schedules import learning_rate
from hrnet_tf.weights.load import load_checkpoint

from golden import rule
from places import FIXTURES

RECIPE = ClassificationRecipe(
    arch="w18", input_size=(32, 32), train_images="", classes=("cat", "dog")
)


def fixture(name):
    folder = FIXTURES / name
    return json.loads((folder / "meta.json").read_text()), np.load(folder / "data.npz")


META, DATA = fixture("cls_pipeline")
CASES = {case["name"]: case for case in META["config"]["cases"]}


def near(ours, wanted):
    """The tolerance of the fixture: Pillow computes with integers."""
    difference = np.abs(np.asarray(ours).astype(int) - wanted)
    assert difference.max() <= 1 and difference.mean() < 0.15


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("val")])
def test_evaluation_crops_are_those_of_torchvision(name):
    """In the graph, and by the predictor, which uses Pillow."""
    image, wanted = DATA[f"{name}/image"], DATA[f"{name}/out"]
    whole, corner = _middle(tf.constant(image.shape[:2]), RECIPE)
    assert whole.numpy().tolist()[::-1] == CASES[name]["resized_wh"]
    near(resize(tf.constant(image), whole, corner, (32, 32)), wanted)
    np.testing.assert_array_equal(central_crop(image, (32, 32), RECIPE.card), wanted)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("train")])
def test_training_crops_are_those_of_torchvision(name):
    case = CASES[name]
    top, left = case["top"], case["left"]
    box = DATA["train/image"][top : top + case["height"], left : left + case["width"]]
    place = tf.constant((32, 32)), tf.zeros(2, tf.int32), (32, 32)
    crop = resize(tf.constant(box), *place, mirrored=case["flip"])
    near(crop, DATA[f"{name}/out"])


@pytest.mark.parametrize("case", META["config"]["box_sampling"])
def test_boxes_are_drawn_as_torchvision_draws_them(case):
    """From the same random numbers: areas and ratios until a box fits, then its place."""
    draws, rest = np.zeros((augment.TRIES, 4)), case["draws"]
    place = [] if len(rest) == 2 * augment.TRIES else rest[-2:]
    shapes = rest[: len(rest) - len(place)]
    for number in range(len(shapes) // 2):
        for column, (low, high, value) in enumerate(shapes[2 * number : 2 * number + 2]):
            draws[number, column] = (value - low) / (high - low)
    for column, (_, high, value) in enumerate(place, 2):
        draws[len(shapes) // 2 - 1, column] = (value + 0.5) / high
    size = tf.constant((case["height"], case["width"]))
    boxes = augment.tried(tf.constant(draws), 0.08, 4 / 3)
    found = augment.random_box(size, boxes, 4 / 3)
    assert found.numpy().tolist() == case["box_top_left_height_width"]


@pytest.mark.parametrize(("smoothing", "suffix"), [(0.0, ""), (0.1, "_smooth_0.1")])
def test_the_loss_and_its_gradient_are_those_of_pytorch(smoothing, suffix):
    logits = tf.Variable(DATA["eval/logits"].astype(np.float32))
    with tf.GradientTape() as tape:
        value = CrossEntropy(smoothing)(DATA["eval/target"], logits)
    np.testing.assert_allclose(value, DATA[f"eval/loss{suffix}"], rtol=1e-6)
    np.testing.assert_allclose(
        tape.gradient(value, logits), DATA[f"eval/grad{suffix}"], rtol=1e-4, atol=1e-7
    )


def test_accuracies_are_those_of_the_original():
    confusion = Confusion(30)
    for label, logits in zip(DATA["eval/target"], DATA["eval/logits"], strict=True):
        confusion.add(label, np.argsort(-logits.astype(float))[:5].tolist())
    numbers = confusion.numbers(5)
    found = [100 * numbers["top1"], 100 * numbers["top5"]]
    np.testing.assert_allclose(found, DATA["eval/top1_top5"], rtol=1e-9)


def test_the_rate_drops_where_the_original_means_it_to():
    """With PyTorch 1.1 or newer its drops come one epoch early."""
    rates = learning_rate(RECIPE, steps=7)
    _, data = fixture("schedules")
    for epoch, wanted in enumerate(data["cls/lr_by_epoch_intended"]):
        found = [float(rates(7 * epoch)), float(rates(7 * epoch + 6))]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_training_step_is_that_of_the_original():
    """Loss, gradients, statistics and weights after SGD; tolerances of the fixture."""
    meta, data = fixture("train_step_cls")
    keys = json.loads((FIXTURES / "cls_hrnet_w18_small_v1" / "keys.json").read_text())
    weights = rule.weights(keys, meta["config"]["gamma_gain"])
    nchw = rule.model_input(meta["config"]["input_name"], meta["config"]["input_shape_nchw"])
    images = tf.constant(nchw.transpose(0, 2, 3, 1))
    model = classification("w18_small_v1", input_shape=(96, 96, 3))
    load_checkpoint(model, weights)
    fuse(model)
    optimizer = SGD(0.05, 0.9, True, decay=1e-4)
    loss = CrossEntropy()

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            value = loss(data["target"], logits)
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return logits, value, gradients

    optimizer.build(model.trainable_variables)
    logits, value, gradients = step()
    np.testing.assert_allclose(value, data["losses"][0], rtol=1e-5)
    wanted = data["output"]
    found = np.asarray(logits).ravel()[:: meta["config"]["output_stride"]]
    assert np.abs(found - wanted).max() < 1e-3 * wanted.std()
    by_path = dict(zip((v.path for v in model.trainable_variables), gradients, strict=True))
    names = [key for key, *_ in keys if not key.split(".")[-1].startswith(("running", "num_"))]
    _check_gradients(names, by_path, data, meta)
    _check_variables(names, model, data)
    losses = [float(step()[1]), float(step()[1])]
    np.testing.assert_allclose(losses[0], data["losses"][1], rtol=1e-2)
    np.testing.assert_allclose(losses[1], data["losses"][2], rtol=5e-2)


def _torch(array):
    """PyTorch's layout of a Keras kernel or vector, raveled."""
    array = np.asarray(array)
    order = {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim)
    return (array.transpose(order) if order else array).ravel()


def _ours(names, values):
    """Key of PyTorch -> our value: a layer's first variable is its weight, the second its bias."""
    layers = {}
    for path in values:
        layers.setdefault(path.rsplit("/", 1)[0], []).append(path)
    found = {}
    for key in names:
        layer, kind = key.rsplit(".", 1)
        paths = layers[layer]
        found[key] = values[paths[0 if kind == "weight" else 1]]
    return found


def _check_gradients(names, by_path, data, meta):
    ours = _ours(names, by_path)
    idle = set(meta["config"]["parameters_without_gradient"])
    for key, wanted in zip(names, data["grad_norm"], strict=True):
        if key not in idle:
            norm = np.linalg.norm(_torch(ours[key]))
            np.testing.assert_allclose(norm, wanted, rtol=2e-2, err_msg=key)
    for name in (each for each in data.files if each.startswith("grad/")):
        key, wanted = name.removeprefix("grad/"), data[name]
        found = _torch(ours[key])[: len(wanted)]
        assert np.linalg.norm(found - wanted) < 5e-2 * np.linalg.norm(wanted), key


def _check_variables(names, model, data):
    """Weights after the step, and the moving statistics."""
    ours = _ours(names, {v.path: v for v in model.trainable_variables})
    for key, wanted in zip(names, data["params_after_step"], strict=True):
        found = _torch(ours[key])[:3]
        np.testing.assert_allclose(found, wanted[: len(found)], atol=2e-3, err_msg=key)
    norms = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
    norms = {layer.name: layer for layer in norms}
    order = [key.rsplit(".", 1)[0] for key in names if key.rsplit(".", 1)[0] in norms]
    for number, name in enumerate(dict.fromkeys(order)):
        mean, variance = norms[name].moving_mean[:4], norms[name].moving_variance[:4]
        np.testing.assert_allclose(mean, data["running_mean"][number], atol=3e-5, err_msg=name)
        np.testing.assert_allclose(variance, data["running_var"][number], rtol=3e-5, err_msg=name)
