"""HRNetV2p-W32 with Cascade R-CNN on COCO; otherwise as `coco_cascade_w18`.

Expected: the AP below on val2017 (mmdetection 2.x).

    hrnet-tf train coco_cascade_w32 --workdir=runs/coco_cascade_w32
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_cascade_w18

RECIPE = dataclasses.replace(
    coco_cascade_w18.RECIPE,
    arch="w32",
    expected=Expected({"AP": 0.433}),
)
