"""UDP: coordinates that scale by (input - 1) / (heatmap - 1), with Gaussian or offset targets."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from keras import ops

from hrnet_tf.cards.codecs.base import STRIDE, Codec
from hrnet_tf.cards.codecs.gaussian import gaussian_maps
from hrnet_tf.cards.codecs.peaks import (
    blur_matrix,
    blurred_patch,
    check_kernel,
    find_peaks,
    gather,
    newton_step,
    place,
)

# dx, dy, dxx, dyy, dxy on 3x3 values.
STENCILS = np.array(
    [
        [[0, 0, 0], [-0.5, 0, 0.5], [0, 0, 0]],
        [[0, -0.5, 0], [0, 0, 0], [0, 0.5, 0]],
        [[0, 0, 0], [1, -2, 1], [0, 0, 0]],
        [[0, 1, 0], [0, -2, 0], [0, 1, 0]],
        [[0.5, -0.5, 0], [-0.5, 1, -0.5], [0, -0.5, 0.5]],
    ],
    "float32",
)


@dataclass(frozen=True)
class UDP(Codec):
    """Unbiased data processing with Gaussian maps (Huang et al., CVPR 2020; mmpose `UDPHeatmap`).

    Crops need `geometry.affine(..., aligned=True)`. mmpose returns heatmap / (W - 1) * input width
    and maps that to the image by its own formula; both ways end at the same image pixels.

    Attributes:
        sigma: Standard deviation of the Gaussian, in heatmap pixels.
        blur_kernel: Size of the blur before decoding in heatmap pixels, odd.
    """

    sigma: float = 2.0
    blur_kernel: int = 11

    name: ClassVar[str] = "udp"
    aligned: ClassVar[bool] = True
    shift_flipped: ClassVar[bool] = False

    def __post_init__(self):
        check_kernel(self.blur_kernel)

    def encode(self, keypoints, visible, input_size):
        peaks, size = _to_heatmap(keypoints, input_size)
        return gaussian_maps(peaks, visible, size, self.sigma, patch_centers=ops.trunc(peaks + 0.5))

    def decode(self, heatmaps):
        heatmaps = ops.cast(heatmaps, "float32")
        points, scores, _ = find_peaks(heatmaps)
        patch = blurred_patch(heatmaps, points, scores, 1, self.blur_kernel)
        log_patch = ops.log(ops.clip(patch, 1e-3, 50.0))
        step = newton_step(log_patch, STENCILS, ridge=float(np.finfo("float32").eps))
        points = ops.cast(points, "float32") + step
        return place(points, scores, _crop_per_heatmap(heatmaps.shape[1:3])), scores


@dataclass(frozen=True)
class UDPCombined(Codec):
    """UDP with three maps per keypoint: a disc, and the offsets x and y to its centre.

    Channels are disc, x, y of the first keypoint, then of the next (mmpose `UDPHeatmap`,
    heatmap_type "combined").

    Attributes:
        radius_factor: Radius of the disc, and unit of the offsets, as a share of the longer side.
        blur_kernel: The disc map is blurred with a kernel of twice this size plus one.
    """

    radius_factor: float = 0.0546875
    blur_kernel: int = 11

    name: ClassVar[str] = "udp_combined"
    aligned: ClassVar[bool] = True
    shift_flipped: ClassVar[bool] = False
    mirror_signs: ClassVar[tuple[int, ...]] = (1, -1, 1)

    def encode(self, keypoints, visible, input_size):
        peaks, size = _to_heatmap(keypoints, input_size)
        visible = ops.cast(visible, "float32")
        radius = self.radius_factor * max(size)
        columns = np.arange(size[1], dtype="float32")[:, None]
        rows = np.arange(size[0], dtype="float32")[:, None, None]
        x = (peaks[:, None, None, :, 0] - columns) / radius
        y = (peaks[:, None, None, :, 1] - rows) / radius
        disc = ops.cast(x**2 + y**2 <= 1, "float32")
        maps = ops.stack([disc, x + 0 * disc, y + 0 * disc], axis=-1)
        maps = maps * ops.cast(visible > 0.5, "float32")[:, None, None, :, None]
        return ops.reshape(maps, (-1, *size, 3 * peaks.shape[1])), visible

    def decode(self, heatmaps):
        heatmaps = ops.cast(heatmaps, "float32")
        _, height, width, channels = heatmaps.shape
        kernel = 2 * self.blur_kernel + 1
        discs = ops.transpose(heatmaps[..., ::3], (0, 3, 1, 2))
        discs = ops.matmul(blur_matrix(height, kernel, "reflect"), discs)
        discs = ops.matmul(discs, blur_matrix(width, kernel, "reflect").T)
        points, scores, pixels = find_peaks(ops.transpose(discs, (0, 2, 3, 1)))
        offsets = gather(heatmaps, pixels, [0, 0], np.arange(channels).reshape(-1, 3)[:, 1:])
        radius = self.radius_factor * max(height, width)
        points = ops.cast(points, "float32") + radius * offsets
        return place(points, scores, _crop_per_heatmap((height, width))), scores


def _to_heatmap(keypoints, input_size):
    """Crop pixels -> heatmap pixels, and the size (height, width) of the heatmap."""
    size = (input_size[0] // STRIDE, input_size[1] // STRIDE)
    return ops.cast(keypoints, "float32") / _crop_per_heatmap(size), size


def _crop_per_heatmap(size):
    """Crop pixels per heatmap pixel, (x, y), between the centres of the outermost pixels."""
    extent = np.array(size[::-1], "float32")
    return (STRIDE * extent - 1) / (extent - 1)
