r"""HRNetV2-W48 on LIP (HRNet-Semantic-Segmentation, branch HRNet-OCR).

Expected: the mean IoU below on val, pictures resized to 473x473, with flip test. Trained on 4 GPUs
with 10 pictures each.

The lists are those of the original repository; the data lie in its folders.

    hrnet-tf train lip_w48 --workdir=runs/lip_w48 \
        --weights=hrnetv2_w48_imagenet_pretrained.pth
"""

from hrnet_tf.labels.classes import LIP
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

RECIPE = SegmentationRecipe(
    arch="w48",
    input_size=(473, 473),
    train_annotations="data/list/lip/trainList.txt",
    train_images="data/lip",
    val_annotations="data/list/lip/valList.txt",
    val_images="data/lip",
    classes=LIP,
    labels="lip",
    resize="both",
    base_size=473,
    scale_range=(0.5, 1.6),
    learning_rate=0.007,
    weight_decay=5e-4,
    epochs=150,
    batch_size=40,
    flip_test=True,
    optimizer="sgd",
    milestones=(),
    power=0.9,
    sync_norm=True,
    expected=Expected({"mIoU": 0.5583}),
)
