"""HRNet-W32 at 384x288 on COCO (Sun et al. CVPR 2019, Table 1).

Expected: the AP below as `coco_w32_256x192` counts it. Trained on 4 P100 with 32 crops each.

    hrnet-tf train coco_w32_384x288 --workdir=runs/coco_w32_384x288
"""

import dataclasses

from hrnet_tf.cards.codecs import MSRA
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.coco_w32_256x192 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    input_size=(384, 288),
    codec=MSRA(sigma=3.0),
    expected=Expected({"AP": 0.758}),
)
