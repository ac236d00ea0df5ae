"""HRNet-W48 at 128x96 on COCO with DARK (Zhang et al. CVPR 2020, README of its repository).

Expected: the AP below, .680 without DARK, as `coco_w32_256x192` counts it. Trained on 2 GPUs with
64 crops each.

    hrnet-tf train coco_w48_128x96_dark --workdir=runs/coco_w48_128x96_dark
"""

import dataclasses

from hrnet_tf.cards.codecs import DARK
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.coco_w48_256x192 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    input_size=(128, 96),
    codec=DARK(sigma=1.0, blur_kernel=11),
    expected=Expected({"AP": 0.719}),
)
