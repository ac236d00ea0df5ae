"""HRNetV2p-W40 with FCOS on COCO; otherwise as `coco_fcos_w18`.

Expected: the AP below on val2017 (mmdetection 2.x).

    hrnet-tf train coco_fcos_w40 --workdir=runs/coco_fcos_w40
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_fcos_w18

RECIPE = dataclasses.replace(
    coco_fcos_w18.RECIPE,
    arch="w40",
    expected=Expected({"AP": 0.427}),
)
