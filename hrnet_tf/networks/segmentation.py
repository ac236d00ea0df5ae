"""Semantic segmentation networks."""

import keras

from hrnet_tf.names import check_choice
from hrnet_tf.networks import blocks
from hrnet_tf.networks.blocks import bilinear
from hrnet_tf.networks.checks import MULTIPLE, Arch, check_count, hrnet_only
from hrnet_tf.networks.heads.concat import concatenate, conv_bn_conv
from hrnet_tf.networks.heads.ocr import ocr
from hrnet_tf.networks.trunk import network_name, trunk


def segmentation(
    arch: Arch,
    num_classes: int,
    input_shape: tuple = (512, 1024, 3),
    head: str = "concat",
    align_corners: bool = False,
    full_size: bool = False,
) -> keras.Model:
    """Semantic segmentation network: a normalised image to logits per class.

    HRNetV2 of Wang et al. TPAMI 2020 (`lib/models/seg_hrnet.py`), or with OCR on top
    (`seg_hrnet_ocr.py`).

    Args:
        arch: an HRNet's name or spec.
        num_classes: channels of the logits.
        input_shape: (height, width, channels). Any fixed size from 32 on; height and width may be
            None unless `align_corners`, and then take multiples of 32.
        head: "concat" or "ocr".
        align_corners: how bilinear upsampling places its grid. Weights need the value that they
            were trained with: True for the original's OCR, ADE20K and COCO-Stuff files, False for
            most others.
        full_size: upsample the logits to the size of the image; otherwise they have a quarter.

    Returns:
        A model `(B, H, W, C) -> (B, ceil(H/4), ceil(W/4), num_classes)`, float32 in every dtype
        policy. With OCR its output is `{"aux": …, "logits": …}`; the first is for training.

    Raises:
        ValueError: an unknown name, a shape the network cannot take, `num_classes` below one.
    """
    check_count("num_classes", num_classes, "Cityscapes has 19.")
    check_choice("head", head, ("concat", "ocr"))
    hrnet_only(arch, "segmentation")
    fixed = None not in tuple(input_shape)[:2]
    if align_corners and not fixed:
        raise ValueError(
            "`input_shape` must have a fixed height and width with align_corners=True. "
            f"Received: input_shape={input_shape!r}."
        )
    up = blocks.align_corners if align_corners else bilinear
    image, xs = trunk(arch, input_shape, 4, up, multiple=1 if fixed else MULTIPLE)
    x = concatenate(xs, up)
    if head == "ocr":
        outputs = dict(zip(("aux", "logits"), ocr(x, num_classes), strict=True))
    else:
        outputs = {"logits": conv_bn_conv(x, num_classes, "last_layer")}
    if full_size:
        outputs = {name: up(x, 2, image, f"{name}.full") for name, x in outputs.items()}
    outputs = outputs if head == "ocr" else outputs["logits"]
    return keras.Model(image, outputs, name=network_name(arch, "segmentation"))
