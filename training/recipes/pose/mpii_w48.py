"""HRNet-W48 at 256x256 on MPII: a configuration of the original repository.

Expected: no number of its own; OpenMMLab's training of the same network is the preset
`hrnet_w48_mpii_256x256`. Counted as in `mpii_w32`.

    hrnet-tf train mpii_w48 --workdir=runs/mpii_w48
"""

import dataclasses

from hrnet_tf.training.recipes.pose.mpii_w32 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    arch="w48",
    weights="https://download.openmmlab.com/mmpose/pretrain_models/hrnet_w48-8ef0771d.pth",
    expected=None,
)
