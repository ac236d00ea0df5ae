"""Networks by name: each function returns a plain functional `keras.Model`."""

import difflib

import keras

from hrnet_tf import blocks
from hrnet_tf.blocks import bilinear, conv, nearest
from hrnet_tf.heads.classification import classify, increase
from hrnet_tf.heads.concat import concatenate, conv_bn_conv
from hrnet_tf.heads.ocr import ocr
from hrnet_tf.heads.pyramid import POOLING, pyramid
from hrnet_tf.hrnet import hrnet
from hrnet_tf.lite_hrnet import lite_hrnet
from hrnet_tf.specs import SPECS, HRNetSpec, LiteHRNetSpec

Arch = str | HRNetSpec | LiteHRNetSpec

MULTIPLE = 32  # the coarsest stream halves the image five times


def spec_of(arch: Arch) -> HRNetSpec | LiteHRNetSpec:
    """The spec that `arch` names, or `arch` itself if it is one.

    Raises:
        ValueError: no architecture has that name.
    """
    if isinstance(arch, HRNetSpec | LiteHRNetSpec):
        return arch
    if arch in SPECS:
        return SPECS[arch]
    close = difflib.get_close_matches(str(arch), SPECS, n=3) or SPECS
    raise ValueError(
        f"`arch` must name an architecture or be a spec. Received: arch={arch!r}. "
        f"Did you mean {', '.join(close)}?"
    )


def pose(
    arch: Arch,
    input_shape: tuple = (256, 192, 3),
    num_keypoints: int = 17,
    head: str = "v1",
) -> keras.Model:
    """Keypoint network: a normalised crop of one person, hand or face to one heat map per keypoint.

    HRNetV1 of Sun et al. CVPR 2019 (`lib/models/pose_hrnet.py`), Lite-HRNet of Yu et al. CVPR 2021,
    and HRNetV2 for landmarks of Wang et al. TPAMI 2020.

    Args:
        arch: a name from `hrnet_tf.SPECS` ("w32", "lite18", …) or a spec.
        input_shape: (height, width, channels); height and width are multiples of 32, or None in an
            HRNet.
        num_keypoints: heat maps of the output; for a codec with offsets, `codec.channels(K)`.
        head: "v1" reads the highest resolution; "v2", of the landmark and hand networks, all of
            them, and upsamples bilinearly in the trunk too, as their published weights need it.

    Returns:
        A model `(B, H, W, C) -> (B, H/4, W/4, num_keypoints)` with random weights. The output is
        float32 in every dtype policy.

    Raises:
        ValueError: an unknown name, a shape the network cannot take, `num_keypoints` below one.
    """
    _check_count("num_keypoints", num_keypoints, "COCO has 17.")
    _check_choice("head", head, ("v1", "v2"))
    if isinstance(spec_of(arch), LiteHRNetSpec) and head != "v1":
        raise ValueError(
            "Lite-HRNet has its own way to all resolutions: use head='v1'. "
            f"Received: arch={arch!r}, head={head!r}."
        )
    if head == "v1":
        image, xs = _trunk(arch, input_shape, 1)
        heatmaps = conv(xs[0], num_keypoints, 1, "final_layer", use_bias=True, dtype="float32")
    else:
        image, xs = _trunk(arch, input_shape, 4, bilinear)
        heatmaps = conv_bn_conv(concatenate(xs, bilinear), num_keypoints, "head")
    return keras.Model(image, heatmaps, name=_name(arch, "pose"))


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
        align_corners: how bilinear upsampling places its grid. Weights need the one they were
            trained with: the original's OCR, ADE20K and COCO-Stuff files True, most others False.
        full_size: logits at the size of the image instead of a quarter of it.

    Returns:
        A model `(B, H, W, C) -> (B, ceil(H/4), ceil(W/4), num_classes)`, float32 in every dtype
        policy. With OCR its output is `{"aux": …, "logits": …}`; the first is for training.

    Raises:
        ValueError: an unknown name, a shape the network cannot take, `num_classes` below one.
    """
    _check_count("num_classes", num_classes, "Cityscapes has 19.")
    _check_choice("head", head, ("concat", "ocr"))
    _hrnet_only(arch, "segmentation")
    fixed = None not in tuple(input_shape)[:2]
    if align_corners and not fixed:
        raise ValueError(
            "`input_shape` must have a fixed height and width with align_corners=True. "
            f"Received: input_shape={input_shape!r}."
        )
    up = blocks.align_corners if align_corners else bilinear
    image, xs = _trunk(arch, input_shape, 4, up, multiple=1 if fixed else MULTIPLE)
    x = concatenate(xs, up)
    if head == "ocr":
        outputs = dict(zip(("aux", "logits"), ocr(x, num_classes), strict=True))
    else:
        outputs = {"logits": conv_bn_conv(x, num_classes, "last_layer")}
    if full_size:
        outputs = {name: up(x, 2, image, f"{name}.full") for name, x in outputs.items()}
    outputs = outputs if head == "ocr" else outputs["logits"]
    return keras.Model(image, outputs, name=_name(arch, "segmentation"))


def classification(
    arch: Arch,
    num_classes: int = 1000,
    input_shape: tuple = (224, 224, 3),
    use_bias: bool = True,
) -> keras.Model:
    """Image classification network HRNetV2-C (`cls_hrnet.py` of the original repository).

    Args:
        arch: an HRNet's name or spec.
        num_classes: length of the logits.
        input_shape: (height, width, channels); height and width are multiples of 32, or None.
        use_bias: False for the `ssld` weights, whose head has no bias before a normalization.

    Returns:
        A model `(B, H, W, C) -> (B, num_classes)`: logits, float32 in every dtype policy.

    Raises:
        ValueError: an unknown name, a shape the network cannot take, `num_classes` below one.
    """
    _check_count("num_classes", num_classes, "ImageNet has 1000.")
    _hrnet_only(arch, "classification")
    image, xs = _trunk(arch, input_shape, 4)
    logits = classify(xs, num_classes, use_bias)
    return keras.Model(image, logits, name=_name(arch, "classification"))


def backbone(
    arch: Arch,
    input_shape: tuple = (256, 256, 3),
    features: str = "raw",
    stem: bool = False,
) -> keras.Model:
    """The trunk alone, as a feature extractor.

    Args:
        arch: a name from `hrnet_tf.SPECS` or a spec.
        input_shape: (height, width, channels); height and width are multiples of 32, or None in an
            HRNet.
        features: "raw" streams, or "increased" to 128, 256, 512, 1024 channels by the blocks that
            classification weights have.
        stem: also give "P1", the first map of the stem with 64 channels at stride 2.

    Returns:
        A model from `(B, H, W, C)` to `{"P2": …, "P3": …, "P4": …, "P5": …}`, maps at strides 4, 8,
        16, 32. An HRNet's have `width * (1, 2, 4, 8)` channels; a Lite-HRNet's come from its
        iterative head and have `width * (1, 1, 2, 4)`. Its attribute `pyramid_outputs`, by which
        KerasHub's RetinaNet and DeepLabV3 find the maps, is not saved with it: after loading, set
        `model.pyramid_outputs = model.output`.

    Raises:
        ValueError: an unknown name or a shape the network cannot take.
    """
    _check_choice("features", features, ("raw", "increased"))
    if isinstance(spec_of(arch), LiteHRNetSpec) and (features != "raw" or stem):
        raise ValueError(
            "Lite-HRNet has no increased features and no stem map. "
            f"Received: arch={arch!r}, features={features!r}, stem={stem!r}."
        )
    image, xs = _trunk(arch, input_shape, 4)
    xs = increase(xs) if features == "increased" else xs
    levels = {f"P{level}": x for level, x in enumerate(xs, 2)}
    if stem:
        first = keras.Model(image, xs[0]).get_layer("bn1.relu").output
        levels = {"P1": first, **levels}
    model = keras.Model(image, levels, name=_name(arch, "backbone"))
    model.pyramid_outputs = levels
    return model


def feature_pyramid(
    arch: Arch,
    input_shape: tuple = (256, 256, 3),
    channels: int = 256,
    pooling: str = "average",
) -> keras.Model:
    """HRNetV2p, the feature pyramid of the detectors (`HRFPN` of HRNet-Object-Detection).

    The coarser levels are pooled from the finest, as in the released code; the papers describe
    strided convolutions.

    Args:
        arch: an HRNet's name or spec.
        input_shape: (height, width, channels); height and width are multiples of 64, or None.
        channels: of every level.
        pooling: "average" or "max".

    Returns:
        A model from `(B, H, W, C)` to `{"P2": …, …, "P6": …}`, maps at strides 4, 8, 16, 32, 64.

    Raises:
        ValueError: an unknown name or a shape the network cannot take.
    """
    _check_count("channels", channels, "The original has 256.")
    _check_choice("pooling", pooling, POOLING)
    _hrnet_only(arch, "a feature pyramid")
    image, xs = _trunk(arch, input_shape, 4, multiple=2 * MULTIPLE)
    levels = {f"P{level}": x for level, x in enumerate(pyramid(xs, channels, pooling), 2)}
    model = keras.Model(image, levels, name=_name(arch, "feature_pyramid"))
    model.pyramid_outputs = levels
    return model


def _trunk(arch, input_shape, outputs, upsample=nearest, multiple=MULTIPLE):
    """The image and the first maps of a trunk."""
    spec = spec_of(arch)
    lite = isinstance(spec, LiteHRNetSpec)
    _check_input_shape(input_shape, multiple, dynamic=not lite)
    image = keras.Input(tuple(input_shape), name="image")
    xs = lite_hrnet(image, spec)[:outputs] if lite else hrnet(image, spec, outputs, upsample)
    return image, xs


def _check_input_shape(input_shape, multiple, dynamic):
    try:
        height, width, channels = input_shape
        if channels is None or channels < 1:
            raise TypeError
        sizes = [size for size in (height, width) if size is not None]
        bad = [size for size in sizes if size < MULTIPLE or size % multiple]
    except (TypeError, ValueError):
        raise ValueError(
            "`input_shape` must be (height, width, channels). "
            f"Received: input_shape={input_shape!r}. A usual one is (256, 192, 3)."
        ) from None
    if len(sizes) < 2 and not dynamic:
        raise ValueError(
            "`input_shape` must have a fixed height and width for this architecture. "
            f"Received: input_shape={input_shape!r}."
        )
    if bad:
        smallest = max(multiple, MULTIPLE)
        near = tuple(
            size and max(smallest, round(size / multiple) * multiple) for size in (height, width)
        )
        rule = f"multiples of {multiple}" if multiple > 1 else f"at least {MULTIPLE}"
        raise ValueError(
            f"`input_shape` must have a height and width that are {rule}. "
            f"Received: input_shape={tuple(input_shape)}. The nearest is {(*near, channels)}."
        )


def _hrnet_only(arch, task):
    if isinstance(spec_of(arch), LiteHRNetSpec):
        raise ValueError(
            f"`arch` must be an HRNet for {task}. Received: arch={arch!r}, a Lite-HRNet. "
            "w18_small_v1 is the smallest HRNet."
        )


def _check_count(name, value, example):
    if not isinstance(value, int) or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value!r}. {example}"
        )


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(choices)}. Received: {name}={value!r}."
        )


def _name(arch, task):
    return f"{arch}_{task}" if isinstance(arch, str) else f"hrnet_{task}"
