"""Networks that people build on ours or beside ours: converted truthfully, or refused by name."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.files import conversion_card, read_card, save_model
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.convert.layer_report import layer_report
from hrnet_tf.convert.options import Options
from hrnet_tf.convert.reports.compare import compare
from hrnet_tf.convert.source import open_source
from hrnet_tf.convert.to_onnx import Options as ONNXOptions
from hrnet_tf.convert.to_onnx import to_onnx
from hrnet_tf.convert.to_tflite import to_tflite
from hrnet_tf.convert.verify import verify
from hrnet_tf.networks.segmentation import segmentation

from tiny_networks import HRNET, answers, difference, lively

SHAPE = (32, 32, 3)
IMAGES = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")
LEVELS = IMAGES * 60 + 120  # grey levels
CARD = SegmentationCard(classes=("ground", "thing"), palette=((0, 0, 0), (255, 0, 0)))
QUIET = {"report": lambda line: None}


def trunk(x):
    x = layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def network(head=None, shape=SHAPE, **names):
    image = keras.Input(shape, name="image")
    x = trunk(image)
    return lively(keras.Model(image, head(x) if head else layers.Conv2D(2, 1)(x), **names))


def _nested():
    base, image = network(), keras.Input(SHAPE)
    return keras.Model(image, base(image, training=False))


def _shared():
    image = keras.Input(SHAPE)
    block = keras.Sequential([layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()])
    return lively(keras.Model(image, block(layers.ReLU()(block(image)))))


def _in_front(make):
    def build():
        image = keras.Input(SHAPE)
        return lively(keras.Model(image, layers.Conv2D(2, 3, 2, "same")(make(image))))

    return build


def _adapted(x):
    layer = layers.Normalization()
    layer.adapt(LEVELS)
    return layer(x)


def _rounded():
    model = network(lambda x: layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    model.quantize("int8", filters=lambda layer: isinstance(layer, layers.Dense))
    return model


def _of_policy(policy):
    def build():
        keras.config.set_dtype_policy(policy)
        try:
            return network()
        finally:
            keras.config.set_dtype_policy("float32")

    return build


def _averaged():
    model = network()
    model.compile(keras.optimizers.SGD(0.1, use_ema=True), "mse")
    model.train_on_batch(IMAGES, np.zeros((3, 16, 16, 2)))
    return model


def _channels_first(x):
    x = layers.MaxPooling2D(data_format="channels_first")(layers.Permute((3, 1, 2))(x))
    return layers.Conv2D(2, 1)(layers.Permute((2, 3, 1))(x))


class Own(layers.Layer):
    """A layer that is not registered."""

    def call(self, x):
        return 0.5 * x


class Inner(keras.Model):
    """A model with code of its own."""

    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(2, 1)

    def call(self, x):
        return ops.tanh(self.conv(x))


# Name -> network, and what its file may differ by in standard deviations.
RIGHT = {
    "nested": (_nested, 1e-5),
    "in a sequential one": (lambda: keras.Sequential([keras.Input(SHAPE), network()]), 1e-5),
    "shared": (_shared, 1e-5),
    "rescaling": (_in_front(layers.Rescaling(1 / 127.5, -1.0)), 1e-5),
    "normalization": (_in_front(layers.Normalization(mean=(9, 5, 1), variance=(3, 2, 9))), 1e-5),
    "adapted": (_in_front(_adapted), 1e-5),
    "flip": (_in_front(lambda x: ops.flip(x, -1)), 1e-5),
    "augmented": (_in_front(lambda x: layers.RandomZoom(0.3)(layers.RandomFlip()(x))), 1e-5),
    "one minus": (lambda: network(lambda x: 1.0 - layers.Conv2D(2, 1)(x)), 1e-5),
    "rounded by Keras": (_rounded, 0.02),  # Keras rounds what the layer takes, too
    "half": (_of_policy("mixed_float16"), 0.02),
    "bfloat": (_of_policy("mixed_bfloat16"), 0.1),
    "double": (_of_policy("float64"), 1e-5),
    "averaged": (_averaged, 1e-5),
    "channels first": (lambda: network(_channels_first), 1e-5),
    "rows": (lambda: network(lambda x: layers.BatchNormalization(axis=1)(x)), 1e-5),
    "own layer": (lambda: network(lambda x: Own()(layers.Conv2D(2, 1)(x))), 1e-5),
    "own model": (lambda: network(lambda x: Inner()(x)), 1e-5),
    "lambda": (lambda: network(lambda x: layers.Lambda(lambda y: 2 * y)(x)), 1e-5),
    "dictionary": (
        lambda: network(lambda x: {"logits": layers.Conv2D(2, 1)(x), "edge": x[..., :1]}),
        1e-5,
    ),
    "list": (lambda: network(lambda x: [layers.Conv2D(2, 1)(x), ops.argmax(x, -1)]), 1e-5),
    "the same twice": (lambda: network(lambda x: {"a": x, "b": x}), 1e-5),
    "the image": (lambda: network(lambda x: {"a": x, "b": layers.Identity()(x)}), 1e-5),
    "grey": (lambda: network(shape=(32, 32, 1)), 1e-5),
    "four channels": (lambda: network(shape=(32, 32, 4)), 1e-5),
    "softmax over rows": (lambda: network(layers.Softmax(1)), 1e-5),
    "unrolled": (
        lambda: network(lambda x: layers.GRU(3, unroll=True)(layers.Reshape((16, 128))(x))),
        1e-5,
    ),
    "recurrent": (lambda: network(lambda x: layers.LSTM(3)(layers.Reshape((16, 128))(x))), 1e-5),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_keras_model_becomes_a_file_that_computes_the_same(tmp_path, name):
    """Models are taken as they are, not only files of them."""
    build, limit = RIGHT[name]
    keras.utils.set_random_seed(0)
    model = build()
    path = to_tflite(model, tmp_path / "a.tflite", options=Options(verify=False), **QUIET)
    shape = open_source(model).inputs["image"]
    images = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    images = images if name not in ("adapted", "normalization", "rescaling") else LEVELS
    assert difference(answers(path, images), model(images, training=False)) < limit


def test_what_onnx_has_not_is_refused_by_the_name_of_the_layer(tmp_path):
    pytest.importorskip("tf2onnx")
    model = network(lambda x: ops.erfinv(x))
    with pytest.raises(
        ValueError, match=r"erfinv[^ ]*: a Erfinv cannot be written as ONNX"
    ) as error:
        to_onnx(model, tmp_path / "a.onnx", options=ONNXOptions(verify=False), **QUIET)
    assert "\n" not in str(error.value) and not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "name", ["nested", "own model", "dictionary", "one minus", "grey", "rows", "channels first"]
)
def test_a_keras_model_becomes_an_onnx_file_that_computes_the_same(tmp_path, name):
    pytest.importorskip("tf2onnx")
    model = RIGHT[name][0]()
    path = to_onnx(model, tmp_path / "a.onnx", options=ONNXOptions(verify=False), **QUIET)
    images = np.random.default_rng(0).normal(size=(3, *model.input.shape[1:])).astype("float32")
    assert difference(answers(path, images), model(images, training=False)) < 1e-5


@pytest.mark.parametrize(
    ("size", "options"), [((65, 97), {"nchw": True}), ((72, 104), {"batch": 1})], ids=str
)
def test_onnx_files_of_sizes_that_are_no_multiples_of_32(tmp_path, size, options):
    pytest.importorskip("tf2onnx")
    model = lively(segmentation(HRNET, 2, (*size, 3)))
    options = ONNXOptions(verify=False, **options)
    path = to_onnx(model, tmp_path / "a.onnx", options=options, **QUIET)
    images = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    assert difference(answers(path, images), model(images, training=False)) < 1e-4


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_onnx_files_resize_to_the_size_where_a_scale_would_be_rounded_to_another(tmp_path, method):
    pytest.importorskip("tf2onnx")
    sizes = {"a": (13, 15), "b": (14, 10), "c": (3, 29), "d": (49, 41)}
    image = keras.Input((7, 12, 3))
    resized = {name: layers.Resizing(*size, method)(image) for name, size in sizes.items()}
    model = keras.Model(image, resized)
    path = to_onnx(model, tmp_path / "a.onnx", options=ONNXOptions(verify=False), **QUIET)
    images = np.random.default_rng(0).normal(size=(2, 7, 12, 3)).astype("float32")
    assert difference(answers(path, images), model(images)) < 1e-5


def _two_images():
    left, right = keras.Input(SHAPE, name="left"), keras.Input(SHAPE, name="right")
    return keras.Model([left, right], layers.Conv2D(2, 1)(layers.Concatenate()([left, right])))


def _by_call():
    model = Inner()
    model(IMAGES)
    return model


REFUSED = {
    "quantized to 4 bits": (
        lambda: _quantized("int4"),
        "dense: a Dense that Keras has quantized to int4",
    ),
    "quantized to float8": (
        lambda: _quantized("float8"),
        "dense: a Dense that Keras has quantized to float8",
    ),
    "own model alone": (_by_call, r"an? Inner whose inputs are not known.*keras.Model\(image"),
    "unbuilt": (lambda: keras.Sequential([layers.Conv2D(2, 1)]), r"Begin it with keras.Input"),
    "nested outputs": (lambda: network(lambda x: {"a": {"b": x}}), "'a' holds several"),
    "names": (lambda: network(name="my net"), "Received: name='my net'"),
    "two images": (_two_images, "must be those that the network's card describes"),
    "open size": (lambda: network(shape=(None, None, 3)), "takes images of any size"),
    "half open": (lambda: network(shape=(32, None, 3)), "takes images of any size"),
    "not finite": (
        lambda: network(lambda x: ops.log(ops.relu(-x) - 1.0)),
        "not finite.*first layer that differs is log",
    ),
    "batches": (
        lambda: network(lambda x: ops.reshape(x, (-1, 16))),
        "reshape[^ ]*: a Reshape cannot be converted",
    ),
}


def _quantized(kind):
    head = layers.Dense(3, name="dense")
    model = network(lambda x: head(layers.GlobalAveragePooling2D()(x)))
    model.quantize(kind, filters=lambda layer: layer is head)
    return model


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_converted_is_said_in_a_sentence_and_leaves_nothing(tmp_path, name):
    build, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as error:
        to_tflite(build(), tmp_path / "a.tflite", **QUIET)
    assert "\n" not in str(error.value)
    assert not [*tmp_path.iterdir()]


def test_all_heads_are_in_the_file_and_the_card_reads_its_own(tmp_path):
    model = network(lambda x: {"edge": layers.Conv2D(1, 1)(x), "logits": layers.Conv2D(2, 1)(x)})
    save_model(model, CARD, tmp_path / "two.keras")
    path = to_tflite(tmp_path / "two.keras", **QUIET)
    found = answers(path, IMAGES)
    assert [*found] == ["edge", "logits"] and read_card(path) == CARD
    assert difference(found, model(IMAGES)) < 1e-5


def test_a_card_that_reads_another_output_is_refused_by_file_and_name(tmp_path):
    model = network(lambda x: {"edge": layers.Conv2D(1, 1)(x), "mask": layers.Conv2D(2, 1)(x)})
    save_model(model, CARD, tmp_path / "two.keras")
    with pytest.raises(ValueError, match=r"two\.keras: .* must return logits .*outputs=edge, mask"):
        to_tflite(tmp_path / "two.keras", **QUIET)


@pytest.mark.parametrize(
    ("activation", "scores"),
    [(None, "logits"), ("softmax", "probabilities"), ("sigmoid", "sigmoid")],
)
def test_the_card_of_a_file_says_what_its_numbers_are(tmp_path, activation, scores):
    """Filled from the last layer, also past a resize, whatever the card of the network says."""

    def head(x):
        return layers.Resizing(32, 32)(layers.Conv2D(2, 1, activation=activation)(x))

    save_model(network(head), CARD, tmp_path / "a.keras")
    path = to_tflite(tmp_path / "a.keras", options=Options(verify=False), **QUIET)
    assert read_card(path).scores == scores


def test_integers_that_lose_much_are_warned_of_in_the_last_line(tmp_path, monkeypatch):
    monkeypatch.setattr("hrnet_tf.convert.reports.verification.MOST_LOST", 0.0)
    lines = []
    options = Options("int8", count=2)
    path = to_tflite(network(), tmp_path / "a.tflite", options=options, report=lines.append)
    assert path.exists() and lines[-1].startswith("Warning: a.tflite has lost much")


def test_two_formats_of_a_network_keep_two_cards(tmp_path):
    """Also if one is written again; no message advises to overwrite the other's."""
    pytest.importorskip("tf2onnx")
    save_model(network(), CARD, tmp_path / "net.keras")
    lite = Options("int8", count=2, verify=False)
    to_tflite(tmp_path / "net.keras", tmp_path / "a.tflite", options=lite, **QUIET)
    kept = (tmp_path / "a.json").read_bytes()
    for overwrite in (False, True):
        options = ONNXOptions(verify=False)
        words = {"options": options, "overwrite": overwrite, **QUIET}
        to_onnx(tmp_path / "net.keras", tmp_path / "a.onnx", **words)
        assert (tmp_path / "a.json").read_bytes() == kept
    assert all(conversion_card(tmp_path / name) for name in ("a.tflite", "a.onnx"))
    assert read_card(tmp_path / "a.onnx") == read_card(tmp_path / "a.tflite") == CARD
    with pytest.raises(ValueError, match=r"2 results are there already, a\.onnx among them"):
        to_onnx(tmp_path / "net.keras", tmp_path / "a.onnx", **QUIET)


def test_a_card_can_be_given_with_a_model_and_loops_keep_their_constants(tmp_path):
    """Metadata is written into a file whose second graph is the body of a loop."""
    card = ClassificationCard(classes=("cat", "dog", "owl"))
    model = network(lambda x: layers.LSTM(3)(layers.Reshape((16, 128))(x)))
    path = to_tflite(model, tmp_path / "a.tflite", card=card, **QUIET)
    assert read_card(path) == card
    assert difference(answers(path, IMAGES), model(IMAGES)) < 1e-5


def test_all_scripts_take_a_model_as_functions(tmp_path):
    """Files, differences, the table and the report of layers of a model that has no file."""
    model = network(name="mine")
    path = to_tflite(model, tmp_path / "a.tflite", options=Options(verify=False), **QUIET)
    assert verify(path, model, {"image": IMAGES}).difference.noise < 1
    other = network(lambda x: layers.Conv2D(2, 1, activation="relu")(x))
    assert verify(path, other, {"image": IMAGES}).difference.noise > 1
    _, rows = compare([model, path])
    assert [each.file for each in rows] == ["mine", "a.tflite"]
    options = Options("int8", count=2)
    found = layer_report(model, tmp_path / "mine.svg", options=options, **QUIET)
    assert len(found) >= 2 and all(np.isfinite(each.own) for each in found)
    assert (tmp_path / "mine.svg").is_file() and (tmp_path / "mine.json").is_file()
