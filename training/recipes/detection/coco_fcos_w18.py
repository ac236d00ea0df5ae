r"""HRNetV2p-W18 with FCOS on COCO (mmdetection, configs/hrnet, schedule 2x).

Expected: the box AP below on val2017 (mmdetection 2.x). Otherwise as `coco_faster_w18`.

The warm-up is that of mmdetection 2.x, which made the published files: a third of the rate for 500
steps. The pages of mmdetection 3 have a linear one from .001 (`--warmup=linear
--warmup_start=0.001`).

    hrnet-tf train coco_fcos_w18 --workdir=runs/coco_fcos_w18 \
        --weights=hrnetv2_w18_imagenet.pth
"""

import dataclasses

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.detection import coco_faster_w18

RECIPE = dataclasses.replace(
    coco_faster_w18.RECIPE,
    head="fcos",
    learning_rate=0.01,
    bias_rate=2.0,
    decay_biases=False,
    channels="bgr",
    train_sides=(640, 800),
    clip_norm=35.0,
    warmup_start=1 / 3,
    warmup="constant",
    expected=Expected({"AP": 0.383}),
)
