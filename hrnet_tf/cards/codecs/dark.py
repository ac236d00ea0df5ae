"""DARK: unbiased Gaussian targets, and a second-order step on the blurred log-heatmap."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from keras import ops

from hrnet_tf.cards.codecs.base import STRIDE, Codec
from hrnet_tf.cards.codecs.gaussian import gaussian_maps
from hrnet_tf.cards.codecs.peaks import blurred_patch, check_kernel, find_peaks, newton_step, place

# dx, dy, dxx, dyy, dxy on 5x5 values: the second differences are taken two pixels apart.
_FIRST = np.array([0, -0.5, 0, 0.5, 0], "float32")
_SECOND = np.array([0.25, 0, -0.5, 0, 0.25], "float32")
_HERE = np.array([0, 0, 1, 0, 0], "float32")
STENCILS = np.stack(
    [
        np.outer(_HERE, _FIRST),
        np.outer(_FIRST, _HERE),
        np.outer(_HERE, _SECOND),
        np.outer(_SECOND, _HERE),
        np.outer(_FIRST, _FIRST),
    ]
)


@dataclass(frozen=True)
class DARK(Codec):
    """Distribution-aware coordinates (Zhang et al., CVPR 2020), as mmpose and PaddleDetection do.

    Attributes:
        sigma: Standard deviation of the Gaussian, in heatmap pixels.
        blur_kernel: Size of the blur before decoding in heatmap pixels, odd: 11 for sigma 2, 17 for
            sigma 3, 3 in PP-TinyPose.
    """

    sigma: float = 2.0
    blur_kernel: int = 11

    name: ClassVar[str] = "dark"

    def __post_init__(self):
        check_kernel(self.blur_kernel)

    def encode(self, keypoints, visible, input_size):
        size = (input_size[0] // STRIDE, input_size[1] // STRIDE)
        peaks = ops.cast(keypoints, "float32") / STRIDE
        return gaussian_maps(peaks, visible, size, self.sigma)

    def decode(self, heatmaps):
        heatmaps = ops.cast(heatmaps, "float32")
        _, height, width, _ = heatmaps.shape
        points, scores, _ = find_peaks(heatmaps)
        patch = blurred_patch(heatmaps, points, scores, 2, self.blur_kernel)
        step = newton_step(ops.log(ops.maximum(patch, 1e-10)), STENCILS)
        limit = np.array([width - 2, height - 2], "int32")
        inner = ops.all((points > 1) & (points < limit), axis=-1, keepdims=True)
        points = ops.cast(points, "float32") + ops.where(inner, step, 0.0)
        return place(points, scores, STRIDE), scores
