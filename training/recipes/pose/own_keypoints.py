r"""Fine-tuning on keypoints of one's own: fifty photos and a laptop.

Expected: depends on the data; the page of `inspect` shows crops and targets as the network will see
them. The annotations are a COCO-format file, the keypoints a file with their names
(`hrnet_tf.labels.keypoint_files`).

    hrnet-tf inspect own_keypoints --output=look --keypoints=keypoints.json \
        --train_annotations=train.json --train_images=photos \
        --val_annotations=val.json --val_images=photos
    hrnet-tf train look/recipe.json --workdir=runs/mine

The same without `inspect`:

    hrnet-tf train own_keypoints --workdir=runs/mine --keypoints=keypoints.json \
        --train_annotations=train.json --train_images=photos \
        --val_annotations=val.json --val_images=photos

Why these values: the network starts from COCO's keypoints, so it needs a small rate and few epochs;
only its last layer is new. Few photos are not enough to estimate the statistics of normalization,
so these are frozen. In so short a run, averaged weights are better than the last ones; the best
epoch is chosen by evaluating them. Crops vary less in scale and rotation than in COCO's recipes;
set `--spread=uniform --rotation_factor=180` for objects that appear at any angle, and
`--flip_probability=0` if mirrored objects do not occur. W32 takes some seconds a step on a laptop;
Lite-HRNet is smaller: `--arch=lite18 --weights=lite_hrnet18_coco_256x192`.
"""

from hrnet_tf.cards.codecs import DARK
from hrnet_tf.training.pose.recipe import PoseRecipe

RECIPE = PoseRecipe(
    arch="w32",
    input_size=(256, 192),
    train_annotations="data/own/train.json",
    train_images="data/own/images",
    val_annotations="data/own/val.json",
    val_images="data/own/images",
    weights="hrnet_w32_dark_coco_256x192",
    codec=DARK(sigma=2.0, blur_kernel=11),
    half_body_probability=0.0,
    scale_factor=0.25,
    rotation_factor=30.0,
    color_jitter=0.2,
    learning_rate=1e-4,
    milestones=(),
    warmup_steps=20,
    epochs=40,
    batch_size=8,
    clip_norm=1.0,
    ema=0.99,
    frozen_norm=True,
    protocol="annotated",
    evaluate_every=2,
    patience=5,
)
