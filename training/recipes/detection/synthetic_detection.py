"""A tiny HRNet with the heads of Mask R-CNN on drawn scenes: people and things.

HRNetV2p of Wang et al. TPAMI 2020 at its smallest: one module per stage, one block per stream,
heads of 64 channels, and few regions in an image.

Expected: about the AP below on held-out drawings, in about four minutes on two CPU cores. The
drawings come first:

    python -m hrnet_tf.training.data.synthetic --output=runs/drawings/train --num_images=800
    python -m hrnet_tf.training.data.synthetic --output=runs/drawings/val --num_images=80 --seed=1
    hrnet-tf train synthetic_detection --workdir=runs/synthetic_detection
"""

from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.recipe import Expected

RECIPE = DetectionRecipe(
    arch=HRNetSpec(width=8, stage1_blocks=1, stage1_planes=16, modules=(1, 1, 1), blocks=1),
    input_size=(96, 128),
    train_annotations="runs/drawings/train/instances.json",
    train_images="runs/drawings/train/images",
    val_annotations="runs/drawings/val/instances.json",
    val_images="runs/drawings/val/images",
    head="mask_rcnn",
    classes=("person", "thing"),
    category_ids=(1, 2),
    sides=(128, 96),
    scale_range=(0.9, 1.1),
    head_channels=64,
    proposals=100,
    regions=32,
    fixed_statistics=False,
    learning_rate=1.5e-3,
    milestones=(),
    warmup_steps=100,
    clip_norm=35.0,
    epochs=5,
    batch_size=4,
    ema=0.99,
    evaluate_every=3,
    expected=Expected({"AP": 0.54, "AP mask": 0.48}),
)
