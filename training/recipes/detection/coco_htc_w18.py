r"""HRNetV2p-W18 with Hybrid Task Cascade on COCO (mmdetection, configs/hrnet, schedule 20e).

Expected: the box and mask AP below on val2017 (mmdetection 2.x). Otherwise as `coco_cascade_w18`.

The loss of the semantic branch, which needs COCO-stuff's maps of pixels, is missing: the branch is
trained through the regions alone. The published numbers have it.

    hrnet-tf train coco_htc_w18 --workdir=runs/coco_htc_w18 \
        --weights=hrnetv2_w18_imagenet.pth
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_cascade_w18

RECIPE = dataclasses.replace(
    coco_cascade_w18.RECIPE,
    head="htc",
    score_threshold=0.001,
    expected=Expected({"AP": 0.428, "AP mask": 0.379}),
)
