"""Images with objects as arrays: the interface that files and TFRecords share."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from hrnet_tf.training.data.rows import Rows
from hrnet_tf.training.detection.readers import Record


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures(Rows):
    """N images as arrays with one row each, and a function that reads them.

    A slice of it holds the images of these rows.

    Attributes:
        rows: "name" (N,) file, for messages; "size" (N, 2) height and width; and arrays for `load`.
        load: row -> content of the file, boxes (K, 4) x1 y1 x2 y2 in pixels, classes (K,) int32 and
            the compressed run lengths of masks (K,); runs in the graph.
        most: highest number K of objects in an image.
    """

    load: Callable[[dict], tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]]
    most: int


def from_records(records: Sequence[Record]) -> Pictures:
    """The images of records, which are read from their files."""
    paths = np.array([str(record.image.path) for record in records], object)
    counts = np.array([len(record.classes) for record in records], np.int32)
    rows = {
        "name": paths,
        "path": paths,
        "size": np.array([record.image.size for record in records], np.int32).reshape(-1, 2),
        "first": np.cumsum(counts, dtype=np.int32) - counts,
        "count": counts,
    }
    boxes = tf.constant(np.concatenate([record.boxes for record in records]), tf.float32)
    classes = tf.constant(np.concatenate([record.classes for record in records]), tf.int32)
    masks = tf.constant([mask for record in records for mask in record.masks])

    def load(row):
        own = slice(row["first"], row["first"] + row["count"])
        return tf.io.read_file(row["path"]), boxes[own], classes[own], masks[own]

    return Pictures(rows, load, int(counts.max(initial=1)))
