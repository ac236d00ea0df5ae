"""Losses and gradients of whole detectors against mmdetection's, with samples that are no draws."""

import numpy as np
import pytest
import tensorflow as tf
from whole_detectors import HEADS

import hrnet_tf
from hrnet_tf.training.detection.assign import centerness, points_targets
from hrnet_tf.training.detection.batches import fcos_points
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.sample import first_keys
from hrnet_tf.training.detection.trainee import trainee

SIZE = (256, 320)
# Names of the fixture's losses, and of ours.
NAMES = {
    "loss_rpn_cls": "rpn_class",
    "loss_rpn_bbox": "rpn_box",
    "loss_cls": "class_1",
    "loss_bbox": "box_1",
    "loss_mask": "mask_1",
    "loss_semantic_seg": "semantic",
}
FCOS = {"loss_cls": "class", "loss_bbox": "box", "loss_centerness": "centerness"}
RENAMES = (("neck.fpn_convs.", "fpn_conv."), ("neck.reduction_conv", "reduction_conv.0"))


def evenly(assigned, count, share, name):
    """The fixtures' choice: evenly spaced candidates for the RPN, otherwise the first ones."""
    if name != "rpn":
        return first_keys(assigned.shape[0])

    def keys(assigned):
        found = np.zeros(len(assigned), np.float32)
        positive, negative = (np.flatnonzero(x) for x in (assigned > 0, assigned == 0))
        wanted = min(int(count * share), len(positive))
        for rows, number in ((positive, wanted), (negative, count - wanted)):
            number = min(number, len(rows))
            found[rows[(np.arange(number) + 1) * len(rows) // max(number, 1) - 1]] = 1
        return found

    return tf.ensure_shape(tf.numpy_function(keys, [assigned], tf.float32), assigned.shape)


def layer_of(key):
    """The layer and the kind of weight that a parameter of mmdetection is here."""
    name, _, kind = key.rpartition(".")
    name = name.removeprefix("backbone.")
    for theirs, ours in RENAMES:
        if name.startswith(theirs):
            name = (ours + name.removeprefix(theirs)).removesuffix(".conv")
    return name, kind


def targets_of(reference, head):
    expected, facts = reference.expected, reference.meta["images"][0]
    objects = expected["gt/0/bboxes"]
    targets = {
        "objects": np.pad(objects, ((0, 3), (0, 0)))[None],
        "classes": np.pad(expected["gt/0/labels"].astype(np.int32), (0, 3))[None],
        "size": np.int32([facts["img_shape"]]),
        "seed": np.zeros((1, 2), np.int32),
    }
    if "gt/0/masks" in expected:
        masks = np.pad(expected["gt/0/masks"], ((0, 3), (0, 0), (0, 0)))
        targets |= {"masks": masks[None], "masked": np.ones((1, len(masks)), bool)}
    if head == "fcos":
        where, limits = fcos_points(SIZE)
        found = points_targets(targets["objects"][0], targets["classes"][0], where, limits, 80)
        targets |= {"point_classes": found[0][None], "distances": found[1][None]}
        targets["centerness"] = centerness(found[1])[None]
    return {name: tf.constant(each) for name, each in targets.items()}


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_losses_and_gradients(golden, head):
    reference = golden(HEADS[head])
    recipe = DetectionRecipe(
        arch="w18", input_size=SIZE, head=head, train_annotations="", train_images=""
    )
    network = hrnet_tf.detection("w18", 80, head, (*SIZE, 3))
    hrnet_tf.load_checkpoint(network, reference.weights())
    model = trainee(network, recipe)
    model.keys = evenly
    targets, image = targets_of(reference, head), tf.constant(reference.image())
    if "gt/0/sem_seg" in reference.expected:
        targets["semantic"] = tf.constant(reference.expected["gt/0/sem_seg"])[None, ::8, ::8]
    inputs = image if head == "fcos" else {"image": image, "boxes": targets["objects"]}
    variables = model.trainable_variables

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            found = model.losses_of(model(inputs, training=True), targets, tf.ones(1))
            loss = sum(found.values())
        values = [each.value for each in variables]
        return found, tape.gradient(loss, values, unconnected_gradients="zero")

    found, gradients = step()
    facts = reference.meta["loss"]
    for name, value in facts["values"].items():
        stage, _, part = name.rpartition(".")
        if "acc" in name:
            continue
        ours = NAMES.get(part, part) if head != "fcos" else FCOS[part]
        if stage:
            ours = f"{ours[:-1]}{int(stage[1:]) + 1}"
        np.testing.assert_allclose(found[ours], value, rtol=1e-4, err_msg=name)
    norms = {
        tuple(variable.path.rsplit("/", 1)): np.linalg.norm(np.asarray(tf.convert_to_tensor(each)))
        for variable, each in zip(variables, gradients, strict=True)
    }
    kinds = {"weight": ("kernel", "gamma"), "bias": ("bias", "beta"), "scale": ("kernel",)}
    largest = max(facts["gradient_norms"].values())
    checked = 0
    for key, norm in facts["gradient_norms"].items():
        layer, kind = layer_of(key)
        ours = [norms[layer, each] for each in kinds[kind] if (layer, each) in norms]
        assert ours, (key, layer)
        if norm > 1e-4 * largest:
            np.testing.assert_allclose(ours[0], norm, rtol=5e-3, err_msg=key)
            checked += 1
    assert checked > 50
