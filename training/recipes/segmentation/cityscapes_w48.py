r"""HRNetV2-W48 on Cityscapes (HRNet-Semantic-Segmentation).

Expected: the mean IoU below on val (branch pytorch-v1.1), whole pictures of 1024x2048 at one
scale without flip test. `cityscapes_w18_small_v2` explains data, weights and differences from the
original.

    hrnet-tf train cityscapes_w48 --workdir=runs/cityscapes_w48 \
        --weights=hrnetv2_w48_imagenet_pretrained.pth
"""

from dataclasses import replace

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.segmentation.cityscapes_w18_small_v2 import RECIPE as SMALL

RECIPE = replace(
    SMALL,
    arch="w48",
    expected=Expected({"mIoU": 0.811}),
)
