"""The Lite-HRNet trunk (Yu et al. CVPR 2021), with its naive variant of plain shuffle units.

It equals the released code (`models/backbones/litehrnet.py`), also in the way the fuse step counts
the first stream.
"""

from keras import layers, ops

from hrnet_tf.networks.blocks import (
    add,
    align_corners,
    channel_shuffle,
    conv,
    conv_bn,
    depthwise_bn,
    mm_pair,
    nearest,
    separable3x3,
)
from hrnet_tf.networks.hrnet import exchange, transition
from hrnet_tf.networks.specs import LiteHRNetSpec


def stem(x, channels):
    """The image at stride 4: a strided convolution, then a strided shuffle block."""
    x = conv_bn(x, channels, 3, mm_pair("stem.conv1"), stride=2, activation="relu")
    half = channels // 2
    left, right = ops.split(x, 2, axis=-1)
    left = depthwise_bn(left, mm_pair("stem.branch1.0"), stride=2)
    left = conv_bn(left, half, 1, mm_pair("stem.branch1.1"), activation="relu")
    right = conv_bn(right, channels, 1, mm_pair("stem.expand_conv"), activation="relu")
    right = depthwise_bn(right, mm_pair("stem.depthwise_conv"), stride=2)
    right = conv_bn(right, half, 1, mm_pair("stem.linear_conv"), activation="relu")
    return channel_shuffle(layers.Concatenate(name="stem.concat")([left, right]), "stem")


def shuffle_unit(x, name):
    """ShuffleNetV2 unit: half of the channels pass, half are convolved."""
    kept, x = ops.split(x, 2, axis=-1)
    channels = x.shape[-1]
    x = conv_bn(x, channels, 1, mm_pair(f"{name}.branch2.0"), activation="relu")
    x = depthwise_bn(x, mm_pair(f"{name}.branch2.1"))
    x = conv_bn(x, channels, 1, mm_pair(f"{name}.branch2.2"), activation="relu")
    return channel_shuffle(layers.Concatenate(name=f"{name}.concat")([kept, x]), name)


def cross_resolution_weighting(xs, reduction, name):
    """Gate every stream by weights computed from all of them at the smallest resolution."""
    last = len(xs) - 1
    pooled = [
        layers.AveragePooling2D(2 ** (last - i), name=f"{name}.pool{i}")(x)
        for i, x in enumerate(xs[:-1])
    ]
    gates = layers.Concatenate(name=f"{name}.concat")([*pooled, xs[-1]])
    channels = gates.shape[-1]
    gates = conv_bn(gates, channels // reduction, 1, mm_pair(f"{name}.conv1"), activation="relu")
    gates = conv_bn(gates, channels, 1, mm_pair(f"{name}.conv2"), activation="sigmoid")
    ends = [sum(x.shape[-1] for x in xs[: i + 1]) for i in range(last)]
    outputs = []
    for i, (x, gate) in enumerate(zip(xs, ops.split(gates, ends, axis=-1), strict=True)):
        gate = nearest(gate, last - i, x, f"{name}.{i}") if i < last else gate
        outputs.append(layers.Multiply(name=f"{name}.{i}.scale")([x, gate]))
    return outputs


def spatial_weighting(x, name):
    """Squeeze-and-excite gate with a ratio of four."""
    channels = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}.pool")(x)
    gate = conv(gate, channels // 4, 1, f"{name}.conv1.conv", use_bias=True, activation="relu")
    gate = conv(gate, channels, 1, f"{name}.conv2.conv", use_bias=True, activation="sigmoid")
    return layers.Multiply(name=f"{name}.scale")([x, gate])


def conditional_channel_weighting(xs, reduction, name):
    """The paper's block: channel weights across resolutions instead of pointwise convolutions."""
    halves = [ops.split(x, 2, axis=-1) for x in xs]
    weighted = cross_resolution_weighting(
        [right for _, right in halves], reduction, f"{name}.cross_resolution_weighting"
    )
    outputs = []
    for i, ((left, _), x) in enumerate(zip(halves, weighted, strict=True)):
        x = depthwise_bn(x, mm_pair(f"{name}.depthwise_convs.{i}"))
        x = spatial_weighting(x, f"{name}.spatial_weighting.{i}")
        x = layers.Concatenate(name=f"{name}.{i}.concat")([left, x])
        outputs.append(channel_shuffle(x, f"{name}.{i}"))
    return outputs


def _module_blocks(xs, spec, name):
    if spec.weighting:
        for b in range(spec.blocks):
            xs = conditional_channel_weighting(xs, spec.reduction, f"{name}.layers.{b}")
        return xs
    outputs = []
    for i, x in enumerate(xs):
        for b in range(spec.blocks):
            x = shuffle_unit(x, f"{name}.layers.{i}.{b}")
        outputs.append(x)
    return outputs


def fuse(xs, name):
    """The exchange unit as released, not as published.

    The released code adds the first stream's term twice and writes its own sum back into that
    stream, so later outputs read the sum, before its ReLU. Published weights need this.
    """
    first, outputs = xs[0], []
    for i, x in enumerate(xs):
        path = f"{name}.fuse_layers.{i}"
        terms = [
            exchange(y, j - i, x, f"{path}.{j}", separable3x3)
            for j, y in enumerate([first, *xs[1:]])
        ]
        total = add([terms[0], *terms], path)
        if i == 0:
            first = total
        outputs.append(layers.Activation("relu", name=f"{path}.relu")(total))
    return outputs


def iterative_head(xs):
    """From the lowest resolution upwards: upsample, add to the next stream, project."""
    channels = [x.shape[-1] for x in xs]
    outputs = []
    for p, x in enumerate(reversed(xs)):
        name = f"head_layer.projects.{p}"
        if outputs:
            x = add([x, align_corners(outputs[-1], 1, x, name)], name)
        x = depthwise_bn(x, mm_pair(f"{name}.depthwise_conv"))
        filters = channels[max(len(xs) - 2 - p, 0)]
        outputs.append(conv_bn(x, filters, 1, mm_pair(f"{name}.pointwise_conv"), activation="relu"))
    return outputs[::-1]


def lite_hrnet(image, spec: LiteHRNetSpec):
    """The trunk as a graph: `(B, H, W, C)` -> maps at strides 4, 8, 16, 32.

    H and W are static multiples of 32. The maps have `width * (1, 1, 2, 4)` channels.
    """
    xs = [stem(image, spec.stem)]
    for stage, modules in enumerate(spec.modules):
        xs = transition(xs, spec.channels, f"transition{stage}", separable3x3)
        for m in range(modules):
            name = f"stage{stage}.{m}"
            xs = fuse(_module_blocks(xs, spec, name), name)
    return iterative_head(xs)
