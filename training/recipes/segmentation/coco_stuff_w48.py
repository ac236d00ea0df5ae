r"""HRNetV2-W48 on COCO-Stuff 10k (HRNet-Semantic-Segmentation, branch HRNet-OCR).

Expected: the mean IoU below on test at one scale; .379 at several with flip test. Trained on 4 GPUs
with 4 crops each, with OHEM, whose number of pixels counts for each GPU.

The lists are those of the original repository; the data lie in its folders.

    hrnet-tf train coco_stuff_w48 --workdir=runs/coco_stuff_w48 \
        --weights=hrnetv2_w48_imagenet_pretrained.pth
"""

from hrnet_tf.labels.classes import COCO_STUFF
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

RECIPE = SegmentationRecipe(
    arch="w48",
    input_size=(520, 520),
    train_annotations="data/list/cocostuff/train.lst",
    train_images="data/cocostuff",
    val_annotations="data/list/cocostuff/val.lst",
    val_images="data/cocostuff",
    classes=COCO_STUFF,
    labels="coco_stuff",
    align_corners=True,
    resize="short_long",
    base_size=520,
    loss="ohem",
    learning_rate=0.001,
    weight_decay=1e-4,
    head_rate=10.0,
    epochs=110,
    batch_size=16,
    optimizer="sgd",
    milestones=(),
    power=0.9,
    sync_norm=True,
    expected=Expected({"mIoU": 0.362}),
)
