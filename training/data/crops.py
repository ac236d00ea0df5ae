"""Crops in the `tf.data` graph: reads only the pixels that crops need, and warps in compiled code.

All coordinates are those of the whole image, whatever part of it has been read, so that crops from
files and from records are equal to the bit. About 1 value in 50000 differs from `geometry.crop` of
the whole image by one grey level, where rounding depends on the last bit of a float.
"""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from hrnet_tf.media.images import max_pixels
from hrnet_tf.training.data.sources import decode_annotated

# libjpeg smooths colours across blocks, and at the edge of a decoded window it lacks the blocks
# outside. Windows are therefore decoded with this many more pixels on each side.
JPEG_MARGIN = 16
SLOTS = tuple(2**power for power in range(18, 31, 2))  # bytes: sizes for which code is compiled
OVERHANG = 16  # bytes; the 32-bit words that hold the last pixel reach beyond it by less


def window(inverse: tf.Tensor, output_size: tuple[int, int], bounds: tf.Tensor) -> tf.Tensor:
    """The windows of an image that crops read.

    Args:
        inverse: (B, 6) maps from crop pixels to image pixels.
        output_size: (height, width) of the crops.
        bounds: (B, 4) top, left, bottom, right of the pixels that can be read.

    Returns:
        (B, 4) top, left, bottom, right, the last two exclusive, within `bounds` and at least two
        pixels high and wide.
    """
    a, b, shift_x, c, d, shift_y = tf.unstack(inverse[:, :, None], axis=1)
    u = tf.constant((0.0, 1.0, 0.0, 1.0)) * (output_size[1] - 1)
    v = tf.constant((0.0, 0.0, 1.0, 1.0)) * (output_size[0] - 1)
    corners = tf.stack((c * u + d * v + shift_y, a * u + b * v + shift_x), axis=1)
    least, most = bounds[:, :2], bounds[:, 2:]
    # Positions far outside would overflow an integer.
    near = tf.cast(least, tf.float32) - 4.0, tf.cast(most, tf.float32) + 4.0
    low = tf.floor(tf.clip_by_value(tf.reduce_min(corners, axis=2), *near))
    high = tf.floor(tf.clip_by_value(tf.reduce_max(corners, axis=2), *near))
    low = tf.clip_by_value(tf.cast(low, tf.int32) - 1, least, most - 2)
    high = tf.clip_by_value(tf.cast(high, tf.int32) + 3, low + 2, most)
    return tf.concat((low, high), axis=1)


def read_image(path: tf.Tensor, size: tf.Tensor, window: tf.Tensor) -> tuple:
    """`decode` of the content of a file."""
    return decode(tf.io.read_file(path), size, window)


def decode(content: tf.Tensor, size: tf.Tensor, window: tf.Tensor) -> tuple:
    """Decodes a window of a picture to the pixels that `read_annotated` reads.

    Most pictures are decoded by TensorFlow. The others, such as those that EXIF turns, transparent
    ones, those of 16 bits and formats other than JPEG and PNG, are decoded whole, in Python.

    Args:
        content: of the picture's file.
        size: (2,) annotated height and width of the image.
        window: (4,) top, left, bottom, right.

    Returns:
        Pixels (h, w, 3) uint8 that hold the window, and their top left corner (2,) in the image.

    Raises:
        tf.errors.OpError: it is damaged, has another size, or is larger than pictures may be.
    """
    low = tf.maximum(window[:2] - JPEG_MARGIN, 0)
    high = tf.minimum(window[2:] + JPEG_MARGIN, size)
    allowed = tf.reduce_prod(tf.cast(size, tf.int64)) <= max_pixels()
    check = tf.debugging.Assert(allowed, ["A picture has more pixels than it may."])

    def jpeg():
        # Only this DCT method gives the same pixels as libjpeg in Pillow and OpenCV.
        return tf.image.decode_and_crop_jpeg(
            content, tf.concat((low, high - low), 0), channels=3, dct_method="INTEGER_ACCURATE"
        )

    def png():
        return tf.io.decode_png(content, channels=3)[low[0] : high[0], low[1] : high[1]]

    def other():
        pixels = tf.numpy_function(_decoded, (content, size), tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, (None, None, 3))[low[0] : high[0], low[1] : high[1]]

    with tf.control_dependencies([check]):
        kinds = [(is_plain_jpeg(content, size), jpeg), (is_plain_png(content, size), png)]
    return tf.case(kinds, default=other), low


def is_plain_jpeg(content: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Whether a file is a grey or RGB JPEG that is stored with this size."""

    def header():
        shape = tf.io.extract_jpeg_shape(content)
        return tf.reduce_all(shape[:2] == size) & (shape[2] < 4)  # 4: CMYK

    return tf.cond(tf.io.is_jpeg(content), header, lambda: tf.constant(False))


def is_plain_png(content: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Whether a file is an opaque PNG of 8 bits or fewer that is stored with this size."""

    def header():
        depth, kind = tf.unstack(tf.io.decode_raw(tf.strings.substr(content, 24, 2), tf.uint8), 2)
        # `tRNS` names a transparent colour. If pixels hold these letters, nothing is lost but time.
        clear = tf.strings.regex_full_match(content, r"\C*tRNS\C*") | (kind >= 4)
        return tf.reduce_all(stored_size(content) == size) & (depth <= 8) & ~clear

    return tf.cond(_is_png(content), header, lambda: tf.constant(False))


def _decoded(content, size):
    return decode_annotated(_bytes(content), tuple(size.tolist()))


def _bytes(content):
    """What `numpy_function` passes: bytes in a graph, an array of one object outside."""
    return np.asarray(content, object).item()


def stored_size(content: tf.Tensor) -> tf.Tensor:
    """Height and width (2,) in the header of a picture's file."""

    def jpeg():
        return tf.io.extract_jpeg_shape(content)[:2]

    def png():
        # Bytes 16 to 23 are width and height.
        sides = tf.io.decode_raw(tf.strings.substr(content, 16, 8), tf.int32, little_endian=False)
        return sides[::-1]

    def other():
        return tf.numpy_function(_size, (content,), tf.int32, stateful=False)

    found = tf.case([(tf.io.is_jpeg(content), jpeg), (_is_png(content), png)], default=other)
    return tf.ensure_shape(found, (2,))


def _is_png(content):
    """Whether a file begins as PNG and is not cut within its header of 33 bytes."""
    return tf.strings.regex_full_match(content, r"\CPNG\r\n\x1a\n\C{25,}")


def _size(content):
    with Image.open(io.BytesIO(_bytes(content))) as picture:
        return np.array(picture.size[::-1], np.int32)


def crop(
    pixels: tf.Tensor,
    corner: tf.Tensor,
    inverse: tf.Tensor,
    output_size: tuple[int, int],
    continued: bool = False,
) -> tf.Tensor:
    """Crops bilinearly, with zeros outside the image; rounds to whole grey levels.

    Args:
        pixels: (h, w, 3) uint8, a part of an image that contains the window of this crop.
        corner: (2,) top and left of this part.
        inverse: (6,) map from crop pixels to image pixels.
        output_size: (height, width) of the crop.
        continued: outside, the image continues with its last pixels instead of zeros.

    Returns:
        (height, width) uint32, red + 256 green + 65536 blue.
    """
    flat = tf.reshape(pixels, [-1])
    size, slots = tf.size(flat), tf.constant(SLOTS)
    room = tf.reduce_min(tf.where(slots >= size + OVERHANG, slots, SLOTS[-1]))
    # Uninitialized bytes: they are read together with the last pixels and are not used.
    rest = tf.raw_ops.Empty(shape=[room - size], dtype=tf.uint8)
    words = tf.bitcast(tf.reshape(tf.concat((flat, rest), axis=0), (-1, 4)), tf.uint32)
    return _warp(words, corner, tf.shape(pixels), inverse, output_size, continued)


def bytes_of(crops: tf.Tensor, count: int = 3) -> tf.Tensor:
    """The bytes (..., count) of crops (...) uint32, the lowest first, as int32: RGB of `crop`."""
    shifts = tf.constant((0, 8, 16, 24)[:count], tf.uint32)
    return tf.cast(tf.bitwise.right_shift(crops[..., None], shifts) & 255, tf.int32)


@tf.function(jit_compile=True, autograph=False)
def _warp(words, corner, size, inverse, output_size, continued):
    """Crops in one loop, compiled by XLA; TensorFlow's own operations take five times as long."""
    a, b, shift_x, c, d, shift_y = tf.unstack(inverse)
    u = tf.range(output_size[1], dtype=tf.float32)
    v = tf.range(output_size[0], dtype=tf.float32)[:, None]
    top, left = tf.unstack(corner)
    height, width, _ = tf.unstack(size)
    x = a * u + b * v + shift_x - tf.cast(left, tf.float32)
    y = c * u + d * v + shift_y - tf.cast(top, tf.float32)
    if continued:
        x = tf.clip_by_value(x, 0.0, tf.cast(width - 1, tf.float32))
        y = tf.clip_by_value(y, 0.0, tf.cast(height - 1, tf.float32))
    # The upper left of the four pixels to interpolate, clipped so that all four exist.
    column = tf.clip_by_value(tf.floor(x), 0.0, tf.cast(width - 2, tf.float32))
    row = tf.clip_by_value(tf.floor(y), 0.0, tf.cast(height - 2, tf.float32))
    first = 3 * (_whole(row) * width + _whole(column))
    above = _mix(words, first, x - column)
    below = _mix(words, first + 3 * width, x - column)
    upper, lower = _share(y - row), _share(y - row - 1)
    red, green, blue = (
        tf.bitcast(_whole(p * upper + q * lower), tf.uint32)
        for p, q in zip(above, below, strict=True)
    )
    return red + 256 * green + 65536 * blue


def _mix(words, first, x):
    """Interpolates RGB between two adjacent pixels, of which the first starts at byte `first`."""
    word = _right(first, 2)
    one, two, three = (tf.gather(words, word + number) for number in range(3))
    shift = tf.bitcast(8 * (first & 3), tf.uint32)
    low, high = _join(one, two, shift), _join(two, three, shift)
    left = _byte(low, 0), _byte(low, 1), _byte(low, 2)
    right = _byte(low, 3), _byte(high, 0), _byte(high, 1)
    share = _share(x), _share(x - 1)
    return [p * share[0] + q * share[1] for p, q in zip(left, right, strict=True)]


def _join(word, following, shift):
    """The four bytes that start `shift` bits after the start of a word."""
    rest = tf.bitwise.left_shift(following, tf.constant(8, tf.uint32))
    return _right(word, shift) | tf.bitwise.left_shift(rest, 24 - shift)


def _byte(words, number):
    return tf.cast(tf.bitcast(_right(words, 8 * number) & 255, tf.int32), tf.float32)


def _right(values, bits):
    return tf.bitwise.right_shift(values, tf.cast(bits, values.dtype))


def _whole(values):
    """Rounds floats from 0 to 2**22 to integers; a cast handles all values and takes longer."""
    return tf.bitcast(values + 2.0**23, tf.int32) & (2**23 - 1)


def _share(distance):
    """Bilinear weight of a pixel at this distance; 0 from a distance of 1 on."""
    return tf.maximum(1 - tf.abs(distance), 0.0)
