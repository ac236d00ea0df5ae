"""Heads of regions: a class and a box (Girshick ICCV 2015), a mask (He et al. ICCV 2017).

Sources: mmdetection's `Shared2FCBBoxHead`, `FCNMaskHead`, `HTCMaskHead`.
"""

from keras import layers

from hrnet_tf.networks.blocks import add, conv_layer, kaiming, normal

WIDER = 4  # hidden units of a box head for each channel of a region


def box_head(regions, name, num_classes, agnostic):
    """Classes and boxes of regions.

    Args:
        regions: (N, 7, 7, C).
        name: of the head in checkpoints.
        num_classes: of objects.
        agnostic: whether all classes share one box.

    Returns:
        Logits (N, num_classes + 1), the last of the background, and deltas (N, 4) or
        (N, 4 * num_classes), dx dy dw dh of the first class, of the second, …; float32.
    """
    hidden = WIDER * regions.shape[-1]
    x = layers.Flatten(name=f"{name}.flatten")(regions)
    for i in range(2):
        x = layers.Dense(hidden, "relu", name=f"{name}.shared_fcs.{i}")(x)
    count = 4 if agnostic else 4 * num_classes
    logits = _last(num_classes + 1, f"{name}.fc_cls", 0.01)
    return logits(x), _last(count, f"{name}.fc_reg", 0.001)(x)


def _last(units, name, stddev):
    return layers.Dense(units, kernel_initializer=normal(stddev), dtype="float32", name=name)


def mask_head(regions, name, num_classes, before=None):
    """Masks of regions, one for each class.

    Args:
        regions: (N, 14, 14, C).
        name: of the head in checkpoints.
        num_classes: of objects.
        before: the features of the stage before, in HTC.

    Returns:
        Logits (N, 28, 28, num_classes) float32, and features (N, 14, 14, C) for the next stage.
    """
    channels, x = regions.shape[-1], regions
    if before is not None:
        conv = f"{name}.conv_res.conv"
        passed = conv_layer(channels, 1, conv, activation="relu", start=kaiming())(before)
        x = add([x, passed], name)
    for i in range(4):
        x = conv_layer(channels, 3, f"{name}.convs.{i}.conv", activation="relu", start=kaiming())(x)
    up = layers.Conv2DTranspose(
        channels, 2, 2, activation="relu", kernel_initializer=kaiming(), name=f"{name}.upsample"
    )
    logits = conv_layer(num_classes, 1, f"{name}.conv_logits", start=kaiming(), dtype="float32")
    return logits(up(x)), x
