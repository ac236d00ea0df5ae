"""Classification: the crop torchvision makes, names and probabilities of the logits."""

import keras
import numpy as np
import pytest
from PIL import Image

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.files import write_card
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.tasks.classification.predictor import (
    ImageClassifier,
    central_crop,
    decode_predictions,
)

COLORS = ClassificationCard(classes=("red", "green", "blue"), mean=(0, 0, 0), std=(1, 1, 1))


def mean_color(images):
    """Logits that are ten times the mean of each channel."""
    return 10 * images.mean(axis=(1, 2))


def photo(height, width, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return np.array(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(
    ("size", "fraction", "scaled", "corner"),
    [
        # image, fraction, (width, height) after Resize(224 / fraction), (left, top) of CenterCrop
        ((480, 640), 0.875, (341, 256), (58, 16)),
        ((640, 480), 0.875, (256, 341), (16, 58)),
        ((480, 640), 0.95, (313, 235), (44, 6)),
        ((96, 96), 1.0, (224, 224), (0, 0)),
        ((1000, 333), 0.875, (256, 768), (16, 272)),
    ],
)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_crop_is_that_of_torchvision(size, fraction, scaled, corner, interpolation):
    image = photo(*size)
    card = ClassificationCard(crop_fraction=fraction, interpolation=interpolation)
    method = getattr(Image.Resampling, interpolation.upper())
    (left, top), whole = corner, Image.fromarray(image).resize(scaled, method)
    expected = np.asarray(whole.crop((left, top, left + 224, top + 224)))
    np.testing.assert_array_equal(central_crop(image, (224, 224), card), expected)


def test_crop_of_any_shape_lies_in_the_middle():
    """Also where the network's input is not a square, and the image is smaller than it."""
    for size in ((64, 96), (96, 64)):
        crop = central_crop(photo(40, 56), size, ClassificationCard())
        assert crop.shape == (*size, 3)
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 255
    crop = central_crop(image, (64, 64), ClassificationCard(crop_fraction=1.0))
    assert crop.min() > 200  # black would be a third of the picture off


def test_predictions_are_the_softmax_in_order():
    logits = np.zeros(1000)
    logits[[281, 207, 0]] = 9, 8, 7
    first, second, third = decode_predictions(logits, top=3)
    assert (first.index, first.name) == (281, "tabby")
    assert (second.name, third.name) == ("golden retriever", "tench")
    total = np.exp(logits).sum()
    assert first.probability == pytest.approx(np.exp(9) / total)
    assert third.probability == pytest.approx(np.exp(7) / total)
    assert decode_predictions(logits + 1000, 1)[0].probability == pytest.approx(first.probability)
    batch = decode_predictions(np.stack([logits, -logits]), top=3)
    assert batch[0] == [first, second, third]
    assert [each.index for each in batch[1]] == [1, 2, 3]


def test_fewer_classes_than_top_gives_all():
    found = decode_predictions(np.array([0.0, 2.0]), classes=("cat", "dog"))
    assert [each.name for each in found] == ["dog", "cat"]
    assert sum(each.probability for each in found) == pytest.approx(1)


@pytest.mark.parametrize(
    ("logits", "said"),
    [
        (np.zeros(1001), r"`logits` must be \(1000,\).*\(1001,\)"),
        (np.zeros((1, 1, 1000)), r"\(1, 1, 1000\)"),
        (np.full(1000, np.nan), "must be finite"),
    ],
)
def test_logits_that_cannot_be_read_are_refused(logits, said):
    with pytest.raises(ValueError, match=said):
        decode_predictions(logits)


def test_classifier_normalises_and_names():
    image = np.zeros((40, 60, 3), np.uint8)
    image[..., 2] = 255
    image[..., 0] = 51
    classifier = ImageClassifier(mean_color, COLORS, top=2, input_size=(32, 32))
    best, second = classifier(image)
    assert (best.index, best.name, second.name) == (2, "blue", "red")
    assert best.probability == pytest.approx(1 / (1 + np.exp(-8) + np.exp(-10)))
    [(key, passed, found)] = classifier.stream([("x", image)])
    assert (key, found) == ("x", [best, second])
    assert passed is image
    assert set(classifier.timings.summary()) == {"crop", "normalize", "network", "decode"}


def test_model_file_and_function_agree(tmp_path):
    image = keras.Input((32, 48, 3))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    model.save(tmp_path / "x.keras")
    write_card(tmp_path / "x.keras", COLORS)
    picture = photo(80, 64)
    forms = [
        ImageClassifier(model, COLORS),
        ImageClassifier(tmp_path / "x.keras"),
        ImageClassifier(lambda x: x.mean(axis=(1, 2)), COLORS, input_size=(32, 48)),
    ]
    found = [[each.probability for each in form(picture)] for form in forms]
    np.testing.assert_allclose(found[1:], found[:1] * 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"card": COLORS}, "`input_size` must be"),
        ({"card": SegmentationCard()}, "must be a network for classification.*says segmentation"),
        ({}, "unless they are ImageNet's 1000 classes"),
    ],
)
def test_what_cannot_work_is_refused_at_once(arguments, said):
    with pytest.raises(ValueError, match=said):
        ImageClassifier(mean_color, **arguments)


def test_other_logits_than_the_cards_are_refused():
    classifier = ImageClassifier(mean_color, ClassificationCard(), input_size=(32, 32))
    with pytest.raises(ValueError, match=r"logits \(B, 1000\) for 1000 classes.*\(B, 3\)"):
        classifier(photo(40, 40))
