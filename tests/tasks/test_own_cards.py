"""What the numbers and pictures of a network of one's own are, from its card to its predictor."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.files import read_card, save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.cards.scores import logits_of
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.convert.options import Options
from hrnet_tf.convert.to_tflite import to_tflite

BLACK_RED = ((0, 0, 0), (255, 0, 0))
PLAIN = {"mean": (0.0,) * 3, "std": (1 / 255,) * 3}  # the network takes grey levels
HALF = np.repeat(np.uint8([[0, 255]]), 32, axis=1)[..., None].repeat(64, 0).repeat(3, 2)


def bright(activation=None, channels=1, shape=(64, 64, 3)):
    """The last channel is large where the picture is bright."""
    image = keras.Input(shape)
    head = layers.Conv2D(channels, 1, activation=activation)
    model = keras.Model(image, head(layers.AveragePooling2D(4)(image)))
    kernel, bias = np.zeros((1, 1, shape[2], channels)), np.zeros(channels)
    kernel[..., -1], bias[-1] = 0.1 / shape[2], -12.75 / 2
    head.set_weights([kernel, bias])
    return model


@pytest.mark.parametrize(
    ("activation", "channels", "card"),
    [
        (None, 1, {"one_channel": True}),
        ("sigmoid", 1, {"one_channel": True, "scores": "sigmoid"}),
        ("sigmoid", 1, {"one_channel": True}),  # the last layer says what the card does not
        ("sigmoid", 2, {}),
        ("softmax", 2, {}),
        (None, 2, {}),
    ],
)
def test_the_bright_half_is_the_second_class_whatever_the_last_layer_is(
    tmp_path, activation, channels, card
):
    card = SegmentationCard(classes=("dark", "bright"), palette=BLACK_RED, **PLAIN, **card)
    save_model(bright(activation, channels), card, tmp_path / "a.keras")
    path = to_tflite(tmp_path / "a.keras", options=Options(verify=False), report=lambda line: None)
    for model in (tmp_path / "a.keras", path):
        found = hrnet_tf.predictor(model)(HALF)
        if channels == 2 and activation == "sigmoid":  # sigmoid(0) = .5 of the first class
            assert (found[:, 40:] == 1).all()
        else:
            assert (found[:, :28] == 0).all() and (found[:, 36:] == 1).all()
    if activation:
        name = {"softmax": "probabilities"}.get(activation, activation)
        assert read_card(path).scores == name


def test_a_card_of_one_class_is_refused():
    with pytest.raises(ValueError, match="at least two, since the largest of one channel"):
        SegmentationCard(classes=("thing",), palette=((255, 0, 0),))


@pytest.mark.parametrize("scores", ["logits", "probabilities", "sigmoid"])
def test_numbers_become_logits_of_the_same_order(scores):
    logits = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    numbers = {
        "logits": logits,
        "sigmoid": 1 / (1 + np.exp(-logits)),
        "probabilities": np.exp(logits) / np.exp(logits).sum(-1, keepdims=True),
    }[scores]
    found = logits_of(numbers, scores, False)
    shift = logits.max(-1, keepdims=True) - found.max(-1, keepdims=True)
    assert np.allclose(found + (shift if scores == "probabilities" else 0), logits, atol=1e-4)


def test_classes_of_probabilities_are_as_sure_as_the_network_says():
    image = keras.Input((32, 32, 3))
    head = layers.Dense(3, activation="softmax")
    model = keras.Model(image, head(layers.GlobalAveragePooling2D()(image)))
    head.set_weights([np.zeros((3, 3)), np.log([0.7, 0.2, 0.1])])
    card = ClassificationCard(classes=("cat", "dog", "owl"))
    picture = np.zeros((32, 32, 3), np.uint8)
    found = hrnet_tf.predictor(model, card=card)(picture)
    assert [each[1] for each in found] == ["cat", "dog", "owl"]
    assert np.allclose([each[2] for each in found], [0.7, 0.2, 0.1], atol=1e-4)


def test_pictures_are_turned_grey_for_networks_of_one_channel(tmp_path):
    """From the card to the predictor, the command and the converted file."""
    grey = {"mean": (0.0,), "std": (1 / 255,)}
    card = SegmentationCard(classes=("dark", "bright"), palette=BLACK_RED, one_channel=True, **grey)
    save_model(bright(shape=(64, 64, 1)), card, tmp_path / "grey.keras")
    options = Options("int8", count=2)
    path = to_tflite(tmp_path / "grey.keras", options=options, report=lambda line: None)
    for model in (tmp_path / "grey.keras", path):
        found = hrnet_tf.predictor(model)(HALF)
        assert (found[:, :28] == 0).all() and (found[:, 36:] == 1).all()
    Image.fromarray(HALF[..., 0]).save(tmp_path / "half.png")
    words = [str(tmp_path / "half.png"), f"--model={tmp_path}/grey.keras"]
    assert cli.main(["predict", *words, f"--output={tmp_path}/out"]) == 0


@pytest.mark.parametrize(
    ("shape", "card", "message"),
    [
        ((64, 64, 1), {}, r"takes images of 1 channels, its card describes 3.*turned grey"),
        ((64, 64, 4), {}, r"takes images of 4 channels.*feeds images of 3 channels \(RGB\) or 1"),
        ((64, 64, 3), {"mean": (0.5,), "std": (1.0,)}, "takes images of 3 channels, its card desc"),
        ((64, None, 3), {}, "must fix height and width of its images, or neither"),
    ],
)
def test_pictures_that_do_not_fit_are_refused_by_file(tmp_path, shape, card, message, capsys):
    """By every command alike."""
    image = keras.Input(shape)
    save_model(
        keras.Model(image, layers.Conv2D(17, 1)(image)), PoseCard(**card), tmp_path / "a.keras"
    )
    with pytest.raises(ValueError, match=rf"a\.keras: The network {message}"):
        hrnet_tf.predictor(tmp_path / "a.keras")
    if None not in shape:
        with pytest.raises(ValueError, match=rf"a\.keras: The network {message}"):
            to_tflite(tmp_path / "a.keras", report=lambda line: None)
