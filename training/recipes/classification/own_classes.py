r"""Fine-tuning on classes of one's own: a folder of pictures for each, and a laptop.

Expected: depends on the data; the page of `inspect` shows crops as the network will see them, and
every picture that is left out or looks wrong. A fifth of each class is held out to evaluate on;
`--val_images` names other pictures.

    hrnet-tf inspect own_classes --output=look --train_images=photos
    hrnet-tf train own_classes --workdir=runs/own_classes --train_images=photos
    hrnet-tf evaluate --model=runs/own_classes/model.keras --images=photos --held_out=0.2 \
        --per_class --confusion

The run starts from ImageNet's weights. With few pictures, normalization keeps ImageNet's
statistics, the rate is small and falls by a cosine, weights are averaged, crops show most of the
picture, and targets are smoothed. Set `--flip_probability=0` where left and right matter, as in
traffic signs or text.
"""

from hrnet_tf.training.classification.recipe import ClassificationRecipe

RECIPE = ClassificationRecipe(
    arch="w18_small_v2",
    train_images="photos",
    held_out=0.2,
    weights="hrnet_w18_small_v2_imagenet_224x224",
    smallest_crop=0.35,
    color_jitter=0.2,
    label_smoothing=0.1,
    learning_rate=0.005,
    milestones=(),
    warmup_steps=20,
    epochs=30,
    batch_size=16,
    head_rate=10.0,
    ema=0.98,
    frozen_norm=True,
    patience=10,
)
