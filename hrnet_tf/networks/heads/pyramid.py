"""HRNetV2p: a feature pyramid for detection (`HRFPN` of the released detectors)."""

from keras import layers

from hrnet_tf.networks.blocks import bilinear, conv_layer
from hrnet_tf.networks.heads.concat import concatenate

POOLING = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}


def pyramid(xs, channels=256, pooling="average", levels=5, stride=1):
    """Maps at strides 4, 8, 16, 32, 64 with `channels` channels each; 8 to 128 with `stride` 2.

    The papers describe strided convolutions. The released code pools, and so does this; FCOS has
    strided convolutions after the pooling.
    """
    start = "lecun_uniform"  # Caffe's Xavier
    x = conv_layer(channels, 1, "reduction_conv.0", start=start)(concatenate(xs, bilinear))
    outputs = []
    for i in range(levels):
        y = POOLING[pooling](2**i, name=f"fpn_conv.{i}.pool")(x) if i else x
        if stride > 1:
            y = layers.ZeroPadding2D(1, name=f"fpn_conv.{i}.pad")(y)
        outputs.append(conv_layer(channels, 3, f"fpn_conv.{i}", stride=stride, start=start)(y))
    return outputs
