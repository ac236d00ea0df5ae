"""Boxes, affine matrices and crops: one implementation for prediction, training and evaluation.

The functions use `keras.ops` alone, in float32, so they run eagerly on NumPy arrays, inside
`tf.data` and on JAX. Points are (x, y) in pixels with pixel centres at integers, boxes are
(x, y, width, height), sizes are (height, width). The definitions are those of the original
repository (Sun et al., CVPR 2019, `lib/dataset/coco.py` and `lib/utils/transforms.py`), and with
`aligned` those of UDP (Huang et al., CVPR 2020).
"""

import numpy as np
from keras import ops

SMALLEST_SCALE = 1e-6  # pixels; keeps the matrix of an empty box finite


def center_scale(boxes, aspect_ratio: float, padding: float = 1.25):
    """Centre and size of the padded region around each box.

    Args:
        boxes: (N, 4) in image pixels.
        aspect_ratio: Width / height of the network input; the short side of a box grows to it.
        padding: Factor on both sides, 1.25 in the original.

    Returns:
        Centres (N, 2) and sizes (N, 2), both in image pixels (the original stores size / 200).
    """
    # Do not write max(w, ratio * h) with two parts of one split: in a graph, TensorFlow 2.21 takes
    # that for the leaky ReLU of a single tensor and returns other numbers.
    corners, sizes = ops.split(ops.cast(boxes, "float32"), 2, axis=-1)
    wanted = ops.flip(sizes, axis=-1) * np.array([aspect_ratio, 1 / aspect_ratio], "float32")
    return corners + 0.5 * sizes, ops.maximum(sizes, wanted) * padding


def affine(centers, scales, output_size: tuple[int, int], rotation=0.0, aligned: bool = False):
    """Matrices that map image pixels to crop pixels.

    The closed form of the original's three-point construction: a similarity that takes the centre
    to (width / 2, height / 2) of the crop and the *width* of the region to the width of the crop.

    Args:
        centers: (N, 2) in image pixels.
        scales: (N, 2) in image pixels; an empty region counts as a tiny one.
        output_size: (height, width) of the crop.
        rotation: Degrees, a scalar or (N,).
        aligned: UDP's matrix instead (mmpose `get_udp_warp_matrix`): both axes scale by
            (output - 1) / size, and a rotation turns the other way.

    Returns:
        (N, 2, 3).
    """
    out = np.array(output_size[::-1], "float32") - aligned
    scales = ops.maximum(ops.cast(scales, "float32"), SMALLEST_SCALE)
    center_x, center_y = ops.unstack(ops.cast(centers, "float32"), 2, axis=-1)
    zoom_x, zoom_y = ops.unstack(out / scales, 2, axis=-1)
    if not aligned:
        zoom_y = zoom_x
    angle = ops.cast(rotation, "float32") * (np.pi / 180) * (1 if aligned else -1)
    cos, sin = ops.cos(angle), ops.sin(angle)
    a, b = zoom_x * cos, -zoom_x * sin
    c, d = zoom_y * sin, zoom_y * cos
    shift_x = out[0] / 2 - (a * center_x + b * center_y)
    shift_y = out[1] / 2 - (c * center_x + d * center_y)
    return ops.reshape(ops.stack([a, b, shift_x, c, d, shift_y], axis=-1), (-1, 2, 3))


def invert(matrices):
    """The inverse affine maps, (N, 2, 3) -> (N, 2, 3)."""
    a, b, shift_x, c, d, shift_y = _entries(matrices, (-1, 6))
    area = a * d - b * c
    a, b, c, d = d / area, -b / area, -c / area, a / area
    inverse = [a, b, -(a * shift_x + b * shift_y), c, d, -(c * shift_x + d * shift_y)]
    return ops.reshape(ops.stack(inverse, axis=-1), (-1, 2, 3))


def transform(points, matrices):
    """Points (N, K, 2) mapped by the matrix (N, 2, 3) of their row."""
    # A matmul would round coordinates to TF32 on recent GPUs, by half a pixel in a large photo.
    a, b, shift_x, c, d, shift_y = _entries(matrices, (-1, 6, 1))
    x, y = ops.unstack(ops.cast(points, "float32"), 2, axis=-1)
    return ops.stack([a * x + b * y + shift_x, c * x + d * y + shift_y], axis=-1)


def crop(image, matrices, output_size: tuple[int, int]):
    """Cut regions out of one image: bilinear, zero outside it, rounded to whole grey levels.

    Equals `warpAffine` of OpenCV 5 (OpenCV 4 interpolates in fixed point and differs by a few
    levels). Memory is about five times the result, whatever the size of the image.

    Args:
        image: (H, W, C), of any size, also unknown when the graph is made.
        matrices: (N, 2, 3), image pixels -> crop pixels.
        output_size: (height, width) of the crops.

    Returns:
        (N, height, width, C) float32, 0..255.
    """
    image = ops.convert_to_tensor(image)
    height, width, channels = ops.shape(image)
    # Pad with zeros and clip every position into the padded image: no neighbour needs a mask.
    pixels = ops.reshape(ops.pad(image, ((1, 2), (1, 2), (0, 0))), (-1, channels))
    stride = width + 3

    u = np.arange(output_size[1], dtype="float32")
    v = np.arange(output_size[0], dtype="float32")[:, None]
    a, b, shift_x, c, d, shift_y = _entries(invert(matrices), (-1, 6, 1, 1))
    x = ops.clip(a * u + b * v + shift_x, -1.0, ops.cast(width, "float32"))
    y = ops.clip(c * u + d * v + shift_y, -1.0, ops.cast(height, "float32"))
    left, top = ops.floor(x), ops.floor(y)
    first = (ops.cast(top, "int32") + 1) * stride + ops.cast(left, "int32") + 1
    corners = ops.stack([first, first + 1, first + stride, first + stride + 1])
    corners = ops.unstack(ops.take(pixels, corners, axis=0), 4, axis=0)

    right, down = ops.expand_dims(x - left, -1), ops.expand_dims(y - top, -1)
    above = _mix(corners[0], corners[1], right)
    below = _mix(corners[2], corners[3], right)
    return ops.round(_mix(above, below, down))


def crop_upright(
    image: np.ndarray, inverses: np.ndarray, output_size: tuple[int, int]
) -> np.ndarray:
    """`crop` of a NumPy image by matrices that do not rotate: the same bits, several times faster.

    Each row of such a crop lies between the same two rows of the image. So these are interpolated
    along their length first, once, and then between each other.

    Args:
        image: (H, W, C) uint8.
        inverses: (N, 2, 3), crop pixels -> image pixels, the inverses of the matrices that `crop`
            takes; they scale and shift each axis alone.
        output_size: (height, width) of the crops.

    Returns:
        (N, height, width, C) float32, 0..255.
    """
    crops = np.empty((len(inverses), *output_size, image.shape[2]), np.float32)
    for result, inverse in zip(crops, inverses, strict=True):
        np.rint(_upright(image, inverse, output_size), out=result)
    return crops


def _upright(image, inverse, output_size):
    (a, _, shift_x), (_, d, shift_y) = inverse
    height, width, channels = image.shape
    left, right = _between(a, shift_x, output_size[1], width)
    top, down = _between(d, shift_y, output_size[0], height)
    rows, used = np.unique([top, top + 1], return_inverse=True)
    # The part of the image that is read, as bytes of whole rows.
    first = np.clip(left.min(), 0, width - 1)
    last = np.clip(left.max() + 1, 0, width - 1)
    part = image[rows.clip(0, height - 1), first : last + 1].reshape(len(rows), -1)

    def pixels(columns):
        positions = (columns - first)[:, None] * channels + np.arange(channels)
        found = part.take(positions.ravel(), axis=1, mode="clip").astype(np.float32)
        found = found.reshape(len(rows), -1, channels)
        found[:, (columns < 0) | (columns >= width)] = 0
        return found

    lines = _mixed(pixels(left), pixels(left + 1), right[:, None])
    lines[(rows < 0) | (rows >= height)] = 0
    upper, lower = used.reshape(2, -1)
    return _mixed(lines[upper], lines[lower], down[:, None, None])


def _between(factor, shift, count, length):
    """For each pixel of an axis, the image's pixel before it, and the share of the one after."""
    positions = factor * np.arange(count, dtype=np.float32) + shift
    positions = np.nan_to_num(positions, nan=-1)  # of a box whose numbers overflow
    positions = np.clip(positions, np.float32(-1), np.float32(length))
    before = np.floor(positions)
    return before.astype(np.int32), positions - before


def _mixed(first, second, share):
    """`_mix` of float32 arrays, which are overwritten."""
    second -= first
    second *= share
    first += second
    return first


def _entries(matrices, shape):
    """The six numbers of each matrix as tensors that broadcast: `shape` is (-1, 6, ...)."""
    return ops.unstack(ops.reshape(ops.cast(matrices, "float32"), shape), 6, axis=1)


def _mix(first, second, share):
    first = ops.cast(first, "float32")
    return first + (ops.cast(second, "float32") - first) * share
