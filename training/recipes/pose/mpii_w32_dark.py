"""HRNet-W32 at 256x256 on MPII with DARK (Zhang et al. CVPR 2020, README of its repository).

Expected: the PCKh@0.5 and PCKh@0.1 below as `mpii_w32` counts them. Trained on 4 GPUs with 32 crops
each.

    hrnet-tf train mpii_w32_dark --workdir=runs/mpii_w32_dark
"""

import dataclasses

from hrnet_tf.cards.codecs import DARK
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.mpii_w32 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    codec=DARK(sigma=2.0, blur_kernel=11),
    expected=Expected({"Mean": 0.906, "Mean@0.1": 0.42}),
)
