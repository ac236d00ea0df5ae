r"""HRNetV2-W48 with OCR on PASCAL-Context, 59 classes (HRNet-Semantic-Segmentation).

Expected: the mean IoU below on val, at several scales with flip test. Crops are larger, and the
head has ten times the rate.

    hrnet-tf train pascal_context_w48_ocr --workdir=runs/pascal_context_w48_ocr \
        --weights=hrnetv2_w48_imagenet_pretrained.pth
"""

from dataclasses import replace

from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.segmentation.pascal_context_w48 import RECIPE as PLAIN

RECIPE = replace(
    PLAIN,
    head="ocr",
    align_corners=True,
    input_size=(520, 520),
    resize="short_long",
    learning_rate=0.001,
    head_rate=10.0,
    expected=Expected({"mIoU": 0.562}),
)
