"""HRNetV2p-W48 with Faster R-CNN on COCO; otherwise as `coco_faster_w18`.

Expected: the AP below on val2017 (mmdetection 1).

    hrnet-tf train coco_faster_w48 --workdir=runs/coco_faster_w48
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_faster_w18

RECIPE = dataclasses.replace(
    coco_faster_w18.RECIPE,
    arch="w48",
    expected=Expected(
        {"AP": 0.415},
        "numbers of mmdetection 1, whose boxes from x1 to x2 have the width x2 - x1 + 1",
    ),
)
