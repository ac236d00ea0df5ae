r"""HRNetV2-W18 on Cityscapes (HRNet-Semantic-Segmentation).

Expected: the mean IoU below on val (TPAMI 2020, Fig. 10), whole pictures of 1024x2048 at one scale
without flip test. `cityscapes_w18_small_v2` explains data, weights and differences from the
original.

    hrnet-tf train cityscapes_w18 --workdir=runs/cityscapes_w18 \
        --weights=hrnetv2_w18_imagenet_pretrained.pth
"""

from dataclasses import replace

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.segmentation.cityscapes_w18_small_v2 import RECIPE as SMALL

RECIPE = replace(
    SMALL,
    arch="w18",
    expected=Expected({"mIoU": 0.790}),
)
