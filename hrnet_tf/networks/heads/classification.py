"""HRNetV2-C: image classification (`cls_hrnet.py` of the original repository)."""

import keras
from keras import layers

from hrnet_tf.networks.blocks import add, batch_norm, bottleneck, conv

PLANES = (32, 64, 128, 256)


def increase(xs):
    """A bottleneck per stream: 128, 256, 512 and 1024 channels."""
    return [
        bottleneck(x, planes, f"incre_modules.{i}.0")
        for i, (x, planes) in enumerate(zip(xs, PLANES, strict=True))
    ]


def classify(xs, num_classes, use_bias=True):
    """Merge the increased streams downwards, pool, and classify: (B, num_classes) float32 logits.

    Convolutions have a bias before their normalization, except in some retrained weights.
    """
    x, *rest = increase(xs)
    for i, finer in enumerate(rest):
        x = _conv_bn_relu(x, finer.shape[-1], 3, f"downsamp_modules.{i}", use_bias, stride=2)
        x = add([finer, x], f"downsamp_modules.{i}")
    x = _conv_bn_relu(x, 2048, 1, "final_layer", use_bias)
    x = layers.GlobalAveragePooling2D(name="classifier.pool")(x)
    start = keras.initializers.RandomNormal(stddev=0.01)
    return layers.Dense(num_classes, kernel_initializer=start, dtype="float32", name="classifier")(
        x
    )


def _conv_bn_relu(x, filters, kernel_size, name, use_bias, stride=1):
    x = conv(x, filters, kernel_size, f"{name}.0", stride=stride, use_bias=use_bias)
    return batch_norm(x, f"{name}.1", "relu")
