"""Pictures as TFRecords, for the command `training.data.tfrecord`, which explains their purpose.

Each record is a `tf.train.Example`:

    image/encoded   bytes   the picture's file as it is
    image/name      bytes   its name
    image/class     bytes   name of its class
    image/label     int64   number of its class

The files are kept encoded: random crops show all of a picture, whose pixels would take five times
the space.
"""

import hashlib
from collections.abc import Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from hrnet_tf.training.classification.pictures import Pictures, held_out
from hrnet_tf.training.classification.readers import numbers_of, read
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.data import crops
from hrnet_tf.training.data.tfrecord.shards import (
    Items,
    check_shards,
    read_record,
    read_shards,
    serialized,
    write_shards,
)

COLUMNS = ("label", "class")  # columns of the tables of contents


def write_records(
    recipe: ClassificationRecipe, output: str, shards: int, overwrite: bool = False
) -> tuple[int, list[str]]:
    """Writes the training pictures of a recipe; returns their number and the paths of the shards.

    Raises:
        OSError, ValueError: the pictures cannot be used, there are fewer than shards, or `output`
            has other records.
    """
    pictures = read(recipe.train_images, recipe.train_annotations, recipe.classes)
    if recipe.held_out and not recipe.val_images:
        pictures = pictures[~held_out(pictures, recipe.held_out)]
    check_shards(shards, len(pictures), "pictures")
    labels = pictures.rows["label"]
    names = np.array(recipe.classes)[labels]
    items = Items(
        prefix="pictures",
        names=pictures.rows["name"],
        labels=pictures.rows["path"],
        columns={"label": labels, "class": names},
        example=partial(_example, pictures, names),
        mark=partial(_mark, pictures, names),
    )
    paths = write_shards(items, str(output), shards, overwrite)
    return len(read_shards(f"{output}/pictures-*.tfrecord", COLUMNS)["name"]), paths


def read_pictures(pattern: str, classes: Sequence[str]) -> Pictures:
    """The pictures of finished TFRecords: a source for `batches`.

    Only the tables of contents are read here; batches read the records when they need them.

    Raises:
        OSError: there are no such files, or they cannot be read.
        ValueError: a shard is missing or truncated, or a class is none of `classes`.
    """
    rows = read_shards(pattern, COLUMNS)
    known, names = numbers_of(classes), rows.pop("class")
    fits = np.array([classes[label] for label in rows["label"].clip(0, len(classes) - 1)]) == names
    if unknown := sorted({*names[~fits]} - {*known}):
        raise ValueError(
            f"`classes` must have all classes of {pattern}. Received: {len(classes)} classes, "
            f"without {str(unknown[0])!r}."
        )
    rows["label"] = np.where(fits, rows["label"], [known.get(name, -1) for name in names])
    return Pictures({**rows, "label": rows["label"].astype(np.int32)}, _read)


def recorded_classes(pattern: str) -> tuple[str, ...]:
    """The names of the classes in TFRecords, in the order of their numbers; raises as above."""
    rows = read_shards(pattern, COLUMNS)
    pairs = sorted({*zip(rows["label"].tolist(), rows["class"].tolist(), strict=True)})
    return tuple(name for _, name in pairs)


def _read(row):
    feature = {"image/encoded": tf.io.FixedLenFeature((), tf.string)}
    return tf.io.parse_single_example(read_record(row), feature)["image/encoded"]


def _example(pictures, names, row):
    """A serialised example, or a text that says why there is none."""
    own = {name: tf.constant(values[row]) for name, values in pictures.rows.items()}
    try:
        content = pictures.read(own).numpy()
        size = crops.stored_size(content)
        crops.decode(content, size, tf.concat((tf.zeros_like(size), size), axis=0))
    except tf.errors.OpError as error:
        return f"it cannot be decoded ({' '.join(error.message.split())})"
    return serialized(
        {
            "image/encoded": tf.train.BytesList(value=[content]),
            "image/name": tf.train.BytesList(value=[str(pictures.rows["name"][row]).encode()]),
            "image/class": tf.train.BytesList(value=[str(names[row]).encode()]),
            "image/label": tf.train.Int64List(value=[int(pictures.rows["label"][row])]),
        }
    )


def _mark(pictures, names, rows):
    """A text that differs if a shard's pictures or their classes differ."""
    told = [(pictures.rows["name"][row], names[row]) for row in rows]
    return hashlib.sha256(repr([tuple(map(str, each)) for each in told]).encode()).hexdigest()
