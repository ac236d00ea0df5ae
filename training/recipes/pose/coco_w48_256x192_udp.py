"""HRNet-W48 at 256x192 on COCO with UDP (Huang et al. CVPR 2020, README of its repository).

Expected: the AP below as `coco_w32_256x192` counts it, but with better boxes: those of a detector
of person AP 65.1, with which HRNet-W48 without UDP has .759. Trained on 4 GPUs with 32 crops each.
The maps are those of `coco_w32_256x192_udp`.

    hrnet-tf train coco_w48_256x192_udp --workdir=runs/coco_w48_256x192_udp
"""

import dataclasses

from hrnet_tf.cards.codecs import UDPCombined
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.coco_w48_256x192 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    codec=UDPCombined(radius_factor=4 / 64, blur_kernel=7),
    expected=Expected({"AP": 0.772}, "better boxes, see the page"),
)
