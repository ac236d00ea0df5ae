"""Wider naive Lite-HRNet-18 at 256x256 on MPII (Yu et al. CVPR 2021).

Expected: the PCKh@0.5 below as `mpii_w32` counts it. Trained on 8 V100 with 32 crops each.

    hrnet-tf train mpii_wider_naive_lite18 --workdir=runs/mpii_wider_naive_lite18
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.mpii_lite18 import RECIPE as BASE

RECIPE = dataclasses.replace(BASE, arch="wider_naive_lite18", expected=Expected({"Mean": 0.868}))
