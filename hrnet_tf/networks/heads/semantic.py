"""The semantic branch of Hybrid Task Cascade (Chen et al. CVPR 2019), `FusedSemanticHead`."""

from hrnet_tf.networks.blocks import add, align_corners, conv_layer, kaiming

CLASSES = 183  # COCO-stuff
FUSED = 1  # index of the map whose size all others are brought to
STRIDE = 8


def semantic(maps, channels=256):
    """Class of every cell at stride 8 and a feature for regions, from all maps of the pyramid.

    Args:
        maps: (B, h, w, C) each, at strides 4, 8, 16, 32, 64.
        channels: of all layers.

    Returns:
        The feature (B, h, w, channels), and float32 logits (B, h, w, 183), used in training alone.
    """
    relu = {"activation": "relu"}
    total = []
    for i, x in enumerate(maps):
        name = f"roi_head.semantic_head.lateral_convs.{i}"
        x = x if i == FUSED else align_corners(x, i - FUSED, maps[FUSED], name)
        total.append(conv_layer(channels, 1, f"{name}.conv", start=kaiming(), **relu)(x))
    x = add([total[FUSED], *total[:FUSED], *total[FUSED + 1 :]], "roi_head.semantic_head")
    for i in range(4):
        x = conv_layer(
            channels, 3, f"roi_head.semantic_head.convs.{i}.conv", start=kaiming(), **relu
        )(x)
    feature = conv_layer(
        channels, 1, "roi_head.semantic_head.conv_embedding.conv", start=kaiming(), **relu
    )(x)
    logits = conv_layer(
        CLASSES, 1, "roi_head.semantic_head.conv_logits", start=kaiming(), dtype="float32"
    )
    return feature, logits(x)
