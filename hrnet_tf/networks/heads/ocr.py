"""Object-contextual representations (Yuan et al. ECCV 2020), as `lib/models/seg_hrnet_ocr.py`."""

from keras import layers, ops

from hrnet_tf.networks.blocks import batch_norm, conv, conv_bn
from hrnet_tf.networks.heads.concat import conv_bn_conv

MID_CHANNELS = 512
KEY_CHANNELS = 256
DROPOUT = 0.05


def _chain(x, filters, name, steps=1):
    """1x1 convolutions with normalization and ReLU, the latter two nested in the original."""
    for step in range(0, 2 * steps, 2):
        names = f"{name}.{step}", f"{name}.{step + 1}.0"
        x = conv_bn(x, filters, 1, names, activation="relu")
    return x


def regions(features, logits):
    """One feature vector per class: the mean over the positions where the class is likely.

    `features` (B, h, w, C) and `logits` (B, h, w, K) give (B, K, 1, C).
    """
    weights = layers.Softmax(axis=(1, 2), name="ocr_gather_head.softmax")(logits)
    return ops.expand_dims(ops.einsum("bhwk,bhwc->bkc", weights, features), 2)


def attend(features, objects, filters, key_channels=KEY_CHANNELS, name="ocr_distri_head"):
    """Attention of positions to regions, for their context: (B, h, w, C) -> (B, h, w, filters)."""
    block = f"{name}.object_context_block"
    query = _chain(features, key_channels, f"{block}.f_pixel", steps=2)
    key = _chain(objects, key_channels, f"{block}.f_object", steps=2)
    value = _chain(objects, key_channels, f"{block}.f_down")
    affinity = ops.einsum("bhwc,bkoc->bhwk", query, key) * key_channels**-0.5
    affinity = layers.Softmax(name=f"{block}.softmax")(affinity)
    context = ops.einsum("bhwk,bkoc->bhwc", affinity, value)
    context = _chain(context, features.shape[-1], f"{block}.f_up")
    x = layers.Concatenate(name=f"{name}.concat")([context, features])
    x = _chain(x, filters, f"{name}.conv_bn_dropout")
    return layers.SpatialDropout2D(DROPOUT, name=f"{name}.conv_bn_dropout.drop")(x)


def ocr(x, num_classes):
    """Auxiliary and final logits (B, h, w, num_classes), float32, from the concatenated streams."""
    aux = conv_bn_conv(x, num_classes, "aux_head")
    x = conv(x, MID_CHANNELS, 3, "conv3x3_ocr.0", use_bias=True)
    x = batch_norm(x, "conv3x3_ocr.1", "relu")
    x = attend(x, regions(x, aux), MID_CHANNELS)
    return aux, conv(x, num_classes, 1, "cls_head", use_bias=True, dtype="float32")
