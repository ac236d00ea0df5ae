"""People as TFRecords, for the command `training.data.tfrecord`, which explains their purpose.

Each record is a `tf.train.Example`:

    image/pixels        bytes       (bottom - top) * (right - left) * 3, RGB, row by row
    image/window        int64 (4)   top, left, bottom, right of these pixels in their image, the
                                    last two exclusive; other pixels that the recipe may show
                                    lie outside the image, and are 0
    image/size          int64 (2)   height, width of the whole image; a mirrored crop shows pixel
                                    width - 1 - x for x
    image/name          bytes       the file that it was read from
    image/id            bytes       the annotated id, as text
    person/id           bytes       the annotated id, as text
    person/box          float (4)   x, y, width, height in pixels of the image: centre and scale of
                                    a crop are `geometry.center_scale` of it
    person/keypoints    float (3K)  x, y in pixels of the image and visibility: 0 unlabelled,
                                    1 hidden, 2 seen
"""

import hashlib
from collections.abc import Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from hrnet_tf.training.data.crops import read_image
from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.data.tfrecord.shards import (
    Items,
    check_shards,
    read_record,
    read_shards,
    serialized,
    write_shards,
)
from hrnet_tf.training.pose.people import People, images, reach
from hrnet_tf.training.pose.readers import read, to_train_on
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.readers.pictures import readable
from hrnet_tf.training.pose.recipe import PoseRecipe

COLUMNS = ("box", "keypoints", "size", "bounds")  # columns of the tables of contents


def write_recipe_people(
    recipe: PoseRecipe, output: str, shards: int, overwrite: bool = False
) -> tuple[int, list[str]]:
    """Writes the training people of a recipe; returns their number and the paths of the shards.

    Raises:
        OSError, ValueError: as `write_people`, or the annotations cannot be used.
    """
    files = recipe.train_annotations, recipe.train_images
    found = read(recipe.data_format, *files, to_stderr, recipe.keypoints, recipe.category)
    records = readable(to_train_on(found.everyone, found.data_format))
    paths = write_people(records, recipe, output, shards, overwrite)
    return len(read_people(f"{output}/people-*.tfrecord")), paths


def write_people(
    records: Sequence[Record],
    recipe: PoseRecipe,
    output: str,
    shards: int = 1,
    overwrite: bool = False,
    report: Report = to_stderr,
) -> list[str]:
    """Writes the shards that do not exist yet; the same arguments give the same bytes.

    Args:
        records: people to train on.
        recipe: the recipe for whose crops the records must have enough pixels.
        output: a folder, which may be remote.
        shards: number of files.
        overwrite: replace records of other people or for another recipe.
        report: receives a line for each person whose image cannot be decoded.

    Returns:
        The paths of all shards.

    Raises:
        OSError: the folder cannot be written.
        ValueError: there are fewer people than shards, or `output` has other records.
    """
    check_shards(shards, len(records), "people")
    people = images(records)
    people.rows["bounds"] = reach(people, recipe)
    items = Items(
        prefix="people",
        names=[f"{record.image.path.name}: annotation {record.id}" for record in records],
        labels=people.rows["name"],
        columns={name: people.rows[name] for name in COLUMNS},
        example=partial(_example, records, people),
        mark=partial(_mark, records, people),
    )
    return write_shards(items, str(output), shards, overwrite, report)


def read_people(pattern: str) -> People:
    """The people of finished TFRecords: a source for `batches`.

    Only the tables of contents are read here; batches read the records when they need them.

    Args:
        pattern: pattern of the paths of all shards, such as `records/*.tfrecord`.

    Raises:
        OSError: there are no such files, or they cannot be read.
        ValueError: a shard is missing or truncated.
    """
    return People(read_shards(pattern, COLUMNS), _load)


def _load(row, window):
    """Reads one record; rows of pixels outside the window are not copied."""
    feature = {"image/pixels": tf.io.FixedLenFeature((), tf.string)}
    pixels = tf.io.parse_single_example(read_record(row), feature)["image/pixels"]
    top, left, _, right = tf.unstack(row["bounds"])
    stride = 3 * (right - left)
    part = tf.strings.substr(pixels, (window[0] - top) * stride, (window[2] - window[0]) * stride)
    part = tf.reshape(tf.io.decode_raw(part, tf.uint8), (-1, right - left, 3))
    return part, tf.stack((window[0], left))


def _example(records, people, row):
    """A serialised example, or a text that says why there is none."""
    record, window = records[row], people.rows["bounds"][row]
    try:
        path, size = str(record.image.path), people.rows["size"][row]
        pixels, corner = read_image(path, size, window)
    except tf.errors.OpError as error:
        return f"it cannot be decoded ({' '.join(error.message.split())})"
    top, left, bottom, right = window - np.tile(corner, 2)
    pixels = pixels.numpy()[top:bottom, left:right]
    return serialized(
        {
            "image/pixels": tf.train.BytesList(value=[pixels.tobytes()]),
            "image/window": tf.train.Int64List(value=window),
            "image/size": tf.train.Int64List(value=record.image.size),
            "image/name": tf.train.BytesList(value=[record.image.path.name.encode()]),
            "image/id": tf.train.BytesList(value=[str(record.image.id).encode()]),
            "person/id": tf.train.BytesList(value=[str(record.id).encode()]),
            "person/box": tf.train.FloatList(value=record.box),
            "person/keypoints": tf.train.FloatList(value=record.keypoints.ravel()),
        }
    )


def _mark(records, people, rows):
    """A text that differs if a shard's people or the pixels in their records differ."""
    told = hashlib.sha256()
    for name in COLUMNS:
        told.update(people.rows[name][rows].tobytes())
    names = [(records[row].image.path.name, records[row].id) for row in rows]
    told.update(repr(names).encode())
    return told.hexdigest()
