"""Detectors: HRNetV2p with the heads of the papers, and their parts."""

from typing import NamedTuple

import keras
from keras import layers, ops

from hrnet_tf.names import check_choice
from hrnet_tf.networks.blocks import extent
from hrnet_tf.networks.checks import Arch, check_count, hrnet_only, spec_of
from hrnet_tf.networks.heads.fcos import GROUPS, fcos
from hrnet_tf.networks.heads.fcos_lite import fcos_lite, lite_pyramid
from hrnet_tf.networks.heads.pyramid import pyramid
from hrnet_tf.networks.heads.regions import box_head, mask_head
from hrnet_tf.networks.heads.roi import roi_align
from hrnet_tf.networks.heads.rpn import rpn
from hrnet_tf.networks.heads.semantic import STRIDE, semantic
from hrnet_tf.networks.specs import LiteHRNetSpec
from hrnet_tf.networks.trunk import network_name, trunk


class Head(NamedTuple):
    """What kind of detector a head makes.

    Attributes:
        stages: that classify regions; 0: every point of the maps predicts a box.
        masks: whether it finds masks.
        levels: of the pyramid, with scores and boxes; level L has the stride 2**L.
    """

    stages: int
    masks: bool
    levels: range


HEADS = {
    "fcos": Head(0, False, range(3, 8)),
    "fcos_lite": Head(0, False, range(3, 7)),
    "faster_rcnn": Head(1, False, range(2, 7)),
    "mask_rcnn": Head(1, True, range(2, 7)),
    "cascade_rcnn": Head(3, False, range(2, 7)),
    "cascade_mask_rcnn": Head(3, True, range(2, 7)),
    "htc": Head(3, True, range(2, 7)),
}
CHANNELS = 256  # of the pyramid and of all heads but the light one
LITE_SHAPE = (320, 320, 3)  # of images, for Lite-HRNets
STRIDES = (4, 8, 16, 32)  # of the maps that regions are pooled from
BOX_SIZE, MASK_SIZE = 7, 14
# Layers whose outputs are the pooled regions, where `split` cuts.
BOXES, MASKS, SEMANTIC = "box_regions", "mask_regions", "semantic_regions"


def detection(
    arch: Arch,
    num_classes: int = 80,
    head: str = "fcos",
    input_shape: tuple | None = None,
    samples: int = 4,
    geometry: str = "continuous",
    tower_bias: bool = False,
    channels: int = CHANNELS,
) -> keras.Model:
    """Detector: a normalised image to maps of scores and boxes, and regions to objects.

    HRNetV2p of Wang et al. TPAMI 2020 with the heads of mmdetection, or a light FCOS for phones
    (`heads.fcos_lite`). Selecting boxes is not part of the network: regions are an input, and
    `split` gives the parts before and after them.

    Args:
        arch: an HRNet's name or spec; with the head "fcos_lite" also a Lite-HRNet's.
        num_classes: of objects, without the background.
        head: "fcos", "fcos_lite", "faster_rcnn", "mask_rcnn", "cascade_rcnn", "cascade_mask_rcnn"
            or "htc".
        input_shape: (height, width, channels); height and width are multiples of 32, or None. The
            default is any size, and 320 x 320 for Lite-HRNets, which need a fixed one.
        samples: regions of up to 7 * `samples` cells per side of their map are pooled exactly,
            longer ones with samples // 2 samples per bin (`roi_align`). 4 suits all square regions
            of images of 1333 x 800; memory grows with its square.
        geometry: "continuous", or "inclusive" for weights of mmdetection 1, whose boxes from x1 to
            x2 have the width x2 - x1 + 1.
        tower_bias: whether the convolutions of FCOS's towers have a bias, for the files of
            HRNet-FCOS.
        channels: of the pyramid, the RPN and the heads, a multiple of 32; hidden layers of box
            heads have four times as many. "fcos_lite" has those of its trunk, whatever this says.

    Returns:
        A model with the outputs of `DetectionCard(head=head).outputs()`. FCOS takes an image
        (B, H, W, C) and returns `class_logits_P3`, `log_distances_P3`, `centerness_P3`, …, to P7,
        or P6 if it is light. The others take {"image": (B, H, W, C), "boxes": (B, R, 4)}, one box
        or more, x1 y1 x2 y2 in pixels of the padded image. They return `objectness_P2`,
        `anchor_deltas_P2`, …, to P6, and for each stage and box `class_logits_1`
        (B, R, num_classes + 1), the background last, `box_deltas_1` (B, R, 4 * num_classes), or 4
        in Cascade R-CNN and HTC, and `mask_logits_1` (B, R, 28, 28, num_classes). All stages see
        the given boxes. HTC returns `semantic_logits` (B, H/8, W/8, 183) too. All are float32 in
        every dtype policy.

    Raises:
        ValueError: an unknown name, a shape the network cannot take, `num_classes` below one,
            `samples` below two, `channels` that are no multiple of 32.
    """
    check_count("num_classes", num_classes, "COCO has 80.")
    check_choice("head", head, tuple(HEADS))
    check_choice("geometry", geometry, ("continuous", "inclusive"))
    check_count("samples", samples, "4 suits images of 1333 x 800.")
    if samples < 2:
        raise ValueError(f"`samples` must be 2 or more. Received: samples={samples}.")
    if channels < 1 or channels % GROUPS:
        raise ValueError(
            f"`channels` must be a multiple of {GROUPS}, the groups of FCOS's normalization; "
            f"the published detectors have {CHANNELS}. Received: channels={channels}."
        )
    if head != "fcos_lite":
        hrnet_only(arch, "detection unless `head` is fcos_lite")
    if input_shape is None:
        input_shape = LITE_SHAPE if isinstance(spec_of(arch), LiteHRNetSpec) else (None, None, 3)
    image, xs = trunk(arch, input_shape, 4)
    name, levels = network_name(arch, head), [f"P{i}" for i in HEADS[head].levels]
    if head == "fcos_lite":
        levels = dict(zip(levels, lite_pyramid(xs), strict=True))
        return keras.Model(image, fcos_lite(levels, num_classes), name=name)
    if head == "fcos":
        levels = dict(zip(levels, pyramid(xs, channels, stride=2), strict=True))
        return keras.Model(image, fcos(levels, num_classes, tower_bias, channels), name=name)
    levels = dict(zip(levels, pyramid(xs, channels), strict=True))
    boxes = keras.Input((None, 4), name="boxes")
    outputs = rpn(levels, channels)
    maps = list(levels.values())
    pooling = {"geometry": geometry, "ratio": 2 if geometry == "inclusive" else 0}

    def pool(maps, size, strides, samples, name):
        regions = roi_align(maps, boxes, size, strides, samples, **pooling)
        return layers.Identity(name=name)(regions)

    inner = {BOXES: pool(maps[:4], BOX_SIZE, STRIDES, samples, BOXES)}
    if HEADS[head].masks:
        inner[MASKS] = pool(maps[:4], MASK_SIZE, STRIDES, max(2, samples // 2), MASKS)
    if head == "htc":
        feature, outputs["semantic_logits"] = semantic(maps, channels)
        inner[SEMANTIC] = pool([feature], MASK_SIZE, [STRIDE], samples, SEMANTIC)
    found = _stages(inner, num_classes, head)
    outputs |= {key: _by_image(x, boxes) for key, x in found.items()}
    return keras.Model({"image": image, "boxes": boxes}, outputs, name=name)


class Parts(NamedTuple):
    """A region detector in the parts between which boxes are selected, with the same weights.

    Attributes:
        image: from an image to "P2" … "P5", `objectness_P2`, `anchor_deltas_P2`, …, to P6, and in
            HTC "semantic".
        boxes: one model per stage, from "regions" (N, 7, 7, C) to `class_logits_1` (N, …) and
            `box_deltas_1` (N, …), with the number of the stage. In HTC also from "semantic"
            (N, 14, 14, C).
        masks: from "regions" (N, 14, 14, C), and in HTC "semantic", to `mask_logits_1`
            (N, 28, 28, classes) of all stages; None in detectors without masks.
    """

    image: keras.Model
    boxes: tuple[keras.Model, ...]
    masks: keras.Model | None


def split(model: keras.Model) -> Parts:
    """The parts of a region detector, also of one that was loaded by Keras alone.

    Raises:
        ValueError: the model is not a region detector of `detection`.
    """
    names = {layer.name for layer in model.layers}
    if BOXES not in names:
        raise ValueError(
            "`model` must be a detector with regions, built by `hrnet_tf.detection`. "
            f"Received: {model.name}. FCOS has no parts."
        )

    def of(layer):
        return model.get_layer(layer).output

    outputs = dict(model.output)
    image = {f"P{i}": of(f"fpn_conv.{i - 2}") for i in range(2, 6)}
    image |= {key: x for key, x in outputs.items() if key.startswith(("objectness", "anchor"))}
    fused = {"semantic": of(SEMANTIC)} if SEMANTIC in names else {}
    if fused:
        image["semantic"] = of("roi_head.semantic_head.conv_embedding.conv")
    boxes, masks = [], {}
    stages = sum(key.startswith("class_logits") for key in outputs)
    for stage in range(1, stages + 1):
        part = f".{stage - 1}" if stages > 1 else ""
        found = {
            "class_logits": f"roi_head.bbox_head{part}.fc_cls",
            "box_deltas": f"roi_head.bbox_head{part}.fc_reg",
        }
        found = {f"{kind}_{stage}": of(layer) for kind, layer in found.items()}
        boxes.append(_part({"regions": of(BOXES), **fused}, found, f"boxes_{stage}"))
        if MASKS in names:
            masks[f"mask_logits_{stage}"] = of(f"roi_head.mask_head{part}.conv_logits")
    whole = keras.Model(model.input["image"], image, name="image")
    masks = _part({"regions": of(MASKS), **fused}, masks, "masks") if masks else None
    return Parts(whole, tuple(boxes), masks)


def _part(inputs, outputs, name):
    """A model of the same layers from tensors inside another; its inputs have the given names."""
    inner = keras.Model(list(inputs.values()), outputs)
    named = {key: keras.Input(x.shape[1:], dtype=x.dtype, name=key) for key, x in inputs.items()}
    again = keras.models.clone_model(inner, list(named.values()), lambda layer: layer)
    return keras.Model(named, again.output, name=name)


def _stages(inner, num_classes, head):
    """Outputs (N, …) of every stage for pooled regions (N, …), by name."""
    stages, masks, _ = HEADS[head]
    fused = inner.get(SEMANTIC)
    regions = {key: x for key, x in inner.items() if key != SEMANTIC}
    if fused is not None:
        halved = layers.AveragePooling2D(2, name=f"{SEMANTIC}.mean")(fused)
        regions[BOXES] = layers.Add(name=f"{BOXES}.add")([regions[BOXES], halved])
        regions[MASKS] = layers.Add(name=f"{MASKS}.add")([regions[MASKS], fused])
    outputs, features = {}, None
    for stage in range(1, stages + 1):
        part = f".{stage - 1}" if stages > 1 else ""
        logits, deltas = box_head(
            regions[BOXES], f"roi_head.bbox_head{part}", num_classes, stages > 1
        )
        outputs |= {f"class_logits_{stage}": logits, f"box_deltas_{stage}": deltas}
        if masks:
            before = features if head == "htc" else None
            logits, features = mask_head(
                regions[MASKS], f"roi_head.mask_head{part}", num_classes, before
            )
            outputs[f"mask_logits_{stage}"] = logits
    return outputs


def _by_image(x, boxes):
    """(B * R, …) as (B, R, …); taken by index, since Keras reshapes to one unknown size only."""
    one = ops.ones_like(boxes[:, :, 0], dtype="int32")
    image, place = (ops.cumsum(one, axis=axis) - 1 for axis in (0, 1))
    return ops.take(x, ops.subtract(place, image * -extent(boxes, 1)), axis=0)
