"""A tiny HRNet on drawn people: what `make demo` trains."""

from hrnet_tf.codecs import DARK
from hrnet_tf.specs import HRNetSpec
from hrnet_tf.training.recipe import Recipe

RECIPE = Recipe(
    arch=HRNetSpec(width=24, stage1_blocks=1, stage1_planes=16, modules=(1, 1, 1), blocks=1),
    input_size=(128, 96),
    train_annotations="runs/drawings/train/person_keypoints.json",
    train_images="runs/drawings/train/images",
    val_annotations="runs/drawings/val/person_keypoints.json",
    val_images="runs/drawings/val/images",
    codec=DARK(sigma=1.5, blur_kernel=7),
    scale_factor=0.15,
    rotation_factor=15.0,
    learning_rate=2e-3,
    milestones=(),
    warmup_steps=50,
    epochs=5,
    batch_size=32,
    protocol="annotated",
)
