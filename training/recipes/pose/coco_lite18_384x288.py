"""Lite-HRNet-18 at 384x288 on COCO (Yu et al. CVPR 2021).

Expected: the AP below as `coco_w32_256x192` counts it. Trained on 8 V100 with 32 crops each, at the
rate of the larger batch.

    hrnet-tf train coco_lite18_384x288 --workdir=runs/coco_lite18_384x288
"""

import dataclasses

from hrnet_tf.cards.codecs import MSRA
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.coco_lite18_256x192 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    input_size=(384, 288),
    codec=MSRA(sigma=3.0),
    batch_size=256,
    expected=Expected({"AP": 0.676}),
)
