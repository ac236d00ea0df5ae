"""Reads heatmaps: the positions of the maxima, and the blurred log-map around them."""

import functools

import numpy as np
from keras import ops

# cv2.getGaussianKernel uses these fixed kernels for small sizes if it chooses sigma itself.
SMALL_KERNELS = {
    1: (1,),
    3: (0.25, 0.5, 0.25),
    5: (0.0625, 0.25, 0.375, 0.25, 0.0625),
    7: (0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125),
    9: tuple(n / 256 for n in (4, 13, 30, 51, 60, 51, 30, 13, 4)),
}


def find_peaks(heatmaps):
    """The first maximum, in reading order, of every map.

    Args:
        heatmaps: (B, H, W, K) float32.

    Returns:
        Points (B, K, 2) int32 in heatmap pixels, scores (B, K), and the position (B, K) of each
        maximum among all B * H * W pixels, for `gather`.
    """
    _, height, width, joints = heatmaps.shape
    # Pooling and top_k are several times faster than argmax, because backends tune them. Pass the
    # strides: on JAX, Keras derives wrong ones.
    rows = ops.max_pool(heatmaps, (1, width), strides=(1, width), data_format="channels_last")
    rows = ops.transpose(ops.reshape(rows, (-1, height, joints)), (0, 2, 1))
    scores, y = (ops.squeeze(found, -1) for found in ops.top_k(rows, 1))
    sample = ops.cumsum(ops.ones_like(y), axis=0) - 1  # an arange that needs no known batch size
    first = (sample * height + y) * width
    _, x = ops.top_k(gather(heatmaps, first, np.arange(width), np.arange(joints)), 1)
    x = ops.squeeze(x, -1)
    return ops.stack([x, y], axis=-1), scores, first + x


def gather(heatmaps, pixels, steps, channels):
    """Values of single channels at and around single pixels.

    Args:
        heatmaps: (B, H, W, C).
        pixels: (B, K), positions among all B * H * W pixels.
        steps: (n,), added to the positions.
        channels: (K,) or (K, n), the channel that each keypoint reads.

    Returns:
        (B, K, n).
    """
    count = heatmaps.shape[-1]
    offsets = count * np.asarray(steps) + np.reshape(channels, (len(channels), -1))
    return ops.take(heatmaps, ops.expand_dims(count * pixels, -1) + offsets.astype("int32"))


def quarter_step(heatmaps, points, pixels, first: int):
    """The step (B, K, 2) from each maximum towards its higher neighbour, a quarter pixel per axis.

    Args:
        heatmaps: (B, H, W, K) float32.
        points: (B, K, 2), of `find_peaks`.
        pixels: (B, K), likewise.
        first: The first row and column whose maxima move, at least 1. Maxima in the last row or
            column do not move.
    """
    _, height, width, joints = heatmaps.shape
    limit = np.array([width - 1, height - 1], "int32")
    inner = ops.all((points >= first) & (points < limit), axis=-1)
    pixels = ops.where(inner, pixels, width + 1)  # a pixel that has neighbours
    near = gather(heatmaps, pixels, [1, width, -1, -width], np.arange(joints))
    after, before = ops.split(near, 2, axis=-1)
    return ops.where(ops.expand_dims(inner, -1), 0.25 * ops.sign(after - before), 0.0)


def place(points, scores, factor):
    """Points in heatmap pixels as crop pixels; (0, 0) if the map has no positive value."""
    return ops.where(ops.expand_dims(scores > 0, -1), points * factor, 0.0)


def blurred_patch(heatmaps, points, scores, reach: int, kernel: int):
    """The (2 reach + 1)^2 values around each peak of the blurred maps.

    The blur takes zeros outside the map and rescales to the old maximum, as DARK does (Zhang et
    al., CVPR 2020). The rescaling uses the maximum of the blurred patch instead of that of the
    whole blurred map. The factor cancels in the derivatives of the logarithm, unless a value is
    clipped. On a GPU that multiplies matrices in TF32, keypoints move by up to 0.01 crop pixels.

    Args:
        heatmaps: (B, H, W, K) float32.
        points: (B, K, 2) int32 in heatmap pixels.
        scores: (B, K), the maxima.
        reach: Pixels to each side; beyond the border the last row or column repeats.
        kernel: Size of the Gaussian, odd; its sigma is the one OpenCV derives from the size.

    Returns:
        (B, K, 2 reach + 1, 2 reach + 1), indexed [..., y, x].
    """
    _, height, width, _ = heatmaps.shape
    # Subtract: in a model, Keras takes the sum (B, n, 1) + (n,) for a bias along the second axis.
    back = np.arange(reach, -reach - 1, -1, dtype="int32")
    x, y = ops.split(points, 2, axis=-1)
    rows = ops.take(blur_matrix(height, kernel), ops.clip(y - back, 0, height - 1), axis=0)
    columns = ops.take(blur_matrix(width, kernel), ops.clip(x - back, 0, width - 1), axis=0)
    patch = ops.matmul(rows, ops.transpose(heatmaps, (0, 3, 1, 2)))
    patch = ops.matmul(patch, ops.transpose(columns, (0, 1, 3, 2)))
    highest = ops.max(patch, axis=(-2, -1), keepdims=True)
    return patch * (scores[:, :, None, None] / ops.maximum(highest, 1e-12))


def newton_step(log_patch, stencils, ridge: float = 0.0):
    """The step (B, K, 2) from the centre of each patch to the summit of its second-order fit.

    Args:
        log_patch: (B, K, n, n), logarithms.
        stencils: (5, n, n): weights of dx, dy, dxx, dyy, dxy.
        ridge: Added to the diagonal of the Hessian.
    """
    # A matmul would keep ten bits on recent GPUs, too few for second differences.
    derivatives = ops.sum(ops.expand_dims(log_patch, 2) * stencils, axis=(-2, -1))
    dx, dy, dxx, dyy, dxy = ops.unstack(derivatives, 5, axis=-1)
    dxx, dyy = dxx + ridge, dyy + ridge
    area = dxx * dyy - dxy * dxy
    singular = ops.equal(area, 0.0)
    step = ops.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1)
    step = step / ops.expand_dims(ops.where(singular, 1.0, area), -1)
    return ops.where(ops.expand_dims(singular, -1), 0.0, step)


@functools.cache
def blur_matrix(size: int, kernel: int, border: str = "constant") -> np.ndarray:
    """(size, size) matrix that blurs a signal, as `cv2.GaussianBlur` with sigma 0 does.

    `border` is NumPy's name of the padding: "constant" (zeros) or "reflect" (OpenCV's default).
    """
    reach = kernel // 2
    padded = np.pad(np.eye(size), ((reach, reach), (0, 0)), mode=border)
    taps = enumerate(_opencv_kernel(kernel))
    return sum(tap * padded[i : i + size] for i, tap in taps).astype("float32")


def check_kernel(kernel: int) -> None:
    """Refuses a blur whose kernel has no centre.

    Raises:
        ValueError: If `kernel` is not an odd positive number.
    """
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(
            "`blur_kernel` must be an odd positive number of heatmap pixels. "
            f"Received: blur_kernel={kernel}. Usual are 11 (sigma 2) and 17 (sigma 3)."
        )


def _opencv_kernel(size: int) -> np.ndarray:
    if size in SMALL_KERNELS:
        return np.array(SMALL_KERNELS[size])
    sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    taps = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    return taps / taps.sum()
