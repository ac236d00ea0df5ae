r"""HRNetV2-W48 with OCR on LIP (HRNet-Semantic-Segmentation, branch HRNet-OCR).

Expected: the mean IoU below on val, pictures resized to 473x473, with flip test.

    hrnet-tf train lip_w48_ocr --workdir=runs/lip_w48_ocr \
        --weights=hrnetv2_w48_imagenet_pretrained.pth
"""

from dataclasses import replace

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.segmentation.lip_w48 import RECIPE as PLAIN

RECIPE = replace(
    PLAIN,
    head="ocr",
    align_corners=True,
    expected=Expected({"mIoU": 0.5648}),
)
