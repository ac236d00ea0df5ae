"""The region proposal network (Ren et al. NIPS 2015), as mmdetection's `RPNHead`."""

from hrnet_tf.networks.blocks import conv_layer, normal

ANCHORS = 3  # of each cell: height / width .5, 1, 2


def rpn(levels, channels=256):
    """Scores and boxes of the anchors of every cell.

    Args:
        levels: name of a pyramid's level -> (B, h, w, C). All share the layers.
        channels: of the hidden layer.

    Returns:
        `objectness_P2` (B, h, w, 3), logits of each anchor, and `anchor_deltas_P2` (B, h, w, 12),
        dx dy dw dh of the first anchor, of the second, …; float32. And so on for each level.
    """
    hidden = conv_layer(channels, 3, "rpn_head.rpn_conv", activation="relu", start=normal(0.01))
    last = {"dtype": "float32"}
    score = conv_layer(ANCHORS, 1, "rpn_head.rpn_cls", start=normal(0.01), **last)
    place = conv_layer(4 * ANCHORS, 1, "rpn_head.rpn_reg", start=normal(0.01), **last)
    maps = {name: hidden(x) for name, x in levels.items()}
    return {f"objectness_{name}": score(x) for name, x in maps.items()} | {
        f"anchor_deltas_{name}": place(x) for name, x in maps.items()
    }
