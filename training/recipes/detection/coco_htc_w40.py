"""HRNetV2p-W40 with Hybrid Task Cascade on COCO; otherwise as `coco_htc_w18`.

Expected: the AP below on val2017 (mmdetection 2.x).

    hrnet-tf train coco_htc_w40 --workdir=runs/coco_htc_w40
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_htc_w18

RECIPE = dataclasses.replace(
    coco_htc_w18.RECIPE,
    arch="w40",
    expected=Expected({"AP": 0.464, "AP mask": 0.408}),
)
