"""HRNetV2p-W48 with Mask R-CNN on COCO; otherwise as `coco_mask_w18`.

Expected: the AP below on val2017 (mmdetection 1).

    hrnet-tf train coco_mask_w48 --workdir=runs/coco_mask_w48
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_mask_w18

RECIPE = dataclasses.replace(
    coco_mask_w18.RECIPE,
    arch="w48",
    expected=Expected(
        {"AP": 0.429, "AP mask": 0.383},
        "numbers of mmdetection 1, whose boxes from x1 to x2 have the width x2 - x1 + 1",
    ),
)
