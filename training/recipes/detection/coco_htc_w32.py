"""HRNetV2p-W32 with Hybrid Task Cascade on COCO; otherwise as `coco_htc_w18`.

Expected: the AP below on val2017 (mmdetection 2.x).

    hrnet-tf train coco_htc_w32 --workdir=runs/coco_htc_w32
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_htc_w18

RECIPE = dataclasses.replace(
    coco_htc_w18.RECIPE,
    arch="w32",
    expected=Expected({"AP": 0.454, "AP mask": 0.399}),
)
