"""HRNetV2: all resolutions at once (Wang et al. TPAMI 2020)."""

from keras import layers

from hrnet_tf.networks.blocks import batch_norm, conv


def concatenate(xs, upsample):
    """All streams at the size of the first: `(B, h, w, sum of channels)`."""
    first, *rest = xs
    rest = [upsample(x, i, first, f"concat.{i}") for i, x in enumerate(rest, 1)]
    return layers.Concatenate(name="concat")([first, *rest])


def conv_bn_conv(x, filters, name):
    """1x1 convolution, normalization, ReLU, 1x1 convolution to `filters` float32 maps.

    The last layers of the original segmentation (`last_layer`, `aux_head`) and landmark (`head`)
    networks, whose first convolution has a bias before its normalization.
    """
    x = conv(x, x.shape[-1], 1, f"{name}.0", use_bias=True)
    x = batch_norm(x, f"{name}.1", "relu")
    return conv(x, filters, 1, f"{name}.3", use_bias=True, dtype="float32")
