"""The original heatmap codec: a Gaussian at the rounded position, a quarter-pixel offset back."""

from dataclasses import dataclass
from typing import ClassVar

from keras import ops

from hrnet_tf.cards.codecs.base import STRIDE, Codec
from hrnet_tf.cards.codecs.gaussian import patch_maps
from hrnet_tf.cards.codecs.peaks import find_peaks, place, quarter_step


@dataclass(frozen=True)
class MSRA(Codec):
    """`generate_target` and `get_final_preds` of the original repository (Sun et al., CVPR 2019).

    Attributes:
        sigma: Standard deviation of the Gaussian, in heatmap pixels: 2, or 3 for 384x288 inputs.
    """

    sigma: float = 2.0

    name: ClassVar[str] = "msra"

    def encode(self, keypoints, visible, input_size):
        # The original adds a half and truncates towards zero, also for negative coordinates.
        cells = ops.trunc(ops.cast(keypoints, "float32") / STRIDE + 0.5)
        size = (input_size[0] // STRIDE, input_size[1] // STRIDE)
        return patch_maps(cells, visible, size, self.sigma)

    def decode(self, heatmaps):
        heatmaps = ops.cast(heatmaps, "float32")
        points, scores, pixels = find_peaks(heatmaps)
        step = quarter_step(heatmaps, points, pixels, first=2)
        return place(ops.cast(points, "float32") + step, scores, STRIDE), scores
