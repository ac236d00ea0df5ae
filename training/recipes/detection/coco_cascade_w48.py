"""HRNetV2p-W48 with Cascade R-CNN on COCO; otherwise as `coco_cascade_w18`.

Expected: the AP below on val2017 (mmdetection 1).

    hrnet-tf train coco_cascade_w48 --workdir=runs/coco_cascade_w48
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_cascade_w18

RECIPE = dataclasses.replace(
    coco_cascade_w18.RECIPE,
    arch="w48",
    expected=Expected(
        {"AP": 0.446},
        "numbers of mmdetection 1, whose boxes from x1 to x2 have the width x2 - x1 + 1",
    ),
)
