"""Training decodes pictures to the pixels that evaluation and prediction read."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_tf.media.images import read_image
from hrnet_tf.training.data.crops import decode, stored_size

from made_pictures import deep_png

SIZE = (40, 56)
NOISE = np.random.default_rng(0).integers(0, 255, (*SIZE, 4), np.uint8)
COLOURS = Image.fromarray(NOISE[..., :3]).resize((112, 80)).resize(SIZE[::-1])
CLEAR = COLOURS.convert("RGBA")
CLEAR.putalpha(Image.fromarray(NOISE[..., 3]))
TURNED = Image.Exif()
TURNED[0x0112] = 6
DARK = (NOISE.astype(np.uint16) << 4) | 5
DARK[..., 3] = 65535

PICTURES = {
    "rgb.jpg": COLOURS.save,
    "progressive.jpg": lambda path: COLOURS.save(path, progressive=True, subsampling=1),
    "grey.jpg": COLOURS.convert("L").save,
    "cmyk.jpg": COLOURS.convert("CMYK").save,
    "turned.jpg": lambda path: COLOURS.save(path, exif=TURNED),
    "rgb.png": COLOURS.save,
    "one_bit.png": COLOURS.convert("1").save,
    "palette.png": COLOURS.quantize(16).save,
    "palette_clear.png": lambda path: COLOURS.quantize(16).save(path, transparency=3),
    "keyed.png": lambda path: COLOURS.save(path, transparency=COLOURS.getpixel((9, 9))),
    "clear.png": CLEAR.save,
    "grey_clear.png": CLEAR.convert("LA").save,
    "deep_grey.png": lambda path: path.write_bytes(deep_png(DARK[..., :1])),
    "deep_rgb.png": lambda path: path.write_bytes(deep_png(DARK[..., :3])),
    "deep_clear.png": lambda path: path.write_bytes(deep_png(DARK)),
    "x.bmp": COLOURS.save,
    "x.webp": CLEAR.save,
    "x.tif": lambda path: COLOURS.save(path, compression="tiff_lzw"),
    "one_bit.tif": COLOURS.convert("1").save,
    "moving.gif": lambda path: COLOURS.save(path, save_all=True, append_images=[CLEAR]),
}


def _decoded(content, size, window):
    graph = tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)] + [
        tf.TensorSpec([n], tf.int32) for n in (2, 4)
    ])  # fmt: skip
    pixels, corner = graph(tf.constant(content), tf.constant(size), tf.constant(window))
    return pixels.numpy(), corner.numpy()


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_is_what_evaluation_reads(tmp_path, name):
    path = tmp_path / name
    PICTURES[name](path)
    expected = read_image(path, apply_exif=False)
    content = path.read_bytes()
    assert tuple(stored_size(tf.constant(content)).numpy()) == SIZE
    pixels, corner = _decoded(content, SIZE, (0, 0, *SIZE))
    np.testing.assert_array_equal(pixels, expected)
    assert corner.tolist() == [0, 0]
    if not name.endswith(".jpg"):  # of JPEGs, colours are smoothed at the edge of what is decoded
        pixels, (top, left) = _decoded(content, SIZE, (20, 30, 25, 40))
        height, width = pixels.shape[:2]
        np.testing.assert_array_equal(pixels, expected[top : top + height, left : left + width])


@pytest.mark.parametrize("factors", [b"\x21", b"\x12"], ids=["4:2:2", "4:4:0"])
def test_colours_of_half_the_rows_are_smoothed_as_pillow_does_it(tmp_path, factors):
    """In a square picture, the blocks of 4:2:2 are as many as those of 4:4:0."""
    picture = Image.fromarray(NOISE[:32, :32, :3]).resize((64, 64))
    picture.save(tmp_path / "x.jpg", subsampling=1)
    content = (tmp_path / "x.jpg").read_bytes()
    assert content.count(b"\x03\x01\x21\x00\x02\x11") == 1  # in the frame's header
    content = content.replace(b"\x03\x01\x21", b"\x03\x01" + factors)
    (tmp_path / "x.jpg").write_bytes(content)
    pixels, _ = _decoded(content, (64, 64), (0, 0, 64, 64))
    np.testing.assert_array_equal(pixels, read_image(tmp_path / "x.jpg"))


def test_a_turned_picture_is_upright_if_its_annotation_is(tmp_path):
    PICTURES["turned.jpg"](tmp_path / "x.jpg")
    size = SIZE[::-1]
    pixels, _ = _decoded((tmp_path / "x.jpg").read_bytes(), size, (0, 0, *size))
    np.testing.assert_array_equal(pixels, read_image(tmp_path / "x.jpg"))


@pytest.mark.parametrize("name", ["rgb.jpg", "rgb.png", "x.bmp", "clear.png"])
def test_another_size_is_refused_whatever_the_format(tmp_path, name):
    """A JPEG that was replaced by a larger one would give crops of other places."""
    PICTURES[name](tmp_path / name)
    with pytest.raises(tf.errors.OpError):
        _decoded((tmp_path / name).read_bytes(), (40, 55), (0, 0, 40, 55))


def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path, monkeypatch):
    COLOURS.save(tmp_path / "x.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(tf.errors.OpError, match="more pixels than it may"):
        _decoded((tmp_path / "x.jpg").read_bytes(), SIZE, (0, 0, *SIZE))
