"""Compares the pictures of people with their annotations before they are cropped."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hrnet_tf.training.data.sources import Report, look, to_stderr
from hrnet_tf.training.pose.readers.coco import Record


def readable(
    records: Sequence[Record], report: Report = to_stderr, decode: bool = False
) -> list[Record]:
    """Leaves out persons in unusable images, and reports each such image with a line.

    Without `decode` only headers are read: decoding all pixels of a large set from a slow disk
    takes hours, and `batches` handles images that turn out to be damaged later.
    """
    files = list({record.image.path: record.image for record in records}.values())
    with ThreadPoolExecutor() as pool:
        looks = dict(zip(files, pool.map(partial(look, decode=decode), files), strict=True))
    for file, found in looks.items():
        if line := found.line(file.path):
            report(line)
    flaws = {file.path: found.flaw for file, found in looks.items()}
    return [record for record in records if not flaws[record.image.path]]
