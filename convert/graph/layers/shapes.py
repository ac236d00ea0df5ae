"""Layers that move, cut, resize and pool pixels and channels.

Each function is a `table.Known.read`, or makes one.
"""

import numpy as np

from hrnet_tf.convert.graph.nodes import Node


def concat(operation, sources, shape):
    axis = operation.axis % (len(shape) + 1)
    return (axis and Node("concat", operation.name, [*sources], shape, {"axis": axis})) or None


def pad(layer, sources, shape):
    return Node("pad", layer.name, [*sources], shape, {"padding": layer.padding})


def upsampling(layer, sources, shape):
    if layer.interpolation == "nearest":
        return Node("nearest", layer.name, [*sources], shape)
    return Node("resize", layer.name, [*sources], shape, {"method": layer.interpolation})


def resize(operation, sources, shape):
    return Node("resize", operation.name, [*sources], shape, {"method": operation.interpolation})


def pool(kind):
    def read(layer, sources, shape):
        settings = {
            "size": tuple(layer.pool_size),
            "strides": tuple(layer.strides),
            "padding": layer.padding,
        }
        return Node(kind, layer.name, [*sources], shape, settings)

    return read


def reshape(operation, sources, shape):
    return Node("reshape", operation.name, [*sources], shape)


def squeeze(operation, sources, shape):
    axis = operation.axis
    inside = axis is not None and 0 not in {
        each % (len(sources[0].shape) + 1) for each in _all(axis)
    }
    return reshape(operation, sources, shape) if inside else None


def _all(axis):
    return axis if isinstance(axis, list | tuple) else (axis,)


def expand(operation, sources, shape):
    axes = [each % (len(shape) + 1) for each in _all(operation.axis)]
    if len(axes) != 1 or 0 in axes:
        return None
    return Node("expand", operation.name, [*sources], shape, {"axis": axes[0]})


def permute(layer, sources, shape):
    return Node("permute", layer.name, [*sources], shape, {"axes": tuple(layer.dims)})


def split(operation, sources, shape):
    """A slice for each part."""
    (source,), parts = sources, operation.indices_or_sections
    axis = operation.axis % (len(source.shape) + 1)
    if axis == 0:
        return None
    length = source.shape[axis - 1]
    starts = range(0, length, length // parts) if isinstance(parts, int) else (0, *parts)
    ends = [*starts[1:], length]
    return [
        part_of(f"{operation.name}.{number}", source, axis, start, end)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def part_of(name, source, axis, start, end):
    """A node for `start` to `end` of one axis."""
    shape = (*source.shape[: axis - 1], end - start, *source.shape[axis:])
    return Node("slice", name, [source], shape, {"axis": axis, "start": start})


def item(operation, sources, shape):
    """`x[..., a:b]`, a part of one axis."""
    source, key = sources
    key = key if isinstance(key, tuple) else (key,)
    rank = len(source.shape) + 1
    if key.count(Ellipsis) > 1 or not all(isinstance(each, slice | type(...)) for each in key):
        return None
    place = key.index(Ellipsis) if Ellipsis in key else len(key)
    full = (slice(None),) * (rank - len(key) + (Ellipsis in key))
    key = (*key[:place], *full, *key[place + 1 :])
    cut = [axis for axis, each in enumerate(key) if each != slice(None)]
    if len(cut) != 1 or cut[0] == 0 or key[cut[0]].step not in (None, 1):
        return None
    start, end, _ = key[cut[0]].indices(source.shape[cut[0] - 1])
    return part_of(operation.name, source, cut[0], start, end)


def flip(operation, sources, shape):
    """The channels in reverse order, as between RGB and BGR."""
    if operation.axis not in (-1, len(shape)):
        return None
    settings = {"axis": len(shape), "indices": np.arange(shape[-1])[::-1].copy()}
    return Node("take", operation.name, [*sources], shape, settings)


def take(operation, sources, shape):
    source, indices = sources
    rank = len(source.shape) + 1
    if isinstance(indices, Node) or operation.axis is None or operation.axis % rank == 0:
        return None
    indices = np.asarray(indices)
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or indices.min(initial=0) < 0:
        return None
    return Node(
        "take", operation.name, [source], shape, {"axis": operation.axis, "indices": indices}
    )
