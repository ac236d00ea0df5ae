r"""Fine-tuning on objects of one's own: photos, their boxes, and an afternoon.

Expected: depends on the data; the page of `inspect` shows images and objects as the network will
see them, and names every object that cannot be used. Annotations are a file in COCO's format, or a
folder of PASCAL VOC's or YOLO's files. Classes are the categories of the annotations; their ids
need not be contiguous.

    hrnet-tf inspect own_objects --output=look \
        --train_annotations=train.json --train_images=photos \
        --val_annotations=val.json --val_images=val_photos
    hrnet-tf train look/recipe.json --workdir=runs/mine

For masks, too, set `--head=mask_rcnn --weights=mask_rcnn_hrnet_w18_coco --channels=rgb`.

Why these values: the network starts from COCO, so it needs a small rate, and its new last layers a
larger one. Few images are not enough to estimate the statistics of normalization, so these are
those of the start. In so short a run, averaged weights are better than the last ones; the best
epoch is chosen by evaluating them.
"""

from hrnet_tf.training.detection.recipe import DetectionRecipe

RECIPE = DetectionRecipe(
    arch="w18",
    input_size=(640, 640),
    train_annotations="data/own/train.json",
    train_images="data/own/images",
    val_annotations="data/own/val.json",
    val_images="data/own/val_images",
    weights="fcos_hrnet_w18_coco",
    classes=(),
    category_ids=(),
    channels="bgr",
    sides=(640, 640),
    scale_range=(0.6, 1.4),
    color_jitter=0.2,
    learning_rate=1e-4,
    head_rate=5.0,
    milestones=(),
    warmup_steps=20,
    epochs=60,
    batch_size=4,
    clip_norm=35.0,
    ema=0.99,
    evaluate_every=5,
    patience=5,
)
