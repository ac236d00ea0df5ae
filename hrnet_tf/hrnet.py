"""The HRNet trunk: parallel streams that exchange information again and again.

Sun et al. CVPR 2019, Wang et al. TPAMI 2020; `lib/models/pose_hrnet.py` and its siblings in the
original repositories, which agree on everything built here.
"""

from hrnet_tf.blocks import add_relu, basic_block, bottleneck, conv3x3, conv_bn, pair, upsample
from hrnet_tf.specs import HRNetSpec


def stem(x):
    """Two strided 3x3 convolutions: the image at stride 4 with 64 channels."""
    x = conv_bn(x, 64, 3, ("conv1", "bn1"), stride=2, activation="relu")
    return conv_bn(x, 64, 3, ("conv2", "bn2"), stride=2, activation="relu")


def transition(xs, channels, name, step=conv3x3):
    """Streams for the next stage: the last one halves its resolution once more for the new stream.

    `step(x, filters, name, stride=…, activation=…)` is the family's 3x3 convolution.
    """
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


def exchange(x, source, target, filters, name, step=conv3x3):
    """Bring stream `source` to the resolution and the channels of stream `target`."""
    if source == target:
        return x
    if source > target:
        return upsample(conv_bn(x, filters, 1, pair(name)), source - target, name)
    last = target - source - 1
    for k in range(last):
        x = step(x, x.shape[-1], f"{name}.{k}", stride=2, activation="relu")
    return step(x, filters, f"{name}.{last}", stride=2)


def fuse(xs, outputs, name):
    """The exchange unit: each of the first `outputs` streams becomes the sum of all streams."""
    fused = []
    for i in range(outputs):
        path = f"{name}.fuse_layers.{i}"
        terms = [exchange(x, j, i, xs[i].shape[-1], f"{path}.{j}") for j, x in enumerate(xs)]
        fused.append(add_relu(terms, path))
    return fused


def hrnet(image, spec: HRNetSpec, outputs: int = 4):
    """The trunk as a graph.

    Args:
        image: `(B, H, W, C)`, H and W multiples of 32.
        spec: the variant.
        outputs: how many maps the last exchange unit builds. 1 is HRNetV1, 4 serves the V2 heads.

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
            last = stage == 4 and m == modules - 1
            xs = fuse(branches(xs, spec.blocks, name), outputs if last else len(xs), name)
    return xs
