r"""HRNetV2-W18-small-v2 on Cityscapes (HRNet-Semantic-Segmentation, branch pytorch-v1.1).

Expected: the mean IoU below on val, whole pictures of 1024x2048 at one scale without flip test.
Trained on 4 GPUs with 3 crops each. `weights` are those of the original's ImageNet training; the
file has no stable address.

    hrnet-tf train cityscapes_w18_small_v2 --workdir=runs/cityscapes_w18_small_v2 \
        --weights=hrnet_w18_small_model_v2.pth

The data are `leftImg8bit` and `gtFine` as Cityscapes' own files unpack. All pages of this family
differ from the originals as follows. Batches are always full: one batch holds the last pictures of
a pass and the first of the next, so an epoch has 248 steps instead of 247. Without `--sync_norm`
normalization uses the crops of each device alone; the original's is synchronized.
"""

from hrnet_tf.labels.classes import CITYSCAPES
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

RECIPE = SegmentationRecipe(
    arch="w18_small_v2",
    input_size=(512, 1024),
    train_annotations="data/cityscapes/gtFine/train",
    train_images="data/cityscapes/leftImg8bit/train",
    val_annotations="data/cityscapes/gtFine/val",
    val_images="data/cityscapes/leftImg8bit/val",
    classes=CITYSCAPES,
    labels="cityscapes",
    resize="long",
    base_size=2048,
    class_weights=(
        0.8373, 0.918, 0.866, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023,
        0.9539, 0.9843, 1.1116, 0.9037, 1.0865, 1.0955, 1.0865, 1.1529, 1.0507,
    ),
    optimizer="sgd",
    learning_rate=0.01,
    milestones=(),
    power=0.9,
    weight_decay=5e-4,
    epochs=484,
    batch_size=12,
    sync_norm=True,
    test_size=(1024, 2048),
    expected=Expected({"mIoU": 0.762}),
)  # fmt: skip
