r"""HRNetV2-W48 on PASCAL-Context, 59 classes (HRNet-Semantic-Segmentation).

Expected: the mean IoU below on val, at several scales with flip test. Trained on 4 GPUs with 4
crops each, by the values of branch pytorch-v1.1.

Masks are PNG files with 0 for the background and 1 to 59: those of the lists, or OpenMMLab's folder
`SegmentationClassContext` with its lists of names. The original makes masks of the annotations in
`trainval_merged.json`.

    hrnet-tf train pascal_context_w48 --workdir=runs/pascal_context_w48 \
        --weights=hrnetv2_w48_imagenet_pretrained.pth
"""

from hrnet_tf.labels.classes import PASCAL_CONTEXT
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

RECIPE = SegmentationRecipe(
    arch="w48",
    input_size=(480, 480),
    train_annotations="data/list/pascal_ctx/train.lst",
    train_images="data/pascal_ctx",
    val_annotations="data/list/pascal_ctx/val.lst",
    val_images="data/pascal_ctx",
    classes=PASCAL_CONTEXT,
    labels="pascal_context",
    resize="long",
    base_size=520,
    learning_rate=0.004,
    weight_decay=1e-4,
    epochs=200,
    batch_size=16,
    test_scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
    flip_test=True,
    optimizer="sgd",
    milestones=(),
    power=0.9,
    sync_norm=True,
    expected=Expected({"mIoU": 0.541}),
)
