"""Layers of the heads that people put on a trunk: files compute what Keras computes."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.graph.fold import fold_norms
from hrnet_tf.convert.graph.layers.table import EQUAL
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.runtime.converted import open_converted

from tiny_networks import difference, lively

SHAPE = (9, 12, 8)


def _conv(x, **arguments):
    return layers.Conv2D(8, 1, **arguments)(x)


def _nested(x):
    inner = keras.Input(x.shape[1:])
    y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(inner))
    other = keras.Model(inner, {"a": y, "b": layers.ReLU()(y)})
    chain = keras.Sequential([layers.Conv2D(4, 1), layers.ReLU(6.0)])
    found = other(x, training=False)
    return ops.concatenate([chain(found["a"]), chain(found["b"])], -1)


def _soft_argmax(x):
    """Rows and columns of each map's mean, as in integral regression."""
    height, width, channels = x.shape[1:]
    share = ops.softmax(ops.reshape(x, (-1, height * width, channels)), 1)
    places = np.indices((height, width)).reshape(2, 1, -1, 1).transpose(1, 2, 3, 0)
    return ops.sum(ops.expand_dims(share, -1) * places.astype("float32"), 1)


HEADS = {
    "relu6": lambda x: layers.ReLU(6.0)(_conv(x)),
    "relu of other limits": lambda x: layers.ReLU(2.0, 0.1, 0.5)(_conv(x)),
    "leaky": lambda x: layers.LeakyReLU()(_conv(x)),
    "silu": lambda x: _conv(x, activation="silu"),
    "tanh": lambda x: _conv(x, activation="tanh"),
    "gelu": lambda x: _conv(x, activation="gelu"),
    "elu": lambda x: _conv(x, activation="elu"),
    "mish": lambda x: _conv(x, activation="mish"),
    "softplus": lambda x: _conv(x, activation="softplus"),
    "hard_sigmoid": lambda x: layers.Activation("hard_sigmoid")(x),
    "prelu": lambda x: layers.PReLU(shared_axes=[1, 2])(_conv(x)),
    "deconv": lambda x: layers.Conv2DTranspose(8, 4, 2, "same")(x),
    "deconv valid": lambda x: layers.Conv2DTranspose(5, 3, 2, activation="relu")(x),
    "deconv without a bias": lambda x: layers.Conv2DTranspose(
        5, 4, padding="valid", use_bias=False, activation="hard_sigmoid"
    )(x),
    "deconv of classes": lambda x: layers.Conv2DTranspose(5, 2, 2, activation="softmax")(x),
    "deconv dilated": lambda x: layers.Conv2DTranspose(5, 3, dilation_rate=2)(x),
    "deconv padded": lambda x: layers.BatchNormalization()(
        layers.Conv2DTranspose(5, 3, 2, "same", output_padding=1, use_bias=False)(x)
    ),
    "softplus of large numbers": lambda x: layers.Activation("softplus")(100.0 * x),
    "mish of large numbers": lambda x: layers.Activation("mish")(100.0 * x),
    "one minus a transposed": lambda x: 1.0 - ops.relu(ops.transpose(x, (0, 3, 1, 2))),
    "one over a transposed": lambda x: 1.0 / (1.5 + ops.relu(ops.transpose(x, (0, 3, 1, 2)))),
    "reciprocal": lambda x: ops.reciprocal(2.5 + layers.Permute((2, 1, 3))(ops.tanh(x))),
    "separable": lambda x: layers.SeparableConv2D(8, 3, padding="same", activation="relu")(x),
    "separable multiplied": lambda x: layers.SeparableConv2D(8, 3, depth_multiplier=2)(x),
    "depth multiplier": lambda x: layers.BatchNormalization()(
        layers.DepthwiseConv2D(3, depth_multiplier=3)(x)
    ),
    "dilated depthwise": lambda x: layers.DepthwiseConv2D(3, dilation_rate=2)(x),
    "groups": lambda x: layers.Conv2D(8, 3, 2, groups=4)(x),
    "max pool": lambda x: layers.MaxPooling2D()(x),
    "max pool same": lambda x: layers.MaxPooling2D(3, 2, "same")(x),
    "average pool same": lambda x: layers.AveragePooling2D(3, 2, "same")(x),
    "global max": lambda x: layers.GlobalMaxPooling2D()(x),
    "dense": lambda x: layers.BatchNormalization()(
        layers.Dense(4)(layers.ReLU()(layers.GlobalAveragePooling2D()(x)))
    ),
    "norm of a vector": lambda x: layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x)),
    "add three": lambda x: layers.Add()([_conv(x), _conv(x), x]),
    "average": lambda x: layers.Average()([_conv(x), x]),
    "maximum": lambda x: layers.Maximum()([_conv(x), x]),
    "subtract": lambda x: layers.Subtract()([_conv(x), x]),
    "other ranks": lambda x: layers.Multiply()([x, layers.GlobalAveragePooling2D()(x)]),
    "resizing": lambda x: layers.Resizing(20, 17)(x),
    "resizing nearest": lambda x: layers.Resizing(20, 17, "nearest")(x),
    "cropping": lambda x: layers.Cropping2D(1)(x),
    "layer norm": lambda x: layers.LayerNormalization()(x),
    "rows": lambda x: layers.BatchNormalization(axis=1)(_conv(x)),
    "groups of columns": lambda x: layers.GroupNormalization(4, axis=2)(x),
    "softmax over rows": lambda x: layers.Softmax(axis=1)(x),
    "relu op": lambda x: ops.relu(_conv(x)),
    "sigmoid op": lambda x: ops.sigmoid(_conv(x)),
    "concatenate": lambda x: ops.concatenate([_conv(x), x], -1),
    "concatenate rows": lambda x: layers.Concatenate(1)([_conv(x), x]),
    "divide": lambda x: _conv(x) / 2.0,
    "one minus": lambda x: 1.0 - _conv(x, activation="sigmoid"),
    "twice": lambda x: 2.0 * _conv(x),
    "one over": lambda x: 1.0 / (1.5 + _conv(x, activation="sigmoid")),
    "by channel": lambda x: x - np.arange(8, dtype="float32"),
    "slice": lambda x: _conv(x)[..., :3],
    "slice of steps": lambda x: x[:, ::2, 1:-1, 2:5],
    "mean": lambda x: ops.mean(x, (1, 2)),
    "mean of channels": lambda x: ops.mean(x, -1, keepdims=True),
    "norm": lambda x: ops.normalize(x, -1),
    "flip": lambda x: _conv(ops.flip(x, -1)),
    "mirror": lambda x: ops.flip(x, 2),
    "split": lambda x: ops.split(_conv(x), 2, -1),
    "argmax": lambda x: ops.argmax(x, -1),
    "transpose": lambda x: ops.transpose(x, (0, 3, 1, 2)),
    "clip": lambda x: ops.clip(x, -0.5, 0.5),
    "rescaling": lambda x: _conv(layers.Rescaling(1 / 127.5, -1.0)(x)),
    "normalization": lambda x: layers.Normalization(mean=[*range(8)], variance=[2.0] * 8)(x),
    "noise": lambda x: layers.Dropout(0.5)(layers.GaussianNoise(1.0)(layers.RandomFlip()(x))),
    "nested": _nested,
    "soft argmax": _soft_argmax,
    "one more axis": lambda x: ops.max(ops.reshape(_conv(x), (-1, 9, 96, 1)), 1),
    "axes in place": lambda x: layers.Permute((1, 2))(layers.Reshape((108, 8))(_conv(x))),
}


def built(name):
    """A network whose head is one of `HEADS`."""
    keras.utils.set_random_seed(0)
    image = keras.Input(SHAPE, name="image")
    return lively(keras.Model(image, HEADS[name](image)))


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_converted_as_keras_computes_it(tmp_path, name):
    model = built(name)
    images = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype("float32")
    graph, path = fold_norms(read_graph(model)), tmp_path / "head.tflite"
    want = model(images, training=False)
    for precision, limit in (("float32", 2e-5), ("float16", 1e-2)):
        path.write_bytes(tflite(graph, precision))
        network = open_converted(path, threads=1)
        assert [*network.outputs] == [*graph.outputs]
        assert difference(network({"image": images}), want) < limit


def test_layers_that_do_nothing_in_prediction_do_nothing_in_keras():
    """The nodes leave them out, so Keras must return what it was given."""
    given = {"RandomRotation": (0.1,), "RandomZoom": (0.1,), "RandomTranslation": (0.1, 0.1)}
    given |= {"RandomShear": (0.1, 0.1), "RandomPosterization": (4,)}
    numbers = ("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout2D")
    numbers += ("RandomContrast", "RandomBrightness", "RandomHue", "RandomSaturation")
    numbers += ("RandomSharpness", "RandomInvert", "RandomGrayscale", "RandomColorDegeneration")
    images = np.random.default_rng(0).normal(0, 99, (2, 8, 8, 3)).astype("float32")
    for name in EQUAL - {"SpatialDropout1D", "SpatialDropout3D"}:
        layer = getattr(layers, name)(*given.get(name, (0.2,) if name in numbers else ()))
        image = keras.Input(images.shape[1:])
        model = keras.Model(image, layers.Identity()(layer(image)))
        assert np.array_equal(model(images, training=False), images), name


REFUSED = {
    "resizing smoothly": (
        lambda x: ops.image.resize(x, (4, 5), antialias=True),
        "resize.*a Resize",
    ),
    "resizing cubic": (lambda x: layers.Resizing(18, 24, "bicubic", name="big")(x), "big: a Resi"),
    "erfinv": (lambda x: ops.erfinv(x), "erfinv.*: a Erfinv"),
    "mixed images": (lambda x: ops.mean(x, 0, keepdims=True) + x, "mean.*: a Mean"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_tflite_has_not_is_refused_by_the_name_of_the_layer(name):
    head, message = REFUSED[name]
    image = keras.Input(SHAPE, name="image")
    with pytest.raises(ValueError, match=message) as error:
        tflite(fold_norms(read_graph(keras.Model(image, head(image)))), "float32")
    assert "\n" not in str(error.value)


STEPS = ("argmax", "relu of other limits")  # small errors become large ones


@pytest.mark.parametrize("name", HEADS)
def test_a_head_in_int8_is_near_or_refused_by_name(tmp_path, name):
    images = np.random.default_rng(1).normal(size=(12, *SHAPE)).astype("float32")
    model, path = built(name), tmp_path / "head.tflite"
    want = model(images, training=False)
    path.write_bytes(tflite(fold_norms(read_graph(model)), "int8", {"image": images}))
    found = open_converted(path, threads=1)({"image": images})
    if name not in STEPS:
        assert difference(found, want) < 0.3
