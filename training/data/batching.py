"""Batches as a function of seed and step: order, shares of devices, and items that cannot be read.

What an item is, and what becomes of it, is up to three functions of the caller: `plan` works on the
rows of a whole batch, `load` on a chunk of them in one thread, `finish` on a batch of what `load`
returned, compiled by XLA.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from hrnet_tf.training.data.order import in_order, shuffled, steps_per_epoch

CHUNK = 32  # one thread loads at most so many items at a time

Arrays = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Share:
    """The part of each batch that a data set yields.

    Attributes:
        parts: number of equal parts into which each batch is cut, one for each device.
        first_part: the first of these parts that the data set yields.
        local_parts: number of parts of each batch that it yields, one after the other.
    """

    parts: int = 1
    first_part: int = 0
    local_parts: int = 1


@dataclass(frozen=True)
class Steps:
    """The batches of a data set.

    Attributes:
        batch_size: items of a batch, on all devices together.
        seed: seed of the order.
        endless: shuffled passes without end, as for training; else one pass in order.
        first: number of the first batch.
    """

    batch_size: int
    seed: int
    endless: bool
    first: int = 0


def make_batches(
    rows: Mapping[str, np.ndarray],
    steps: Steps,
    share: Share,
    plan: Callable[[Arrays, tf.Tensor], Arrays],
    load: Callable[[Arrays], Arrays],
    finish: Callable[[Arrays], tuple],
) -> tf.data.Dataset:
    """A data set of what `finish` returns.

    An endless data set depends on the seed and the step alone: a run can resume at any step with
    the same batches, without decoding earlier ones. A batch may contain items of two passes.

    Args:
        rows: arrays with one row for each of N items; "name" (N,) is for messages.
        steps: which batches.
        share: which part of each.
        plan: (rows of a batch (B, ...), step) -> arrays (B, ...), "name" among them.
        load: arrays (chunk, ...) -> arrays (chunk, ...); see `load_items`.
        finish: arrays (B, ...) -> (inputs, targets, weights).

    Raises:
        ValueError: there are no rows, a single pass is to be cut into parts, or the batch size is
            no multiple of `parts`.
    """
    count, size = len(rows["name"]), steps.batch_size
    if not count:
        raise ValueError("`source` must hold something. Received: no items.")
    if not steps.endless and share.parts != 1:
        raise ValueError(
            f"Only batches with `augment` can be cut into parts. Received: parts={share.parts}."
        )
    if size % share.parts:
        raise ValueError(
            f"`batch_size` must be a multiple of the number of devices, {share.parts}. "
            f"Received: batch_size={size}."
        )
    last = tf.int64.max if steps.endless else steps_per_epoch(count, size)
    each = size // share.parts
    own = slice(share.first_part * each, (share.first_part + share.local_parts) * each)
    chunk = math.gcd(each, CHUNK)
    rows = {name: tf.constant(values) for name, values in rows.items()}

    def planned(step):
        """The items of a step, in chunks of one thread: dict of arrays (chunks, items, ...)."""
        where = (step, count, size)
        chosen = shuffled(*where, steps.seed) if steps.endless else in_order(*where)
        views = plan({name: tf.gather(v, chosen) for name, v in rows.items()}, step)
        return {name: tf.reshape(v[own], (-1, chunk, *v.shape[1:])) for name, v in views.items()}

    # What is mapped has no `if` on a tensor; AutoGraph would read its source for a second.
    plain = tf.autograph.experimental.do_not_convert
    data = tf.data.Dataset.range(steps.first, last).map(plain(planned)).unbatch()
    data = data.map(plain(load), tf.data.AUTOTUNE)

    # Starting an operation costs more than its arithmetic on one crop, so `finish` takes batches.
    @tf.function(jit_compile=True, autograph=False)
    def finished(batch):
        return finish({name: tf.reshape(v, (-1, *v.shape[2:])) for name, v in batch.items()})

    data = data.batch(each // chunk, drop_remainder=True).map(plain(finished))
    if steps.endless:
        length = tf.data.INFINITE_CARDINALITY
    else:
        length = last - steps.first
        # The last batch was filled with copies of the last item, which are removed here.
        data = data.enumerate(steps.first).map(
            plain(
                lambda step, batch: tf.nest.map_structure(lambda v: v[: count - step * size], batch)
            )
        )
    data = data.apply(tf.data.experimental.assert_cardinality(length))  # lost by `unbatch`
    return data.prefetch(tf.data.AUTOTUNE)


def load_items(
    rows: Arrays, read: Callable[[Arrays], tf.Tensor | Arrays], blank: tf.Tensor | Arrays
) -> tuple[tf.Tensor | Arrays, tf.Tensor]:
    """Reads the items of a chunk; a line on stderr names those that cannot be read.

    Args:
        rows: arrays (chunk, ...), "name" among them.
        read: one row -> a tensor, or several by name.
        blank: what takes the place of an item that cannot be read; of the same shapes.

    Returns:
        The items (chunk, ...), and whether each was read (chunk,), float32 1 or 0.
    """
    count = rows["name"].shape[0]
    # `enumerate` would take a fifth of the time of all steps after the decoding.
    numbered = tf.data.Dataset.from_tensor_slices((tf.range(count), rows))
    found = numbered.map(lambda number, row: (number, read(row))).ignore_errors()
    last = tf.data.Dataset.from_tensors((count, blank))
    numbers, items = found.concatenate(last).batch(count + 1).get_single_element()
    seen = tf.scatter_nd(numbers[:, None], tf.ones_like(numbers, tf.float32), [count + 1])[:count]

    def complete():
        return tf.nest.map_structure(lambda each: each[:count], items)

    def incomplete():
        tf.print(
            "Left out of a batch, since they cannot be read:",
            tf.strings.reduce_join(tf.boolean_mask(rows["name"], seen == 0), separator=", "),
            output_stream=sys.stderr,
        )
        return tf.nest.map_structure(
            lambda each, like: tf.scatter_nd(numbers[:, None], each, [count + 1, *like.shape])[
                :count
            ],
            items,
            blank,
        )

    return tf.cond(tf.reduce_all(seen == 1), complete, incomplete), seen
