"""HRNet-W32 at 256x192 on COCO with DARK (Zhang et al. CVPR 2020, README of its repository).

Expected: the AP below as `coco_w32_256x192` counts it. Trained on 4 GPUs with 32 crops each.

    hrnet-tf train coco_w32_256x192_dark --workdir=runs/coco_w32_256x192_dark
"""

import dataclasses

from hrnet_tf.cards.codecs import DARK
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.coco_w32_256x192 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE, codec=DARK(sigma=2.0, blur_kernel=11), expected=Expected({"AP": 0.756})
)
