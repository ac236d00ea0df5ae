"""HRNet-W48 at 384x288 on COCO (Sun et al. CVPR 2019, Table 1).

Expected: the AP below as `coco_w32_256x192` counts it. Trained on 4 P100 with 24 crops each, at the
rate of the larger batch.

    hrnet-tf train coco_w48_384x288 --workdir=runs/coco_w48_384x288
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.coco_w32_384x288 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    arch="w48",
    weights="https://download.openmmlab.com/mmpose/pretrain_models/hrnet_w48-8ef0771d.pth",
    batch_size=96,
    expected=Expected({"AP": 0.763}),
)
