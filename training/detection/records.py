"""Pictures with objects as TFRecords, for the command `training.data.tfrecord`.

Each record is a `tf.train.Example`:

    image/encoded       bytes       the picture's file, JPEG or PNG
    image/name          bytes       its name
    image/size          int64 (2)   height, width
    objects/boxes       float (4 K) x1, y1, x2, y2 of each object in pixels
    objects/classes     int64 (K)   indices of the recipe's classes
    objects/masks       bytes (K)   COCO's compressed run lengths; empty where there is no mask

Records hold files as they are, so their batches are those of the files, to the bit.
"""

import hashlib
from collections.abc import Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from hrnet_tf.training.data.sources import look
from hrnet_tf.training.data.tfrecord.shards import (
    Items,
    check_shards,
    read_record,
    read_shards,
    serialized,
    write_shards,
)
from hrnet_tf.training.detection.pictures import Pictures
from hrnet_tf.training.detection.readers import Record, read
from hrnet_tf.training.detection.recipe import DetectionRecipe

COLUMNS = ("size", "count", "classes")  # columns of the tables of contents


def write_records(
    recipe: DetectionRecipe, output: str, shards: int, overwrite: bool = False
) -> tuple[int, list[str]]:
    """Writes the training pictures of a recipe; returns their number and the paths of the shards.

    Raises:
        OSError, ValueError: the pictures cannot be used, there are fewer than shards, or `output`
            has other records.
    """
    data = recipe.data("train")
    records = read(data.annotations, data.images, recipe.card, classes=data.classes)
    check_shards(shards, len(records), "pictures")
    classes = _mark_of(recipe.classes)
    items = Items(
        prefix="objects",
        names=[record.image.path.name for record in records],
        labels=[str(record.image.path) for record in records],
        columns={
            "size": np.array([record.image.size for record in records], np.int32).reshape(-1, 2),
            "count": np.array([len(record.classes) for record in records], np.int32),
            "classes": np.full(len(records), classes),
        },
        example=partial(_example, records),
        mark=partial(_mark, records, classes),
    )
    paths = write_shards(items, str(output), shards, overwrite)
    return len(read_shards(f"{output}/objects-*.tfrecord", COLUMNS)["name"]), paths


def read_pictures(pattern: str, classes: Sequence[str]) -> Pictures:
    """The pictures of finished TFRecords: a source for `batches`.

    Raises:
        OSError: there are no such files, or they cannot be read.
        ValueError: a shard is missing or truncated, or has other classes than `classes`.
    """
    rows = read_shards(pattern, COLUMNS)
    if (rows.pop("classes") != _mark_of(classes)).any():
        raise ValueError(
            f"{pattern} must have the {len(classes)} `classes` of the recipe, in their order. "
            "Write the records again by this recipe."
        )
    return Pictures(rows, _load, int(rows["count"].max(initial=1)))


def _load(row):
    features = {
        "image/encoded": tf.io.FixedLenFeature((), tf.string),
        "objects/boxes": tf.io.RaggedFeature(tf.float32),
        "objects/classes": tf.io.RaggedFeature(tf.int64),
        "objects/masks": tf.io.RaggedFeature(tf.string),
    }
    found = tf.io.parse_single_example(read_record(row), features)
    boxes = tf.reshape(found["objects/boxes"], (-1, 4))
    classes = tf.cast(found["objects/classes"], tf.int32)
    return found["image/encoded"], boxes, classes, found["objects/masks"]


def _example(records: Sequence[Record], row: int) -> bytes | str:
    """A serialised example, or a text that says why there is none."""
    record = records[row]
    if reason := look(record.image).flaw:
        return reason
    masks = [mask.encode() if isinstance(mask, str) else mask for mask in record.masks]
    return serialized(
        {
            "image/encoded": tf.train.BytesList(value=[record.image.path.read_bytes()]),
            "image/name": tf.train.BytesList(value=[record.image.path.name.encode()]),
            "image/size": tf.train.Int64List(value=record.image.size),
            "objects/boxes": tf.train.FloatList(value=record.boxes.ravel()),
            "objects/classes": tf.train.Int64List(value=record.classes),
            "objects/masks": tf.train.BytesList(value=masks),
        }
    )


def _mark_of(classes):
    return hashlib.sha256(repr(tuple(classes)).encode()).hexdigest()[:16]


def _mark(records: Sequence[Record], classes: str, rows: Sequence[int]) -> str:
    """A text that differs if a shard's pictures, their objects or the classes differ."""
    told = hashlib.sha256(classes.encode())
    for record in (records[row] for row in rows):
        told.update(repr((record.image.path.name, record.image.size, [*record.masks])).encode())
        told.update(record.boxes.tobytes() + record.classes.tobytes())
    return told.hexdigest()
