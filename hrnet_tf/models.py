"""Networks by name: each function returns a plain functional `keras.Model`."""

import difflib

import keras

from hrnet_tf.heads.pose import heatmaps
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


def _check_input_shape(input_shape, dynamic):
    try:
        height, width, channels = input_shape
        if channels is None or channels < 1:
            raise TypeError
        sizes = [size for size in (height, width) if size is not None]
        bad = [size for size in sizes if size < MULTIPLE or size % MULTIPLE]
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
        near = tuple(
            size and max(MULTIPLE, round(size / MULTIPLE) * MULTIPLE) for size in (height, width)
        )
        raise ValueError(
            f"`input_shape` must have a height and width that are multiples of {MULTIPLE}. "
            f"Received: input_shape={tuple(input_shape)}. The nearest is {(*near, channels)}."
        )


def _trunk(arch, input_shape, outputs):
    """Image and maps of a trunk, and its spec's width as part of the model's name."""
    spec = spec_of(arch)
    lite = isinstance(spec, LiteHRNetSpec)
    _check_input_shape(input_shape, dynamic=not lite)
    image = keras.Input(tuple(input_shape), name="image")
    xs = lite_hrnet(image, spec)[:outputs] if lite else hrnet(image, spec, outputs)
    return image, xs


def pose(arch: Arch, input_shape: tuple = (256, 192, 3), num_keypoints: int = 17) -> keras.Model:
    """Top-down pose network: a normalised crop of one person to one heat map per keypoint.

    HRNetV1 of Sun et al. CVPR 2019 (`lib/models/pose_hrnet.py`), or Lite-HRNet of Yu et al. CVPR
    2021.

    Args:
        arch: a name from `hrnet_tf.SPECS` ("w32", "lite18", …) or a spec.
        input_shape: (height, width, channels); height and width are multiples of 32, or None in an
            HRNet.
        num_keypoints: heat maps of the output; for a codec with offsets, `codec.channels(K)`.

    Returns:
        A model `(B, H, W, C) -> (B, H/4, W/4, num_keypoints)` with random weights. The output is
        float32 in every dtype policy.

    Raises:
        ValueError: an unknown `arch`, a shape the network cannot take, `num_keypoints` below one.
    """
    if not isinstance(num_keypoints, int) or num_keypoints < 1:
        raise ValueError(
            "`num_keypoints` must be a positive integer. "
            f"Received: num_keypoints={num_keypoints!r}. COCO has 17."
        )
    image, (x,) = _trunk(arch, input_shape, 1)
    return keras.Model(image, heatmaps(x, num_keypoints), name=_name(arch, "pose"))


def backbone(arch: Arch, input_shape: tuple = (256, 256, 3)) -> keras.Model:
    """The trunk alone, as a feature extractor.

    Args:
        arch: a name from `hrnet_tf.SPECS` or a spec.
        input_shape: (height, width, channels); height and width are multiples of 32, or None in an
            HRNet.

    Returns:
        A model from `(B, H, W, C)` to `{"P2": …, "P3": …, "P4": …, "P5": …}`, maps at strides 4, 8,
        16, 32. An HRNet's have `width * (1, 2, 4, 8)` channels; a Lite-HRNet's come from its
        iterative head and have `width * (1, 1, 2, 4)`.

    Raises:
        ValueError: an unknown `arch` or a shape the network cannot take.
    """
    image, xs = _trunk(arch, input_shape, 4)
    levels = {f"P{level}": x for level, x in enumerate(xs, 2)}
    return keras.Model(image, levels, name=_name(arch, "backbone"))


def _name(arch, task):
    return f"{arch}_{task}" if isinstance(arch, str) else f"hrnet_{task}"
