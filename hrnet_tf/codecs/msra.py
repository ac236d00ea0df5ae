"""The original heatmap codec: a Gaussian at the rounded position, a quarter-pixel offset back."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from keras import ops

from hrnet_tf.codecs.base import STRIDE, Codec
from hrnet_tf.codecs.gaussian import gaussian_maps
from hrnet_tf.codecs.peaks import find_peaks, gather, place


@dataclass(frozen=True)
class MSRA(Codec):
    """`generate_target` and `get_final_preds` of the original repository (Sun et al., CVPR 2019).

    Attributes:
        sigma: Of the Gaussian, in heatmap pixels: 2, or 3 for 384x288 inputs.
    """

    sigma: float = 2.0

    name: ClassVar[str] = "msra"

    def encode(self, keypoints, visible, input_size):
        # The original adds a half and truncates towards zero, also for negative coordinates.
        centers = ops.trunc(ops.cast(keypoints, "float32") / STRIDE + 0.5)
        size = (input_size[0] // STRIDE, input_size[1] // STRIDE)
        return gaussian_maps(centers, visible, size, self.sigma, patch_centers=centers)

    def decode(self, heatmaps):
        heatmaps = ops.cast(heatmaps, "float32")
        _, height, width, joints = heatmaps.shape
        points, scores, pixels = find_peaks(heatmaps)
        # A quarter pixel towards the higher neighbour; not within two pixels of the border.
        limit = np.array([width - 1, height - 1], "int32")
        inner = ops.all((points > 1) & (points < limit), axis=-1)
        pixels = ops.where(inner, pixels, width + 1)  # a pixel that has neighbours
        near = gather(heatmaps, pixels, [1, width, -1, -width], np.arange(joints))
        after, before = ops.split(near, 2, axis=-1)
        offset = ops.where(ops.expand_dims(inner, -1), 0.25 * ops.sign(after - before), 0.0)
        return place(ops.cast(points, "float32") + offset, scores, STRIDE), scores
