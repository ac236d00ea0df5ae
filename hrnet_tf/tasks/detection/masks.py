"""Masks of objects: from a square of probabilities in a box to the pixels of an image."""

from collections.abc import Mapping

import numpy as np
from pycocotools import mask as coco_mask

from hrnet_tf.tasks.detection.arrays import floats, namespace


def paste(masks, boxes, size: tuple[int, int], geometry: str = "continuous"):
    """The pixels of an image that belong to each object.

    In the geometry "continuous" the mask is sampled bilinearly at the centres of the image's
    pixels, and a pixel belongs to the object from .5 on; beyond the mask it falls to 0 within half
    a cell (`_do_paste_mask` of mmdetection 3). In "inclusive" the box is cut to whole pixels, to
    which the mask is resized; a pixel must have more than .5 (`get_seg_masks` of mmdetection 1).

    Args:
        masks: (N, M, M) probabilities; a NumPy array or a tensor.
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the image.
        size: (height, width) of the image.
        geometry: of the boxes.

    Returns:
        (N, height, width) bool.
    """
    xp, cells = namespace(masks), masks.shape[2]
    columns, rows = (
        _weights(xp, np.arange(size[1 - axis]), boxes[:, axis::2], cells, geometry)
        for axis in range(2)
    )
    values = xp.matmul(xp.matmul(rows, masks), xp.swapaxes(columns, 1, 2))
    return values > 0.5 if geometry == "inclusive" else values >= 0.5


def encoded(
    masks: np.ndarray, boxes: np.ndarray, size: tuple[int, int], geometry: str = "continuous"
) -> tuple[Mapping, ...]:
    """As `paste`, as COCO's run-length encodings, computed around each box only.

    Args:
        masks: (N, M, M) probabilities, a NumPy array.
        boxes: (N, 4), a NumPy array.
        size: (height, width) of the image.
        geometry: of the boxes.

    Returns:
        `{"size": [height, width], "counts": bytes}` for each object.
    """
    height, width = size
    cells, runs = masks.shape[1], []
    for mask, box in zip(masks, np.float32(boxes), strict=True):
        margin = (box[2:] - box[:2]) / cells + 1
        x1, y1 = np.clip(np.floor(box[:2] - margin), 0, (width, height)).astype(int)
        x2, y2 = np.clip(np.ceil(box[2:] + margin) + 1, 0, (width, height)).astype(int)
        columns = _weights(np, np.arange(x1, x2), box[None, 0::2], cells, geometry)[0]
        rows = _weights(np, np.arange(y1, y2), box[None, 1::2], cells, geometry)[0]
        values = columns @ (rows @ mask).T  # a row for each column, as COCO counts pixels
        inside = values > 0.5 if geometry == "inclusive" else values >= 0.5
        runs.append({"size": [height, width], "counts": _counts(inside, x1, y1, size)})
    return tuple(coco_mask.frPyObjects(runs, height, width)) if runs else ()


def _weights(xp, pixels, spans, cells, geometry):
    """Weights of a mask's cells for each pixel along an axis, (N, pixels, cells) float32.

    Args:
        xp: NumPy or `keras.ops`.
        pixels: (P,) numbers of the pixels.
        spans: (N, 2) where the boxes begin and end.
        cells: number of cells of the masks along this axis.
        geometry: of the boxes.
    """
    pixels, low, high = np.float32(pixels), spans[:, :1], spans[:, 1:]
    if geometry == "inclusive":
        low, high = (xp.where(x < 0, xp.ceil(x), xp.floor(x)) for x in (low, high))
        length = xp.maximum(high - low + 1, 1.0)
        places = (pixels - low + 0.5) * (cells / length) - 0.5
        inside = floats((pixels >= low) & (pixels < low + length))[..., None]
        places = xp.minimum(xp.maximum(places, 0.0), cells - 1.0)
    else:
        # A box without width has no pixels; mmdetection gives it the middle of its mask.
        length = xp.maximum(high - low, 1e-6)
        places, inside = (pixels + 0.5 - low) / length * cells - 0.5, 1.0
    return (
        xp.maximum(1 - xp.abs(places[..., None] - np.arange(cells, dtype=np.float32)), 0.0) * inside
    )


def _counts(inside, x1, y1, size):
    """Lengths of the runs outside and inside of the object, column by column.

    Args:
        inside: (columns, rows) bool, a part of the image; all else is outside.
        x1: column of the image that the part begins with.
        y1: row of the image that it begins with.
        size: (height, width) of the image.
    """
    height, width = size
    padded = np.zeros((inside.shape[0], inside.shape[1] + 2), np.int8)
    padded[:, 1:-1] = inside
    columns, rows = np.nonzero(np.diff(padded, axis=1))  # where a run begins or ends
    changes = (columns + x1) * height + rows + y1
    # A run that ends at the bottom may go on at the top of the next column.
    same = np.flatnonzero(changes[1:] == changes[:-1])
    changes = np.delete(changes, np.concatenate([same, same + 1]))
    return np.diff(np.concatenate([[0], changes, [height * width]])).tolist()
