"""Pictures with masks as TFRecords, for the command `training.data.tfrecord`.

Each record is a `tf.train.Example`:

    image/encoded       bytes       the picture's file as it is
    image/name          bytes       the file that it was read from
    image/size          int64 (2)   height, width
    mask/encoded        bytes       PNG, its numbers are the classes, 255 where there is none

Records hold files as they are, so their batches are those of the files, to the bit. Other recipes
with the same classes can use them.
"""

import hashlib
from collections.abc import Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from hrnet_tf.labels.label_values import plain
from hrnet_tf.training.data.sources import Report, look, to_stderr
from hrnet_tf.training.data.tfrecord.shards import (
    Items,
    check_shards,
    read_record,
    read_shards,
    serialized,
    write_shards,
)
from hrnet_tf.training.segmentation.masks import Meaning, png, read_mask
from hrnet_tf.training.segmentation.pictures import Pictures
from hrnet_tf.training.segmentation.readers import Annotated, read
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

COLUMNS = ("size", "classes")  # columns of the tables of contents


def write_recipe_pictures(
    recipe: SegmentationRecipe, output: str, shards: int, overwrite: bool = False
) -> tuple[int, list[str]]:
    """Writes the training pictures of a recipe; returns their number and the paths of the shards.

    Raises:
        OSError, ValueError: as `write_pictures`, or the annotations cannot be used.
    """
    found = read(recipe.data("train"), recipe.card)
    paths = write_pictures(found, output, shards, overwrite)
    return len(read_pictures(f"{output}/pictures-*.tfrecord", recipe)), paths


def write_pictures(
    found: Annotated,
    output: str,
    shards: int = 1,
    overwrite: bool = False,
    report: Report = to_stderr,
) -> list[str]:
    """Writes the shards that do not exist yet; the same arguments give the same bytes.

    Args:
        found: the annotated pictures.
        output: a folder, which may be remote.
        shards: number of files.
        overwrite: replace records of other pictures.
        report: receives a line for each picture or mask that cannot be used.

    Raises:
        OSError: the folder cannot be written.
        ValueError: there are fewer pictures than shards, or `output` has other records.
    """
    records = found.records
    check_shards(shards, len(records), "pictures")
    names = [str(record.image.path) for record in records]
    sizes = np.array([record.image.size for record in records], np.int32).reshape(-1, 2)
    items = Items(
        prefix="pictures",
        names=[record.image.path.name for record in records],
        labels=names,
        columns={"size": sizes, "classes": np.full(len(records), found.meaning.count, np.int32)},
        example=partial(_example, found),
        mark=partial(_mark, found),
    )
    return write_shards(items, str(output), shards, overwrite, report)


def read_pictures(pattern: str, recipe: SegmentationRecipe) -> Pictures:
    """The pictures of finished TFRecords: a source for `batches`.

    Args:
        pattern: pattern of the paths of all shards, such as `records/*.tfrecord`.
        recipe: the recipe, whose classes the records must have.

    Raises:
        OSError: there are no such files, or they cannot be read.
        ValueError: a shard is missing or truncated, or has other classes.
    """
    rows, count = read_shards(pattern, COLUMNS), len(recipe.classes.names)
    if (rows.pop("classes") != count).any():
        raise ValueError(
            f"{pattern} must have the {count} classes of the recipe. Write the records again."
        )
    return Pictures(rows, _load, Meaning(count, plain(count)))


def _load(row):
    features = {
        name: tf.io.FixedLenFeature((), tf.string) for name in ("image/encoded", "mask/encoded")
    }
    found = tf.io.parse_single_example(read_record(row), features)
    return found["image/encoded"], found["mask/encoded"]


def _example(found: Annotated, row: int) -> bytes | str:
    """A serialised example, or a text that says why there is none."""
    record = found.records[row]
    if reason := look(record.image).flaw:
        return reason
    try:
        mask = png(read_mask(record.mask, found.meaning))
    except (OSError, ValueError) as error:
        return f"its mask: {error}"
    return serialized(
        {
            "image/encoded": tf.train.BytesList(value=[record.image.path.read_bytes()]),
            "image/name": tf.train.BytesList(value=[record.image.path.name.encode()]),
            "image/size": tf.train.Int64List(value=record.image.size),
            "mask/encoded": tf.train.BytesList(value=[mask]),
        }
    )


def _mark(found: Annotated, rows: Sequence[int]) -> str:
    """A text that differs if a shard's pictures or the meaning of their masks differ."""
    told = hashlib.sha256(repr((found.meaning.values, found.meaning.colors)).encode())
    for row in rows:
        record = found.records[row]
        mask = record.mask if isinstance(record.mask, bytes) else record.mask.name.encode()
        told.update(repr((record.image.path.name, record.image.size)).encode() + mask)
    return told.hexdigest()
