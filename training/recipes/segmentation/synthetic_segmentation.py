"""A tiny HRNet on drawn scenes: background, ground, people and things.

HRNetV2 of Wang et al. TPAMI 2020 at its smallest: one module per stage, one block per stream.

Expected: about the mean IoU below on held-out drawings, in about a minute on two CPU cores. The
drawings come first:

    python -m hrnet_tf.training.data.synthetic --output=runs/drawings/train --num_images=800
    python -m hrnet_tf.training.data.synthetic --output=runs/drawings/val --num_images=80 --seed=1
    hrnet-tf train synthetic_segmentation --workdir=runs/synthetic_segmentation
"""

from hrnet_tf.labels.classes import DRAWINGS
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

RECIPE = SegmentationRecipe(
    arch=HRNetSpec(width=16, stage1_blocks=1, stage1_planes=16, modules=(1, 1, 1), blocks=1),
    input_size=(96, 128),
    train_annotations="runs/drawings/train/masks",
    train_images="runs/drawings/train/images",
    val_annotations="runs/drawings/val/masks",
    val_images="runs/drawings/val/images",
    classes=DRAWINGS,
    resize="long",
    base_size=128,
    scale_range=(0.8, 1.6),
    learning_rate=3e-3,
    milestones=(),
    warmup_steps=50,
    epochs=5,
    batch_size=16,
    evaluate_every=1,
    expected=Expected({"mIoU": 0.9}),
)
