"""Networks of every kind that convert in seconds, with weights that make every layer matter."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from hrnet_tf.convert.graph.compute import compute, own_weights, tensors, unmarked
from hrnet_tf.convert.graph.faster import faster
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.convert.integers.simulate import rounded
from hrnet_tf.networks.classification import classification
from hrnet_tf.networks.features import feature_pyramid
from hrnet_tf.networks.pose import pose
from hrnet_tf.networks.segmentation import segmentation
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec
from hrnet_tf.runtime.converted import open_converted
from hrnet_tf.runtime.keras_model import named_outputs

HRNET = HRNetSpec(8, 1, 8, (1, 1, 1), 1)
LITE = LiteHRNetSpec(8, (1, 1, 1), 2, stem=16, reduction=4)
NAIVE = LiteHRNetSpec(8, (1, 1, 1), 2, weighting=False, stem=16)
SHAPE = (64, 64, 3)
NETWORKS = {
    "pose": lambda: pose(HRNET, SHAPE),
    "landmarks": lambda: pose(HRNET, SHAPE, 5, head="v2"),
    "lite": lambda: pose(LITE, SHAPE),
    "naive lite": lambda: pose(NAIVE, SHAPE),
    "align corners": lambda: segmentation(HRNET, 3, SHAPE, align_corners=True),
    "ocr": lambda: segmentation(HRNET, 3, SHAPE, head="ocr"),
    "classification": lambda: classification(HRNET, 7, SHAPE),
    "pyramid": lambda: feature_pyramid(HRNET, SHAPE),
}


def two_inputs():
    """An image and rows of numbers to three outputs: what a two-stage detector is like.

    The rows gate the channels of the image. One output, "rows", does not depend on the image.
    """
    image, boxes = keras.Input((16, 24, 3), name="image"), keras.Input((5, 4), name="boxes")
    x = layers.Conv2D(8, 3, 2, "same", use_bias=False, name="conv")(image)
    x = layers.ReLU()(layers.BatchNormalization(name="bn")(x))
    numbers = layers.Dense(8, activation="relu", name="dense")(layers.Flatten()(boxes))
    gate = layers.Dense(8, activation="sigmoid", name="gate")(numbers)
    y = layers.Multiply()([x, layers.Reshape((1, 1, 8))(gate)])
    z = layers.Conv2D(8, 3, padding="same", name="again")(layers.Concatenate()([y, x]))
    z = layers.Add()([z, y])
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(z), numbers])
    outputs = {
        "maps": z,
        "scores": layers.Dense(5, name="scores")(both),
        "rows": layers.Dense(6, name="rows")(boxes),
    }
    return keras.Model({"image": image, "boxes": boxes}, outputs, name="two_inputs")


def lively(model):
    """The model with weights that no two layers share and that let every layer matter."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        shape = weight.shape
        if "moving_variance" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, shape))
        elif "gamma" in weight.path:
            weight.assign(rng.uniform(0.3, 0.8, shape))
        elif len(shape) == 4:
            fan_in = shape[0] * shape[1] * (1 if "depthwise" in weight.path else shape[2])
            weight.assign(rng.normal(0, np.sqrt(2 / fan_in), shape))
        else:
            weight.assign(rng.normal(0, 0.1, shape))
    return model


def difference(ours, wanted):
    """The largest difference in standard deviations of what is wanted, of all outputs by name.

    A lone output may have another name.
    """
    ours, wanted = named_outputs(ours), named_outputs(wanted)
    if len(ours) == len(wanted) == 1:
        wanted = dict(zip(ours, wanted.values(), strict=True))
    assert ours.keys() == wanted.keys()
    pairs = [(np.asarray(ours[name]), np.asarray(each)) for name, each in wanted.items()]
    return max(np.abs(a - b).max() / b.std() for a, b in pairs)


def answers(path, images):
    """All outputs of a converted file by name, for images or for arrays by name."""
    arrays = images if isinstance(images, dict) else {"image": images}
    return open_converted(path, threads=1)(arrays)


def kept(model):
    """The outputs of a model that files have: those of OCR that are for training are left out."""
    return ["logits"] if "logits" in named_outputs(model.output) else None


def graph_of(model, shuffles=False):
    """What every file is made of; with `shuffles`, these are still there."""
    graph = merge_resizes(fold_norms(read_graph(model, kept(model))))
    return graph if shuffles else faster(graph)


def computed(graph, examples, weights=None, mark=unmarked):
    """All outputs of a graph by name."""
    weights = weights or own_weights(graph)
    call = tf.function(lambda x: compute(graph, x, weights, mark), autograph=False)
    return tf.nest.map_structure(np.asarray, call(dict(examples)))


def run(graph, examples, weights=None, mark=unmarked):
    """All outputs of a graph as one vector."""
    return vector(computed(graph, examples, weights, mark))


def simulated(plan, examples):
    """All outputs of a plan by name, computed with fake quantization."""
    return computed(plan.graph, examples, rounded(tensors(plan.weights)), plan.mark)


def vector(outputs):
    """Outputs by name as one vector."""
    return np.concatenate([np.ravel(outputs[name]) for name in sorted(outputs)])
