r"""HRNetV2-W48 on ADE20K (HRNet-Semantic-Segmentation, branch HRNet-OCR).

Expected: the mean IoU below on val at one scale; .442 at several with flip test. Trained on 4 GPUs
with 4 crops each, with OHEM, whose number of pixels counts for each GPU.

The lists are those of the original repository; the data lie in its folders.

The original evaluates pictures with the border that it has added to them; here it is cut off.

    hrnet-tf train ade20k_w48 --workdir=runs/ade20k_w48 \
        --weights=hrnetv2_w48_imagenet_pretrained.pth
"""

from hrnet_tf.labels.classes import ADE20K
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

RECIPE = SegmentationRecipe(
    arch="w48",
    input_size=(520, 520),
    train_annotations="data/list/ade20k/train.lst",
    train_images="data/ade20k",
    val_annotations="data/list/ade20k/val.lst",
    val_images="data/ade20k",
    classes=ADE20K,
    labels="ade20k",
    align_corners=True,
    resize="short_long",
    base_size=520,
    scale_range=(0.5, 1.6),
    loss="ohem",
    learning_rate=0.02,
    weight_decay=1e-4,
    epochs=120,
    batch_size=16,
    optimizer="sgd",
    milestones=(),
    power=0.9,
    sync_norm=True,
    expected=Expected({"mIoU": 0.431}),
)
