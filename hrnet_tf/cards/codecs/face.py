"""The codec of the original face tools: targets at truncated pixels; decoding adds half a pixel."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from keras import ops

from hrnet_tf.cards.codecs.base import STRIDE, Codec
from hrnet_tf.cards.codecs.gaussian import patch_maps
from hrnet_tf.cards.codecs.peaks import find_peaks, place, quarter_step


@dataclass(frozen=True)
class Face(Codec):
    """`generate_target` and `decode_preds` of HRNet-Facial-Landmark-Detection (Sun et al. 2019).

    A pixel of the heatmap stands for all positions from its own to the next one's, so decoding adds
    half a pixel, and a mirrored map needs no shift. The tools also train on landmarks outside the
    crop, with an empty map; here these have weight 0. The tools cut crops at whole pixels and
    resize them by areas, which moves the content half a crop pixel to the right and down on
    average. Given crops of `geometry.crop`, their weights find landmarks that much too far to the
    left and up.

    Attributes:
        sigma: Standard deviation of the Gaussian, in heatmap pixels: 1.5, or 1 for 300W.
    """

    sigma: float = 1.5

    name: ClassVar[str] = "face"
    shift_flipped: ClassVar[bool] = False

    def encode(self, keypoints, visible, input_size):
        cells = ops.trunc(ops.cast(keypoints, "float32") / STRIDE)
        size = (input_size[0] // STRIDE, input_size[1] // STRIDE)
        return patch_maps(cells, visible, size, self.sigma)

    def decode(self, heatmaps):
        heatmaps = ops.cast(heatmaps, "float32")
        points, scores, pixels = find_peaks(heatmaps)
        step = quarter_step(heatmaps, points, pixels, first=1)
        return place(ops.cast(points, "float32") + step + 0.5, scores, STRIDE), scores


def whole_pixels(keypoints: np.ndarray) -> np.ndarray:
    """Image positions as the tools report and score them: truncated to whole pixels, plus one.

    `transform_pixel` of their `lib/utils/transforms.py` counts pixels from 1, but the annotations
    count from 0. On average, this adds half a pixel.
    """
    return np.trunc(keypoints) + 1
