"""Lite-HRNet-30 at 256x192 on COCO (Yu et al. CVPR 2021).

Expected: the AP below as `coco_w32_256x192` counts it. Trained on 8 V100 with 64 crops each.

    hrnet-tf train coco_lite30_256x192 --workdir=runs/coco_lite30_256x192
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.coco_lite18_256x192 import RECIPE as BASE

RECIPE = dataclasses.replace(BASE, arch="lite30", expected=Expected({"AP": 0.672}))
