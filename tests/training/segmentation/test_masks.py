"""Masks of every encoding: Pillow's decoder, the graph's, and what both refuse."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_tf.labels.classes import voc_palette
from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.training.segmentation.masks import (
    MaskError,
    decode_mask,
    meaning,
    read_mask,
)

COLORS = voc_palette(21)
RNG = np.random.default_rng(3)


def content(picture, **settings):
    file = io.BytesIO()
    picture.save(file, "PNG", **settings)
    return file.getvalue()


def indexed(classes, palette=None):
    picture = Image.fromarray(classes)
    picture.putpalette(palette or RNG.integers(0, 256, 768).tolist())
    return picture


def in_graph(png, meant):
    return tf.function(lambda x: decode_mask(x, meant))(tf.constant(png)).numpy()


@pytest.mark.parametrize("transparency", [None, 1, b"\0\1"], ids=["", "one", "some"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_indices_of_palettes_of_any_depth(bits, transparency):
    """TensorFlow's decoder alone would return their colours."""
    count = min(2**bits, 200)
    classes = RNG.integers(0, count, (13, 17)).astype(np.uint8)
    settings = {} if transparency is None else {"transparency": transparency}
    png = content(indexed(classes), bits=bits, **settings)
    meant = meaning("masks", "index", voc_palette(count))
    assert png[24:26] == bytes([bits, 3])
    np.testing.assert_array_equal(in_graph(png, meant), classes)
    np.testing.assert_array_equal(read_mask(png, meant), classes)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_of_8_and_16_bits(dtype):
    classes = RNG.integers(0, 21, (13, 17)).astype(dtype)
    classes[0, :5] = ignored = 255 if dtype == np.uint8 else 40000
    meant = meaning("masks", "index", COLORS, ignore_label=ignored)
    png = content(Image.fromarray(classes))
    wanted = np.where(classes == ignored, IGNORED, classes)
    np.testing.assert_array_equal(in_graph(png, meant), wanted)
    np.testing.assert_array_equal(read_mask(png, meant), wanted)


def test_black_and_white_of_8_bits_and_of_1():
    meant = meaning("masks", "binary", COLORS[:2])
    classes = RNG.integers(0, 2, (13, 17)).astype(np.uint8)
    for picture in (Image.fromarray(255 * classes), Image.fromarray(classes > 0)):
        np.testing.assert_array_equal(in_graph(content(picture), meant), classes)
        np.testing.assert_array_equal(read_mask(content(picture), meant), classes)


def test_colours_of_true_colour_files_and_of_palettes():
    classes = RNG.integers(0, 22, (13, 17)).astype(np.uint8)
    meant = meaning("masks", "color", COLORS, ignore_color=(224, 224, 192))
    colors = (*COLORS, (224, 224, 192))
    painted = np.array(colors, np.uint8)[classes]
    order = RNG.permutation(22)  # the palette has the colours in another order than the classes
    shuffled = np.argsort(order)[classes].astype(np.uint8)
    palette = indexed(shuffled, np.array(colors)[order].ravel().tolist())
    wanted = np.where(classes == 21, IGNORED, classes)
    for picture in (Image.fromarray(painted), palette):
        np.testing.assert_array_equal(in_graph(content(picture), meant), wanted)
        np.testing.assert_array_equal(read_mask(content(picture), meant), wanted)


GREY = Image.fromarray(np.array([[0, 1], [2, 255]], np.uint8))
JPEG = io.BytesIO()
GREY.save(JPEG, "JPEG")


@pytest.mark.parametrize(
    ("png", "encoding", "message"),
    [
        (content(GREY), "index", "the number 255, which no class has. If 255 means no class"),
        (content(GREY), "binary", "the numbers 1, 2, which no class has. Black and white"),
        (content(GREY), "color", "numbers, not colours"),
        (content(GREY.convert("RGB")), "index", "colours, not numbers; give encoding=color"),
        (content(GREY.convert("RGB")), "color", r"the colours \(1, 1, 1\), .* which no class has"),
        (content(GREY.convert("RGBA")), "color", "its pixels are RGBA"),
        (content(GREY)[:-28], "index", "cannot be decoded"),
        (b"", "index", "cannot be decoded"),
        (JPEG.getvalue(), "index", "it is JPEG; masks are PNG"),
    ],
)
def test_what_has_no_class_is_refused_by_both_decoders(png, encoding, message):
    meant = meaning("masks", encoding, COLORS[:2] if encoding == "binary" else COLORS)
    with pytest.raises(MaskError, match=message):
        read_mask(png, meant)
    # TensorFlow takes other files for their colours; readers refuse them by their headers.
    if not any(word in message for word in ("numbers, not", "RGBA", "JPEG")):
        with pytest.raises(tf.errors.InvalidArgumentError):
            in_graph(png, meant)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("masks", "index", COLORS[:1]), "from 2 to 254. Received: 1 classes"),
        (("masks", "index", voc_palette(255)), "from 2 to 254"),
        (("masks", "binary", COLORS), "of two classes. Received: 21"),
        (("masks", "index", COLORS, 20), "a number that no class has"),
        (("masks", "color", (COLORS[0], COLORS[0])), "different colour"),
        (("masks", "color", COLORS, -1, (1, 2)), "red, green and blue"),
        (("cityscapes", "index", COLORS), "has 19 classes. Received: 21"),
    ],
)
def test_classes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        meaning(*arguments)
