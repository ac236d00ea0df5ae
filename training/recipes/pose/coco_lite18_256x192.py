"""Lite-HRNet-18 at 256x192 on COCO (Yu et al. CVPR 2021).

Expected: the AP below as `coco_w32_256x192` counts it, from scratch. Trained on 8 V100 with 64
crops each.

    hrnet-tf train coco_lite18_256x192 --workdir=runs/coco_lite18_256x192
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.coco_w32_256x192 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    arch="lite18",
    weights="",
    scale_factor=0.25,
    rotation_factor=30.0,
    learning_rate=2e-3,
    warmup_steps=500,
    warmup_start=0.001,
    batch_size=512,
    expected=Expected({"AP": 0.648}),
)
