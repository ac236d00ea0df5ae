r"""HRNetV2-W48 with OCR on ADE20K (HRNet-Semantic-Segmentation, branch HRNet-OCR).

Expected: the mean IoU below on val at one scale; .455 at several with flip test.

    hrnet-tf train ade20k_w48_ocr --workdir=runs/ade20k_w48_ocr \
        --weights=hrnetv2_w48_imagenet_pretrained.pth
"""

from dataclasses import replace

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.segmentation.ade20k_w48 import RECIPE as PLAIN

RECIPE = replace(
    PLAIN,
    head="ocr",
    scale_range=(0.5, 2.1),
    expected=Expected({"mIoU": 0.445}),
)
