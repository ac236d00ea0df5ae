"""Bytes decoded in the graph are the pixels of `read_image`."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_tf.media.graph.decode import decode, orientation
from hrnet_tf.media.images import read_image

DECODE = tf.function(decode, autograph=False, input_signature=[tf.TensorSpec((), tf.string)])


def pixels(*shape):
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (4, 5, *shape[2:])).astype(np.uint8)
    return np.repeat(np.repeat(small, -(-shape[0] // 4), 0), -(-shape[1] // 5), 1)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("value", range(1, 9))
def test_a_jpeg_is_turned_as_its_exif_says(tmp_path, value, order):
    exif = Image.Exif()
    exif.endian = "<" if order == "little" else ">"
    exif[0x010F], exif[0x0112] = "a maker", value
    path = tmp_path / "x.jpg"
    Image.fromarray(pixels(20, 30, 3)).save(path, exif=exif)
    content = path.read_bytes()
    assert (b"II" if order == "little" else b"MM") in content[:40]
    assert orientation(tf.constant(content)) == value
    np.testing.assert_array_equal(DECODE(content), read_image(path))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif"])
def test_every_kind_of_picture_has_the_pixels_of_pillow(tmp_path, mode, suffix):
    """Transparent ones are put on white."""
    if mode in ("LA", "RGBA") and suffix != "png":
        pytest.skip("the format has no opacity")
    if mode == "P" and suffix == "jpg":
        pytest.skip("the format has no palette")
    image = Image.fromarray(pixels(16, 20, 4), "RGBA").convert(mode)
    path = tmp_path / f"x.{suffix}"
    image.save(path)
    np.testing.assert_array_equal(DECODE(path.read_bytes()), read_image(path))


@pytest.mark.parametrize("cut", [0, 4, 30, 60, 200])
def test_a_damaged_header_has_no_orientation_or_is_refused(cut):
    """A block of EXIF that ends too early is not read beyond its end."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(pixels(20, 30, 3)).save(file, "jpeg", exif=exif)
    content = file.getvalue()[:cut]
    assert orientation(tf.constant(content)).numpy() in (1, 6)
    with pytest.raises(tf.errors.InvalidArgumentError):
        DECODE(content)


def test_a_bmp_is_refused_as_tensorflow_misreads_its_palette():
    file = io.BytesIO()
    Image.fromarray(pixels(20, 30, 3)).convert("P").save(file, "bmp")
    with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG, PNG or GIF"):
        DECODE(file.getvalue())
