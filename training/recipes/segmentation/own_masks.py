r"""Fine-tuning on masks of one's own: a folder of pictures, one of masks, and an afternoon.

Expected: depends on the data; the page of `inspect` shows crops and masks as the network will see
them, and names every mask that cannot be used. Masks are PNG files with the names of their
pictures. Classes are a file with their names, and their colours if masks have colours
(`hrnet_tf.labels.class_files`):

    {"names": ["background", "leaf", "stem"]}

    hrnet-tf inspect own_masks --output=look --classes=classes.json \
        --train_annotations=masks --train_images=photos \
        --val_annotations=val_masks --val_images=val_photos
    hrnet-tf train look/recipe.json --workdir=runs/mine

The same without `inspect`:

    hrnet-tf train own_masks --workdir=runs/mine --classes=classes.json \
        --train_annotations=masks --train_images=photos \
        --val_annotations=val_masks --val_images=val_photos

Masks of class numbers, 8 or 16 bits or with a palette, need no flag; black and white ones need
`--encoding=binary`, colours `--encoding=color`. `--ignore_label=255` names the number of pixels
that do not count. For COCO's instances as masks set `--labels=coco_instances --classes=person`.

Why these values: the network starts from Cityscapes, so it needs a small rate, and its new last
layer a larger one. Few pictures are not enough to estimate the statistics of normalization, so
these are frozen. The Dice part of the loss makes small classes count. In so short a run, averaged
weights are better than the last ones; the best epoch is chosen by evaluating them. Pictures are
resized to a long side of 640 pixels; set `--base_size` for finer detail, and `--flip_probability=0`
if mirrored things do not occur.
"""

from hrnet_tf.labels.classes import PERSON
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

RECIPE = SegmentationRecipe(
    arch="w18_small_v2",
    input_size=(320, 320),
    train_annotations="data/own/masks",
    train_images="data/own/images",
    val_annotations="data/own/val_masks",
    val_images="data/own/val_images",
    weights="hrnet_w18_small_v2_fcn_cityscapes_512x1024",
    classes=PERSON,
    labels="masks",
    resize="long",
    base_size=640,
    scale_range=(0.5, 2.0),
    color_jitter=0.2,
    loss="dice",
    learning_rate=2e-4,
    head_rate=10.0,
    milestones=(),
    warmup_steps=20,
    epochs=60,
    batch_size=8,
    clip_norm=1.0,
    ema=0.99,
    frozen_norm=True,
    absent="left_out",
    evaluate_every=5,
    patience=5,
)
