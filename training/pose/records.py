"""People as TFRecords: the pixels that training may show of each, ready to be cropped.

    python -m hrnet_tf.training.data.tfrecord RECIPE --output=DIR --shards=64

    hrnet-tf train RECIPE --train_records='DIR/*.tfrecord' --workdir=runs/a

Their batches are those of the image files, to the bit: the same order, the same draws, the same
pixels. They are stored raw, since decoding takes most of the time of a pipeline and a second JPEG
would change them: about 0.3 MB a person for COCO. `--field=value` replaces any field of the recipe;
its padding, shape of the crop, scale, rotation and half-body decide how much of an image is kept,
so the records serve every recipe that shows no more.

DIR, a folder or an address that `tf.io.gfile` understands, receives for each shard
`people-00003-of-00064.tfrecord` and its table of contents `.npz`, without which records could not
be shuffled. A shard appears whole, its table last; what an interrupted command left out, the same
command writes. Each record is a `tf.train.Example`:

    image/pixels        bytes       (bottom - top) * (right - left) * 3, RGB, row by row
    image/window        int64 (4)   top, left, bottom, right of these pixels in their image, the
                                    last two exclusive; all else the recipe may show is outside
                                    the image, and 0
    image/size          int64 (2)   height, width of the whole image; a mirrored crop shows pixel
                                    width - 1 - x for x
    image/name          bytes       the file it was read from
    image/id            bytes       as annotated, in text
    person/id           bytes       as annotated, in text
    person/box          float (4)   x, y, width, height in pixels of the image: centre and scale of
                                    a crop are `geometry.center_scale` of it
    person/keypoints    float (3K)  x, y in pixels of the image and visibility: 0 unlabelled,
                                    1 hidden, 2 seen
"""

import hashlib
import io
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from absl import flags
from rich.console import Console
from rich.progress import track

from hrnet_tf.training.data.crops import read_image
from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.loop.resume import DAMAGE
from hrnet_tf.training.overrides import define_flags, resolve
from hrnet_tf.training.pose.batches import readable
from hrnet_tf.training.pose.people import People, images, reach
from hrnet_tf.training.pose.readers import FORMATS
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.recipe import Recipe

BLOCK = 64  # people that are decoded at a time
FRAME = 16  # bytes of length and checksums around a record
NAME = re.compile(r"(.*)-\d{5}-of-(\d{5})\.tfrecord")
COLUMNS = ("name", "box", "keypoints", "size", "bounds", "offset", "length", "mark")


def write_people(
    records: Sequence[Record],
    recipe: Recipe,
    output: str,
    shards: int = 1,
    overwrite: bool = False,
    report: Report = to_stderr,
) -> list[str]:
    """Writes what is missing of the shards; the same arguments give the same bytes.

    Args:
        records: people to train on.
        recipe: whose crops the records must serve.
        output: folder, also a remote one.
        shards: number of files.
        overwrite: replace records of other people or for another recipe.
        report: is told who is left out since the image cannot be decoded.

    Returns:
        The paths of all shards.

    Raises:
        OSError: the folder cannot be written.
        ValueError: nobody, fewer people than shards, or other records in `output`.
    """
    if not 1 <= shards <= len(records):
        raise ValueError(
            f"`shards` must be from 1 to the number of people, {len(records)}. "
            f"Received: shards={shards}."
        )
    people = images(records)
    people.rows["bounds"] = reach(people, recipe)
    output = str(output)
    paths = _shards(f"{output}/people", shards)
    owners = np.array_split(np.arange(len(records)), shards)
    marks = [_mark(records, people, rows) for rows in owners]
    try:
        missing = _missing(output, paths, marks, overwrite)
        tf.io.gfile.makedirs(output)
        console, quiet = Console(stderr=True), not sys.stderr.isatty()
        for shard in track(missing, "write records", console=console, disable=quiet):
            _write_shard(paths[shard], records, people, owners[shard], marks[shard], report)
    except tf.errors.OpError as error:
        raise OSError(f"{output}: cannot be written ({error.message}).") from error
    return paths


def read_people(pattern: str) -> People:
    """The people of finished TFRecords: a source for `batches`.

    Only the tables of contents are read. Of each person, batches read as much as they show.

    Args:
        pattern: of the paths of all shards, as `records/*.tfrecord`.

    Raises:
        OSError: there are no such files, or they cannot be read.
        ValueError: shards are missing or cut short.
    """
    try:
        return _read_people(pattern)
    except tf.errors.OpError as error:
        raise OSError(f"{pattern}: cannot be read ({error.message}).") from error


def _read_people(pattern):
    paths = sorted(tf.io.gfile.glob(pattern))
    if not paths:
        raise FileNotFoundError(
            "The pattern of TFRecords must match files, as 'DIR/*.tfrecord'. "
            f"Received: {pattern!r}, which matches none."
        )
    names = [NAME.fullmatch(path) for path in paths]
    sets = {name.groups() for name in names if name}
    if len(sets) != 1 or not all(names):
        raise ValueError(
            "The pattern of TFRecords must match the shards of one set, as 'DIR/*.tfrecord'. "
            f"Received: {pattern!r}, which matches {paths[0]} and {len(paths) - 1} more."
        )
    prefix, count = names[0].groups()
    tables = {path: table for path in paths if (table := _read_table(path))}
    tables = {path: table for path, table in tables.items() if _is_whole(path, table)}
    if bad := [path for path in _shards(prefix, int(count)) if path not in tables]:
        raise ValueError(
            f"{pattern} must match {int(count)} whole shards, but {len(bad)} are missing or cut "
            f"short, {bad[0]} first. The command that wrote them writes the rest."
        )
    columns = zip(*([table[name] for name in COLUMNS] for table in tables.values()), strict=True)
    rows = dict(zip(COLUMNS, map(np.concatenate, columns), strict=True))
    del rows["mark"]
    rows["name"] = rows["name"].astype(object)
    counts = [len(table["name"]) for table in tables.values()]
    rows["path"] = np.repeat(np.array(list(tables), object), counts)
    return People(rows, _load)


def _load(row, window):
    """Reads one record at its place; the parts of it that no crop shows are never copied."""
    # One read of the whole record, whatever the file system.
    found = tf.raw_ops.TFRecordDatasetV2(
        filenames=row["path"][None],
        compression_type="",
        buffer_size=row["length"],
        byte_offsets=row["offset"][None],
        metadata="",
    )
    found = tf.data.experimental.from_variant(found, tf.TensorSpec((), tf.string)).take(1)
    feature = {"image/pixels": tf.io.FixedLenFeature((), tf.string)}
    pixels = tf.io.parse_single_example(found.get_single_element(), feature)["image/pixels"]
    top, left, _, right = tf.unstack(row["bounds"])
    stride = 3 * (right - left)
    part = tf.strings.substr(pixels, (window[0] - top) * stride, (window[2] - window[0]) * stride)
    part = tf.reshape(tf.io.decode_raw(part, tf.uint8), (-1, right - left, 3))
    return part, tf.stack((window[0], left))


def _missing(output, paths, marks, overwrite):
    """The numbers of the shards that are not there whole; refuses records of another origin."""
    missing = []
    for number, (path, mark) in enumerate(zip(paths, marks, strict=True)):
        table = _read_table(path)
        if not table or table["mark"] != mark or not _is_whole(path, table):
            missing.append(number)
        if table and table["mark"] != mark and not overwrite:
            raise ValueError(
                f"{path} holds other people, or fewer of their pixels. Choose another --output, or "
                "replace it with --overwrite."
            )
    others = set(tf.io.gfile.glob(f"{output}/people-*.tfrecord")) - set(paths)
    if others and not overwrite:
        raise ValueError(
            f"{output} holds records in another number of shards, {min(others)} among them. "
            "Choose another --output, or replace them with --overwrite."
        )
    for path in others:
        tf.io.gfile.remove(path)
        if tf.io.gfile.exists(_table(path)):
            tf.io.gfile.remove(_table(path))
    return missing


def _write_shard(path, records, people, rows, mark, report):
    part = f"{path}.part"
    kept, offset, offsets, lengths = [], 0, [], []
    with tf.io.TFRecordWriter(part) as writer, ThreadPoolExecutor() as pool:
        for block in np.array_split(rows, -(-len(rows) // BLOCK)):
            for row, example in pool.map(lambda row: (row, _example(records, people, row)), block):
                if isinstance(example, str):
                    report(f"{people.rows['name'][row]} is left out: {example}.")
                    continue
                writer.write(example)
                kept.append(row)
                offsets.append(offset)
                lengths.append(len(example) + FRAME)
                offset += lengths[-1]
    table = {name: people.rows[name][kept] for name in ("box", "keypoints", "size", "bounds")}
    names = [f"{records[row].image.path.name}: annotation {records[row].id}" for row in kept]
    content = io.BytesIO()
    np.savez(
        content,
        **table,
        name=np.array(names, str),
        offset=np.array(offsets, np.int64),
        length=np.array(lengths, np.int64),
        mark=np.array([mark]),
    )
    if tf.io.gfile.exists(_table(path)):  # it would vouch for records that are about to change
        tf.io.gfile.remove(_table(path))
    tf.io.gfile.rename(part, path, overwrite=True)
    with tf.io.gfile.GFile(f"{_table(path)}.part", "wb") as file:
        file.write(content.getvalue())
    tf.io.gfile.rename(f"{_table(path)}.part", _table(path), overwrite=True)


def _example(records, people, row):
    """A serialised example, or in words why there is none."""
    record, window = records[row], people.rows["bounds"][row]
    try:
        pixels, corner = read_image(str(record.image.path), people.rows["size"][row], window)
    except tf.errors.OpError as error:
        return f"it cannot be decoded ({' '.join(error.message.split())})"
    top, left, bottom, right = window - np.tile(corner, 2)
    pixels = pixels.numpy()[top:bottom, left:right]
    feature = {
        "image/pixels": tf.train.BytesList(value=[pixels.tobytes()]),
        "image/window": tf.train.Int64List(value=window),
        "image/size": tf.train.Int64List(value=record.image.size),
        "image/name": tf.train.BytesList(value=[record.image.path.name.encode()]),
        "image/id": tf.train.BytesList(value=[str(record.image.id).encode()]),
        "person/id": tf.train.BytesList(value=[str(record.id).encode()]),
        "person/box": tf.train.FloatList(value=record.box),
        "person/keypoints": tf.train.FloatList(value=record.keypoints.ravel()),
    }
    kinds = {tf.train.BytesList: "bytes_list", tf.train.Int64List: "int64_list"}
    features = {
        name: tf.train.Feature(**{kinds.get(type(value), "float_list"): value})
        for name, value in feature.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(
        deterministic=True
    )


def _mark(records, people, rows):
    """What tells whether a shard holds these people, with these pixels."""
    told = hashlib.sha256()
    for name in ("box", "keypoints", "size", "bounds"):
        told.update(people.rows[name][rows].tobytes())
    names = [(records[row].image.path.name, records[row].id) for row in rows]
    told.update(repr(names).encode())
    return told.hexdigest()


def _shards(prefix, count):
    return [f"{prefix}-{number:05}-of-{count:05}.tfrecord" for number in range(count)]


def _table(path):
    return path.removesuffix(".tfrecord") + ".npz"


def _read_table(path):
    """The table of contents of a shard; None where there is none, or none that can be read."""
    if not tf.io.gfile.exists(_table(path)):
        return None
    with tf.io.gfile.GFile(_table(path), "rb") as file:
        content = io.BytesIO(file.read())
    try:
        with np.load(content) as table:
            return {name: table[name] for name in COLUMNS}
    except DAMAGE:
        return None


def _is_whole(path, table):
    end = (table["offset"] + table["length"]).max(initial=0)
    return tf.io.gfile.exists(path) and tf.io.gfile.stat(path).length == end


def main(argv: list[str] | None = None) -> int:
    """Runs `python -m hrnet_tf.training.data.tfrecord RECIPE --output=DIR --shards=64`."""
    values = flags.FlagValues()
    flags.DEFINE_string("output", None, "folder for the records", flag_values=values)
    flags.DEFINE_integer("shards", 64, "number of files", lower_bound=1, flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace other records there", flag_values=values)
    define_flags(values)
    values.set_gnu_getopt(True)
    argv = sys.argv if argv is None else argv
    if "--help" in argv:
        print(__doc__, values.get_help(), sep="\n")
        return 0
    try:
        recipe = resolve(values, values(argv)[1:])
        if not values.output:
            raise flags.Error("name the folder for the records: --output=DIR.")
        read = FORMATS[recipe.data_format]
        records = readable(read(recipe.train_annotations, recipe.train_images))
        paths = write_people(records, recipe, values.output, values.shards, values.overwrite)
        people = read_people(f"{values.output}/people-*.tfrecord")
    except (flags.Error, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(people)} people in {len(paths)} shards: {values.output}/*.tfrecord")
    return 0
