"""HRNetV2p-W48 with Hybrid Task Cascade on COCO; otherwise as `coco_htc_w18`.

Expected: the AP below on val2017 (mmdetection 1).

    hrnet-tf train coco_htc_w48 --workdir=runs/coco_htc_w48
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_htc_w18

RECIPE = dataclasses.replace(
    coco_htc_w18.RECIPE,
    arch="w48",
    expected=Expected(
        {"AP": 0.468, "AP mask": 0.407},
        "numbers of mmdetection 1, whose boxes from x1 to x2 have the width x2 - x1 + 1",
    ),
)
