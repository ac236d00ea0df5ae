r"""HRNetV2-W48 with OCR on Cityscapes (HRNet-Semantic-Segmentation).

Expected: the mean IoU below on val (branch HRNet-OCR), whole pictures of 1024x2048 at one
scale without flip test. `cityscapes_w18_small_v2` explains data, weights and differences from the
original.

The loss is that of the output plus 0.4 times that of the auxiliary output, as in Yuan et al. ECCV
2020.

    hrnet-tf train cityscapes_w48_ocr --workdir=runs/cityscapes_w48_ocr \
        --weights=hrnetv2_w48_imagenet_pretrained.pth
"""

from dataclasses import replace

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.segmentation.cityscapes_w18_small_v2 import RECIPE as SMALL

RECIPE = replace(
    SMALL,
    arch="w48",
    head="ocr",
    align_corners=True,
    expected=Expected({"mIoU": 0.816}),
)
