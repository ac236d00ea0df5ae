"""Encoded pictures in the graph, as `media.images.read_image` reads them."""

import tensorflow as tf

HEADER = 2**16 + 2**12  # bytes of a JPEG in which its EXIF block, of 64 KiB at most, begins
REFUSED = "the picture must be a JPEG, PNG or GIF; convert it"
ORIENTATION = 0x0112  # EXIF's tag


def decode(content: tf.Tensor) -> tf.Tensor:
    """The pixels of a JPEG, PNG or GIF, upright and on white where it is transparent.

    JPEGs are decoded as libjpeg does by default, and turned as their EXIF orientation says. The
    first frame of several is taken, and the upper 8 of 16 bits. A BMP is refused, since TensorFlow
    would return the indices of its palette.

    Args:
        content: () string, the bytes of a file.

    Returns:
        (H, W, 3) uint8 RGB.
    """

    def jpeg():
        # Only this DCT method gives the same pixels as libjpeg in Pillow and OpenCV.
        pixels = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
        return _turned(pixels, orientation(content))

    def other():
        bitmap = tf.strings.substr(content, 0, 2) == b"BM"
        with tf.control_dependencies([tf.debugging.Assert(~bitmap, [REFUSED])]):
            found = tf.io.decode_image(content, channels=0, expand_animations=False)
        return _on_white(found)

    pixels = tf.cond(tf.io.is_jpeg(content), jpeg, other)
    return tf.ensure_shape(pixels, (None, None, 3))


def orientation(content: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation () int32 of a JPEG's bytes, 1 to 8; 1 if it has none."""
    length = tf.minimum(tf.strings.length(content), HEADER)
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 0, length), tf.uint8), tf.int32)
    size = tf.size(header)
    padded = tf.concat([header, tf.zeros(16, tf.int32)], 0)

    # A block begins with the marker FF E1, its length of two bytes, and "Exif" with two zeros.
    begin = tf.constant([0xFF, 0xE1, -1, -1, *b"Exif\0\0"])
    found = tf.ones(size, tf.bool)
    for number in (0, 1, *range(4, 10)):
        found &= padded[number : number + size] == begin[number]
    first = tf.where(found)[:1, 0]
    block = header[tf.cast(tf.reduce_sum(first), tf.int32) + 10 :]

    # The block is a TIFF file: its order of bytes, and where its first directory begins.
    little = block[:1] == 0x49

    def number(at, count):
        weights = 256 ** tf.range(count)
        weights = tf.where(little, weights, weights[::-1])
        return tf.reduce_sum(block[at : at + count] * weights)

    def read():
        start = tf.clip_by_value(number(4, 4), 0, tf.size(block) - 2)
        entries = tf.range(tf.minimum(number(start, 2), (tf.size(block) - start - 2) // 12))
        places = start + 2 + 12 * entries
        big = tf.where(little, (0, 1), (1, 0))
        pair = tf.gather(block, places[:, None] + big)
        values = tf.gather(block, places[:, None] + 8 + big)
        tags, values = (each[:, 0] + 256 * each[:, 1] for each in (pair, values))
        value = tf.reduce_max(tf.where(tags == ORIENTATION, values, 0), keepdims=True)
        return tf.reduce_max(tf.concat([value, [0]], 0))

    there = (tf.size(first) > 0) & (tf.size(block) > 16)
    value = tf.cond(there, read, lambda: 1)
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _turned(pixels, value):
    """The pixels as a viewer shows them: mirrored for 2, 4, 5, 7, turned by quarters."""
    # Counter-clockwise quarters, after which 2, 4, 5 and 7 are mirrored from left to right.
    quarters = tf.gather([0, 0, 0, 2, 2, 3, 3, 1, 1], value)
    mirrored = tf.gather([False, False, True, False, True, True, False, True, False], value)
    pixels = tf.cond(value == 1, lambda: pixels, lambda: tf.image.rot90(pixels, quarters))
    return tf.cond(mirrored, lambda: pixels[:, ::-1], lambda: pixels)


def _on_white(pixels):
    """RGB of pixels of one to four channels; the second or fourth is the opacity."""
    channels = tf.shape(pixels)[2]
    colour = tf.cond(
        channels >= 3, lambda: pixels[..., :3], lambda: tf.repeat(pixels[..., :1], 3, axis=2)
    )

    def blended():
        # As Pillow's `alpha_composite`: the quotient by 255, rounded, in integers.
        opaque = tf.cast(pixels[..., -1:], tf.int32)
        total = tf.cast(colour, tf.int32) * opaque + 255 * (255 - opaque) + 128
        return tf.cast((total + total // 256) // 256, tf.uint8)

    return tf.cond(channels % 2 == 0, blended, lambda: colour)
