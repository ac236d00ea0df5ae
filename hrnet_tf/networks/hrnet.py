"""The HRNet trunk: parallel streams that exchange information again and again.

Sun et al. CVPR 2019, Wang et al. TPAMI 2020; `lib/models/pose_hrnet.py` and its siblings in the
original repositories, which agree on everything built here.
"""

from hrnet_tf.networks.blocks import (
    add_relu,
    basic_block,
    bottleneck,
    conv3x3,
    conv_bn,
    nearest,
    pair,
)
from hrnet_tf.networks.specs import HRNetSpec


def stem(x):
    """Two strided 3x3 convolutions: the image at stride 4 with 64 channels."""
    x = conv_bn(x, 64, 3, ("conv1", "bn1"), stride=2, activation="relu")
    return conv_bn(x, 64, 3, ("conv2", "bn2"), stride=2, activation="relu")


def transition(xs, channels, name, step=conv3x3):
    """The streams of the next stage; the new one starts as the last one at half the resolution."""
    outputs = []
    for i, x in enumerate(xs):
        if x.shape[-1] != channels[i]:
            x = step(x, channels[i], f"{name}.{i}", activation="relu")
        outputs.append(x)
    new = len(xs)
    return [*outputs, step(xs[-1], channels[new], f"{name}.{new}.0", stride=2, activation="relu")]


def branches(xs, blocks, name):
    """A chain of basic blocks for every stream."""
    outputs = []
    for i, x in enumerate(xs):
        for n in range(blocks):
            x = basic_block(x, x.shape[-1], f"{name}.branches.{i}.{n}")
        outputs.append(x)
    return outputs


def exchange(x, levels, like, name, step=conv3x3, upsample=nearest):
    """Resize a stream by `2**levels`, up or down, to the size and channels of `like`.

    `step(x, filters, name, stride=…, activation=…)` is the family's 3x3 convolution,
    `upsample(x, levels, like, name)` one of the three in `blocks`.
    """
    if levels == 0:
        return x
    filters = like.shape[-1]
    if levels > 0:
        return upsample(conv_bn(x, filters, 1, pair(name)), levels, like, name)
    last = -levels - 1
    for k in range(last):
        x = step(x, x.shape[-1], f"{name}.{k}", stride=2, activation="relu")
    return step(x, filters, f"{name}.{last}", stride=2)


def fuse(xs, outputs, name, upsample):
    """The exchange unit: each of the first `outputs` streams becomes the sum of all streams."""
    fused = []
    for i, like in enumerate(xs[:outputs]):
        path = f"{name}.fuse_layers.{i}"
        terms = [
            exchange(x, j - i, like, f"{path}.{j}", upsample=upsample) for j, x in enumerate(xs)
        ]
        fused.append(add_relu(terms, path))
    return fused


def hrnet(image, spec: HRNetSpec, outputs: int = 4, upsample=nearest):
    """The trunk as a graph.

    Args:
        image: `(B, H, W, C)`, H and W multiples of 32.
        spec: the variant.
        outputs: how many maps the last exchange unit builds. 1 is HRNetV1, 4 serves the V2 heads.
        upsample: how coarse streams reach fine ones: `blocks.nearest` in pose, classification and
            detection, `blocks.bilinear` or `blocks.align_corners` in segmentation and landmarks.

    Returns:
        Maps at strides 4, 8, 16, 32 with `spec.channels` channels, the first `outputs` of them.
    """
    x = stem(image)
    for n in range(spec.stage1_blocks):
        x = bottleneck(x, spec.stage1_planes, f"layer1.{n}")
    xs = [x]
    for stage, modules in enumerate(spec.modules, 2):
        xs = transition(xs, spec.channels, f"transition{stage - 1}")
        for m in range(modules):
            name = f"stage{stage}.{m}"
            xs = branches(xs, spec.blocks, name)
            if spec.exchanges(stage, m):
                last = stage == 4 and m == modules - 1
                xs = fuse(xs, outputs if last else len(xs), name, upsample)
    return xs
