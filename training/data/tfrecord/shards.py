"""Writes and reads shards of TFRecords with tables of contents, whatever the records hold.

A shard `people-00003-of-00064.tfrecord` never appears in part; its table `.npz` is written after
it. The table has a row for each record: its place in the file, and values that callers need
without reading the record. A mark in the table tells whether the shard holds the records that
would be written now.
"""

import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import track

from hrnet_tf.files import DAMAGE
from hrnet_tf.training.data.sources import Report, to_stderr

BLOCK = 64  # number of records that are made at a time
FRAME = 16  # bytes of length and checksums around a record
NAME = re.compile(r"(.*)-\d{5}-of-(\d{5})\.tfrecord")
OWN = ("name", "offset", "length", "mark")  # columns that every table has


@dataclass(frozen=True, eq=False)
class Items:
    """N items to write as records.

    Attributes:
        prefix: start of the file names, a plural: "people".
        names: N names for the tables.
        labels: N names for messages.
        columns: arrays (N, ...) for the tables, by name.
        example: row -> a serialised record, or a text that says why there is none.
        mark: rows -> a text that differs if the records of these rows differ.
    """

    prefix: str
    names: Sequence[str]
    labels: Sequence[str]
    columns: Mapping[str, np.ndarray]
    example: Callable[[int], bytes | str]
    mark: Callable[[np.ndarray], str]


def write_shards(
    items: Items, output: str, shards: int, overwrite: bool = False, report: Report = to_stderr
) -> list[str]:
    """Writes the shards that do not exist yet; the same arguments give the same bytes.

    Args:
        items: the items, in the order of the records.
        output: a folder, which may be remote.
        shards: number of files; see `check_shards`.
        overwrite: replace shards with other records.
        report: receives a line for each item that is left out since it has no record.

    Returns:
        The paths of all shards.

    Raises:
        OSError: the folder cannot be written.
        ValueError: `output` has shards with other records, and `overwrite` is False.
    """
    paths = _paths(f"{output}/{items.prefix}", shards)
    owners = np.array_split(np.arange(len(items.names)), shards)
    marks = [items.mark(rows) for rows in owners]
    try:
        missing = _missing(
            f"{output}/{items.prefix}", paths, marks, (*items.columns, *OWN), overwrite
        )
        tf.io.gfile.makedirs(output)
        console, quiet = Console(stderr=True), not sys.stderr.isatty()
        for shard in track(missing, "write records", console=console, disable=quiet):
            _write_shard(paths[shard], items, owners[shard], marks[shard], report)
    except tf.errors.OpError as error:
        raise OSError(f"{output}: cannot be written ({error.message}).") from error
    return paths


def check_shards(shards: int, count: int, what: str) -> None:
    """Raises ValueError unless each shard gets an item; `what` names items in the error."""
    if not 1 <= shards <= count:
        raise ValueError(
            f"`shards` must be from 1 to the number of {what}, {count}. Received: shards={shards}."
        )


def read_shards(pattern: str, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads and joins the tables of finished shards; reads no record.

    Args:
        pattern: pattern of the paths of all shards, such as `records/*.tfrecord`.
        columns: the columns that the tables must have.

    Returns:
        These columns, "name", and for `read_record` "path", "offset" and "length".

    Raises:
        OSError: there are no such files, or they cannot be read.
        ValueError: a shard is missing or truncated.
    """
    try:
        return _read_shards(pattern, columns)
    except tf.errors.OpError as error:
        raise OSError(f"{pattern}: cannot be read ({error.message}).") from error


def read_record(row: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The serialised record of one row of `read_shards`, in the graph."""
    # This operation reads the record in one piece on every file system.
    found = tf.raw_ops.TFRecordDatasetV2(
        filenames=row["path"][None],
        compression_type="",
        buffer_size=row["length"],
        byte_offsets=row["offset"][None],
        metadata="",
    )
    found = tf.data.experimental.from_variant(found, tf.TensorSpec((), tf.string)).take(1)
    return found.get_single_element()


def serialized(features: Mapping[str, object]) -> bytes:
    """Serializes a `tf.train.Example`; `features` are lists such as `tf.train.BytesList`."""
    kinds = {tf.train.BytesList: "bytes_list", tf.train.Int64List: "int64_list"}
    features = {
        name: tf.train.Feature(**{kinds.get(type(value), "float_list"): value})
        for name, value in features.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def _read_shards(pattern, columns):
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
    columns = (*columns, *OWN)
    tables = {path: table for path in paths if (table := _read_table(path, columns))}
    tables = {path: table for path, table in tables.items() if _is_whole(path, table)}
    if bad := [path for path in _paths(prefix, int(count)) if path not in tables]:
        raise ValueError(
            f"{pattern} must match {int(count)} whole shards, but {len(bad)} are missing or cut "
            f"short, {bad[0]} first. The command that wrote them writes the rest."
        )
    joined = zip(*([table[name] for name in columns] for table in tables.values()), strict=True)
    rows = dict(zip(columns, map(np.concatenate, joined), strict=True))
    del rows["mark"]
    rows["name"] = rows["name"].astype(object)
    counts = [len(table["name"]) for table in tables.values()]
    rows["path"] = np.repeat(np.array(list(tables), object), counts)
    return rows


def _missing(prefix, paths, marks, columns, overwrite):
    """The numbers of the shards to write; raises ValueError for shards with other records."""
    missing = []
    for number, (path, mark) in enumerate(zip(paths, marks, strict=True)):
        table = _read_table(path, columns)
        if not table or table["mark"] != mark or not _is_whole(path, table):
            missing.append(number)
        if table and table["mark"] != mark and not overwrite:
            what = prefix.rpartition("/")[2]
            raise ValueError(
                f"{path} holds other {what}, or fewer of their pixels. Choose another --output, or "
                "replace it with --overwrite."
            )
    others = set(tf.io.gfile.glob(f"{prefix}-*.tfrecord")) - set(paths)
    if others and not overwrite:
        folder = prefix.rpartition("/")[0]
        raise ValueError(
            f"{folder} holds records in another number of shards, {min(others)} among them. "
            "Choose another --output, or replace them with --overwrite."
        )
    for path in others:
        tf.io.gfile.remove(path)
        if tf.io.gfile.exists(_table(path)):
            tf.io.gfile.remove(_table(path))
    return missing


def _write_shard(path, items, rows, mark, report):
    part = f"{path}.part"
    kept, offset, offsets, lengths = [], 0, [], []
    with tf.io.TFRecordWriter(part) as writer, ThreadPoolExecutor() as pool:
        for block in np.array_split(rows, -(-len(rows) // BLOCK)):
            for row, example in zip(block, pool.map(items.example, block), strict=True):
                if isinstance(example, str):
                    report(f"{items.labels[row]} is left out: {example}.")
                    continue
                writer.write(example)
                kept.append(row)
                offsets.append(offset)
                lengths.append(len(example) + FRAME)
                offset += lengths[-1]
    content = io.BytesIO()
    np.savez(
        content,
        **{name: values[kept] for name, values in items.columns.items()},
        name=np.array([items.names[row] for row in kept], str),
        offset=np.array(offsets, np.int64),
        length=np.array(lengths, np.int64),
        mark=np.array([mark]),
    )
    if tf.io.gfile.exists(_table(path)):  # a shard with a table counts as finished
        tf.io.gfile.remove(_table(path))
    tf.io.gfile.rename(part, path, overwrite=True)
    with tf.io.gfile.GFile(f"{_table(path)}.part", "wb") as file:
        file.write(content.getvalue())
    tf.io.gfile.rename(f"{_table(path)}.part", _table(path), overwrite=True)


def _paths(prefix, count):
    return [f"{prefix}-{number:05}-of-{count:05}.tfrecord" for number in range(count)]


def _table(path):
    return path.removesuffix(".tfrecord") + ".npz"


def _read_table(path, columns):
    """The table of contents of a shard; None if there is none or it cannot be read."""
    if not tf.io.gfile.exists(_table(path)):
        return None
    with tf.io.gfile.GFile(_table(path), "rb") as file:
        content = io.BytesIO(file.read())
    try:
        with np.load(content) as table:
            return {name: table[name] for name in columns}
    except DAMAGE:
        return None


def _is_whole(path, table):
    end = (table["offset"] + table["length"]).max(initial=0)
    return tf.io.gfile.exists(path) and tf.io.gfile.stat(path).length == end
