r"""HRNetV2p-W18 with Mask R-CNN on COCO (mmdetection, configs/hrnet, schedule 2x).

Expected: the box and mask AP below on val2017 (mmdetection 2.x). Otherwise as `coco_faster_w18`.

    hrnet-tf train coco_mask_w18 --workdir=runs/coco_mask_w18 \
        --weights=hrnetv2_w18_imagenet.pth
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_faster_w18

RECIPE = dataclasses.replace(
    coco_faster_w18.RECIPE,
    head="mask_rcnn",
    expected=Expected({"AP": 0.398, "AP mask": 0.36}),
)
