"""Pictures with masks as arrays: the interface that files and TFRecords share."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from hrnet_tf.training.data import crops
from hrnet_tf.training.data.rows import Rows
from hrnet_tf.training.segmentation.masks import Meaning, decode_mask
from hrnet_tf.training.segmentation.readers import Record


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures(Rows):
    """N pictures as arrays with one row each, and a function that reads their files.

    A slice of it holds the pictures of these rows.

    Attributes:
        rows: "name" (N,) file, for messages; "size" (N, 2) height and width; and arrays for `load`.
        load: row -> the contents of the picture's and the mask's file; runs in the graph.
        meaning: of the masks.
    """

    load: Callable[[dict], tuple[tf.Tensor, tf.Tensor]]
    meaning: Meaning


def from_records(records: Sequence[Record], meaning: Meaning) -> Pictures:
    """The pictures of records, which are read from their files."""
    paths = np.array([str(record.image.path) for record in records], object)
    stored = bool(records) and isinstance(records[0].mask, bytes)
    masks = [record.mask if stored else str(record.mask) for record in records]
    rows = {
        "name": paths,
        "path": paths,
        "mask": np.array(masks, object),
        "size": np.array([record.image.size for record in records], np.int32).reshape(-1, 2),
    }

    def load(row):
        mask = row["mask"] if stored else tf.io.read_file(row["mask"])
        return tf.io.read_file(row["path"]), mask

    return Pictures(rows, load, meaning)


def decode(
    picture: tf.Tensor, mask: tf.Tensor, size: tf.Tensor, meaning: Meaning
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a picture and its mask; fails unless both have the size that the headers told.

    Args:
        picture: content of the picture's file.
        mask: content of a PNG file.
        size: (2,) height and width.
        meaning: of the mask.

    Returns:
        Pixels (H, W, 3) and classes (H, W), uint8.
    """
    pixels, _ = crops.decode(picture, size, tf.concat((tf.zeros_like(size), size), axis=0))
    classes = decode_mask(mask, meaning)
    with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(classes), size)]):
        return tf.ensure_shape(pixels, (None, None, 3)), tf.ensure_shape(classes, (None, None))
