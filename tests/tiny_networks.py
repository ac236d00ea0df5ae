"""Networks of every kind that convert in seconds, with weights that make every layer matter."""

import keras
import numpy as np
import tensorflow as tf

from hrnet_tf.convert.graph.compute import compute, own_weights
from hrnet_tf.convert.graph.faster import faster
from hrnet_tf.convert.graph.nodes import fold_norms, merge_resizes, read_graph
from hrnet_tf.networks.classification import classification
from hrnet_tf.networks.features import feature_pyramid
from hrnet_tf.networks.pose import pose
from hrnet_tf.networks.segmentation import segmentation
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec
from hrnet_tf.runtime.converted import open_converted

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
    """The largest difference in standard deviations of what is wanted, of all outputs by name."""
    wanted = wanted.get("logits", wanted) if isinstance(wanted, dict) else wanted
    pairs = zip(keras.tree.flatten(ours), keras.tree.flatten(wanted), strict=True)
    return max(np.abs(np.asarray(a) - np.asarray(b)).max() / np.asarray(b).std() for a, b in pairs)


def answers(path, images):
    """All outputs of a converted file by name, for images or for arrays by name."""
    arrays = images if isinstance(images, dict) else {"image": images}
    return open_converted(path, threads=1)(arrays)


def graph_of(model, shuffles=False):
    """What every file is made of; with `shuffles`, these are still there."""
    graph = merge_resizes(fold_norms(read_graph(model)))
    return graph if shuffles else faster(graph)


def run(graph, images, weights=None):
    """All outputs of a graph as one vector."""
    outputs = tf.function(lambda x: compute(graph, x, weights or own_weights(graph)))(images)
    return np.concatenate([np.ravel(each) for each in tf.nest.flatten(outputs)])
