"""Masks: PNG files with a class for each pixel, decoded with Pillow and in the `tf.data` graph.

A mask holds numbers (grey of 8 or 16 bits, or the indices of a palette) or the classes' colours.
Both decoders give the same classes, and refuse a number or colour that no class has.
"""

import functools
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from hrnet_tf.files import one_line
from hrnet_tf.labels.label_values import (
    BINARY,
    CITYSCAPES_IDS,
    COCO_STUFF_IDS,
    IGNORED,
    MOST_CLASSES,
    UNKNOWN,
    LabelValues,
    from_one,
    plain,
)

GREY, PALETTE = 0, 3  # colour types of PNG files, byte 25
# What the check sum of a PNG's header changes by if its colour type becomes grey.
_HEADER = b"IHDR" + bytes(8) + b"\x08%c\0\0\0"
CHECKSUM = zlib.crc32(_HEADER % PALETTE) ^ zlib.crc32(_HEADER % GREY)

# Numbers of the published label files; of all others, numbers are classes, and 255 is ignored.
NUMBERS = {
    "cityscapes": lambda count: CITYSCAPES_IDS,
    "pascal_context": from_one,
    "ade20k": from_one,
    "coco_stuff": lambda count: COCO_STUFF_IDS,
}


@dataclass(frozen=True)
class Meaning:
    """What the pixels of masks mean.

    Attributes:
        count: number of classes.
        values: the numbers of the classes; None if masks hold colours.
        colors: the colour of each class, and then that of ignored pixels, if there is one.
        hint: how to describe masks that hold something else, for messages.
    """

    count: int
    values: LabelValues | None
    colors: tuple = ()
    hint: str = ""

    @functools.cached_property
    def table(self) -> np.ndarray:
        """(65536,) uint8: number -> class."""
        return self.values.table()

    @functools.cached_property
    def codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Colours as sorted numbers, and the class of each."""
        codes = code(np.array(self.colors))
        classes = np.arange(len(codes))
        order = np.argsort(codes)
        return codes[order], np.where(classes < self.count, classes, IGNORED)[order]


def meaning(
    labels: str,
    encoding: str,
    palette: Sequence,
    ignore_label: int = -1,
    ignore_color: Sequence[int] = (),
) -> Meaning:
    """The meaning of the masks of a data set.

    Args:
        labels: a name of `options.FORMATS`.
        encoding: of `masks`: a name of `options.ENCODINGS`.
        palette: the colour of each class.
        ignore_label: number of ignored pixels in `masks`; -1: there is none.
        ignore_color: colour of ignored pixels in `masks`; empty: there is none.

    Raises:
        ValueError: the classes do not fit, or two of them have the same colour.
    """
    count = len(palette)
    if not 2 <= count <= MOST_CLASSES:
        raise ValueError(
            f"`classes` must be from 2 to {MOST_CLASSES}. Received: {count} classes. One thing has "
            "two: it and the background."
        )
    if labels != "masks":
        values = NUMBERS.get(labels, plain)(count)
        if len(values.classes) != count:
            raise ValueError(
                f"`labels={labels}` has {len(values.classes)} classes. Received: {count} classes. "
                "Choose the set of classes that belongs to it."
            )
        return Meaning(count, values)
    if encoding == "color":
        colors = tuple(map(tuple, (*palette, *([ignore_color] if ignore_color else []))))
        if len(set(colors)) < len(colors) or any(len(each) != 3 for each in colors):
            raise ValueError(
                "`encoding=color` needs a different colour, red, green and blue, for each class "
                "and for ignored pixels. Write them to the class file."
            )
        return Meaning(count, None, colors, "Is its colour missing in the class file?")
    if encoding == "binary":
        if count != 2:
            raise ValueError(f"`encoding=binary` is of two classes. Received: {count} classes.")
        return Meaning(count, BINARY, hint="Black and white masks have 0 and 255 alone.")
    if ignore_label != -1 and not count <= ignore_label < 2**16:
        raise ValueError(
            "`ignore_label` must be a number that no class has, or -1. "
            f"Received: ignore_label={ignore_label} with {count} classes."
        )
    ignored = () if ignore_label == -1 else (ignore_label,)
    hint = "" if ignored else "If 255 means no class, give ignore_label=255; if masks are black "
    hint += "" if ignored else "and white, encoding=binary."
    return Meaning(count, plain(count, ignored), hint=hint)


# Without TensorFlow


def read_raw(mask: Path | bytes) -> np.ndarray:
    """The stored pixels of a mask: numbers (H, W), or colours (H, W, 3) if it has these.

    Args:
        mask: a PNG file, or the content of one.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged or no PNG.
    """
    try:
        with Image.open(io.BytesIO(mask) if isinstance(mask, bytes) else mask) as picture:
            check_kind(picture)
            pixels = np.asarray(picture)
            return pixels * np.uint8(255) if pixels.dtype == bool else pixels
    except (FileNotFoundError, PermissionError, MaskError):
        raise
    except Exception as error:  # Pillow raises many types on damaged files
        reason = one_line(error)
        raise MaskError(f"it cannot be decoded ({reason})") from error


class MaskError(ValueError):
    """A mask that cannot be used; the message is a reason without a file name."""


def check_kind(picture: Image.Image) -> None:
    """Raises MaskError unless an opened file is a PNG with numbers or colours."""
    if picture.format != "PNG":
        raise MaskError(f"it is {picture.format}; masks are PNG, which changes no number")
    if picture.mode not in ("1", "L", "P", "I;16", "I", "RGB"):
        raise MaskError(f"its pixels are {picture.mode}; masks have one number or three colours")


def to_classes(raw: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Classes (H, W) uint8, with `IGNORED` and `UNKNOWN`, of the stored pixels of a mask.

    Raises:
        MaskError: numbers are expected and it has colours.
    """
    if meaning.values is None:
        if raw.ndim != 3:
            raise MaskError("it has numbers, not colours; the encoding is not `color`")
        codes, classes = meaning.codes
        found = code(raw)
        place = np.minimum(np.searchsorted(codes, found), len(codes) - 1)
        return np.where(codes[place] == found, classes[place], UNKNOWN).astype(np.uint8)
    if raw.ndim != 2:
        raise MaskError(
            "it has colours, not numbers; give encoding=color and the classes with their colours"
        )
    if raw.min(initial=0) < 0 or raw.max(initial=0) > 0xFFFF:
        raise MaskError("it has numbers of more than 16 bits")
    return meaning.table[raw]


def read_mask(mask: Path | bytes, meaning: Meaning) -> np.ndarray:
    """The classes of a mask, (H, W) uint8, with `IGNORED` where there is none.

    Raises:
        OSError: there is no such file.
        MaskError: it is damaged, no PNG, or has a number or colour that no class has.
    """
    raw = read_raw_as(mask, meaning)
    classes = to_classes(raw, meaning)
    if (unknown := classes == UNKNOWN).any():
        raise MaskError(strangers(raw[unknown], meaning))
    return classes


def read_raw_as(mask: Path | bytes, meaning: Meaning) -> np.ndarray:
    """`read_raw`, but palettes become colours where masks have colours."""
    if meaning.values is not None:
        return read_raw(mask)
    with Image.open(io.BytesIO(mask) if isinstance(mask, bytes) else mask) as picture:
        if picture.mode == "P" and picture.format == "PNG":
            return np.asarray(picture.convert("RGB"))
    return read_raw(mask)


def strangers(pixels: np.ndarray, meaning: Meaning) -> str:
    """The reason why a mask with these unknown pixels cannot be used."""
    if pixels.ndim == 1:
        found, what = np.unique(pixels).tolist(), "the number"
    else:
        found, what = list(map(tuple, np.unique(pixels, axis=0).tolist())), "the colour"
    more = f" and {len(found) - 5} more" if len(found) > 6 else ""
    shown = ", ".join(map(str, found[:5] if more else found))
    plural = "s" * (len(found) > 1)
    return f"it has {what}{plural} {shown}{more}, which no class has. {meaning.hint}".rstrip(". ")


def code(colors: np.ndarray) -> np.ndarray:
    """Colours (..., 3) as numbers (...)."""
    colors = colors.astype(np.int64)
    return (colors[..., 0] * 256 + colors[..., 1]) * 256 + colors[..., 2]


def png(classes: np.ndarray) -> bytes:
    """A class map (H, W) uint8 as the content of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(classes).save(file, "PNG")
    return file.getvalue()


# In the graph


def decode_mask(content: tf.Tensor, meaning: Meaning) -> tf.Tensor:
    """The classes (H, W) uint8 of a PNG, with `IGNORED` where there is none.

    Raises:
        tf.errors.InvalidArgumentError: it is damaged, or a pixel has no class.
    """
    found = _of_colors(content, meaning) if meaning.values is None else _numbers(content, meaning)
    strange = tf.reduce_any(found == UNKNOWN)
    check = tf.debugging.Assert(~strange, ["A mask has a number or colour that no class has."])
    with tf.control_dependencies([check]):
        return tf.identity(found)


def _of_colors(content, meaning):
    colors = tf.cast(tf.io.decode_png(content, channels=3), tf.int32)
    colors = tf.reduce_sum(colors * tf.constant((65536, 256, 1)), axis=-1)
    codes, classes = (tf.constant(each, tf.int32) for each in meaning.codes)
    flat = tf.reshape(colors, [-1])
    place = tf.minimum(tf.searchsorted(codes, flat), len(meaning.colors) - 1)
    known = tf.gather(codes, place) == flat
    found = tf.where(known, tf.gather(classes, place), UNKNOWN)
    return tf.reshape(tf.cast(found, tf.uint8), tf.shape(colors))


def _numbers(content, meaning):
    header = tf.io.decode_raw(tf.strings.substr(content, 24, 2), tf.uint8)
    depth, kind = tf.cast(header[0], tf.int32), tf.cast(header[1], tf.int32)
    grey = tf.debugging.Assert((kind == GREY) | (kind == PALETTE), ["A mask must have numbers."])
    with tf.control_dependencies([grey]):
        # TensorFlow replaces indices by their colours, unless the file claims to be grey.
        content = tf.cond(kind == PALETTE, lambda: _as_grey(content), lambda: content)
    # libpng scales grey of fewer than 8 bits up to 255; so a table of 256 numbers for each depth.
    small = meaning.table[:256]
    tables = [small[np.minimum(np.arange(256) // (255 // (2**n - 1)), 255)] for n in (1, 2, 4)]
    table = tf.stack([tf.constant(small), *map(tf.constant, tables)])
    narrow = (kind == PALETTE) & (depth < 8)
    table = table[tf.where(narrow, tf.where(depth == 4, 3, depth), 0)]

    def of_bytes():
        pixels = tf.io.decode_png(content, channels=1)[..., 0]
        return tf.gather(table, tf.cast(pixels, tf.int32))

    def of_words():
        pixels = tf.io.decode_png(content, channels=1, dtype=tf.uint16)[..., 0]
        return tf.gather(tf.constant(meaning.table), tf.cast(pixels, tf.int32))

    return tf.cond(depth == 16, of_words, of_bytes)


def _as_grey(content):
    """A palette PNG without its palette: the header says that the indices are grey levels."""
    checksum = tf.io.decode_raw(tf.strings.substr(content, 29, 4), tf.uint8)
    change = tf.constant([*CHECKSUM.to_bytes(4, "big")], tf.uint8)
    changed = tf.cast(tf.bitwise.bitwise_xor(checksum, change), tf.int32)
    letters = tf.gather(tf.constant([bytes([each]) for each in range(256)]), changed)

    def next_chunk(place):
        size = tf.io.decode_raw(tf.strings.substr(content, place, 4), tf.int32, little_endian=False)
        return (place + 12 + size[0],)

    def is_before_pixels(place):
        return tf.strings.substr(content, place + 4, 4) != b"IDAT"

    # Chunks between header and pixels describe colours; libpng would warn of them in grey files.
    start = (tf.constant(33),)
    (pixels,) = tf.while_loop(is_before_pixels, next_chunk, start, maximum_iterations=1000)
    parts = [
        tf.strings.substr(content, 0, 25),
        tf.constant(bytes([GREY])),
        tf.strings.substr(content, 26, 3),
        tf.strings.reduce_join(letters),
        tf.strings.substr(content, pixels, tf.strings.length(content) - pixels),
    ]
    return tf.strings.join(parts)
