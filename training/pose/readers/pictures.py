"""Compares the pictures of people with their annotations before they are cropped."""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hrnet_tf.training.data.sources import Look, Report, look, to_stderr
from hrnet_tf.training.pose.readers.coco import Record


def readable(
    records: Sequence[Record], report: Report = to_stderr, decode: bool = False
) -> list[Record]:
    """Leaves out persons in unusable images, and reports each such image with a line.

    Without `decode` only headers are read: decoding all pixels of a large set from a slow disk
    takes hours, and `batches` handles images that turn out to be damaged later. The images of the
    result say whether they are `plain`.
    """
    files = list({record.image.path: record.image for record in records}.values())
    with ThreadPoolExecutor() as pool:
        looks = dict(zip(files, pool.map(partial(look, decode=decode), files), strict=True))
    for file, found in looks.items():
        if found.flaw:
            report(f"{file.path} is left out: {found.flaw}.")
        elif found.remark:
            report(f"{file.path}: {found.remark}.")
    by_path = {file.path: found for file, found in looks.items()}
    return [_marked(r, by_path[r.image.path]) for r in records if not by_path[r.image.path].flaw]


def _marked(record: Record, found: Look) -> Record:
    if found.plain:
        return record
    return dataclasses.replace(record, image=dataclasses.replace(record.image, plain=False))
