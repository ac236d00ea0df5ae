"""HRNetV2p: a feature pyramid for detection (`HRFPN` of the released detectors)."""

from keras import layers

from hrnet_tf.networks.blocks import bilinear, conv
from hrnet_tf.networks.heads.concat import concatenate

POOLING = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}


def pyramid(xs, channels=256, pooling="average", levels=5):
    """Maps at strides 4, 8, 16, 32, 64 with `channels` channels each.

    The papers describe strided convolutions. The released code pools, and so does this.
    """
    x = concatenate(xs, bilinear)
    x = conv(x, channels, 1, "reduction_conv.0", use_bias=True)
    outputs = []
    for i in range(levels):
        pooled = POOLING[pooling](2**i, name=f"fpn_conv.{i}.pool")(x) if i else x
        outputs.append(conv(pooled, channels, 3, f"fpn_conv.{i}", use_bias=True))
    return outputs
