"""OpenMMLab's names of layers to which the original repositories give other names.

All other layers have their original names once the prefix is removed.
"""

from collections.abc import Iterable

from hrnet_tf.weights import detectors

_OCR = "decode_head.1.object_context_block"
_OURS = "ocr_distri_head.object_context_block"

# OpenMMLab's module of a convolution and a normalization -> the original names of both layers.
_MODULES = {
    "decode_head.convs.0": ("last_layer.0", "last_layer.1"),
    "decode_head.0.convs.0": ("aux_head.0", "aux_head.1"),
    "decode_head.1.bottleneck": ("conv3x3_ocr.0", "conv3x3_ocr.1"),
    f"{_OCR}.query_project.0": (f"{_OURS}.f_pixel.0", f"{_OURS}.f_pixel.1.0"),
    f"{_OCR}.query_project.1": (f"{_OURS}.f_pixel.2", f"{_OURS}.f_pixel.3.0"),
    f"{_OCR}.key_project.0": (f"{_OURS}.f_object.0", f"{_OURS}.f_object.1.0"),
    f"{_OCR}.key_project.1": (f"{_OURS}.f_object.2", f"{_OURS}.f_object.3.0"),
    f"{_OCR}.value_project": (f"{_OURS}.f_down.0", f"{_OURS}.f_down.1.0"),
    f"{_OCR}.out_project": (f"{_OURS}.f_up.0", f"{_OURS}.f_up.1.0"),
    f"{_OCR}.bottleneck": (
        "ocr_distri_head.conv_bn_dropout.0",
        "ocr_distri_head.conv_bn_dropout.1.0",
    ),
}

# The pose and landmark heads of versions 0.x and 1.x.
_HEADS = {
    "final_layer": "final_layer",
    **{f"final_layer.{i}": f"head.{i}" for i in (0, 1, 3)},
    **{f"conv_layers.{i}": f"head.{i}" for i in (0, 1)},
}

RENAMES: dict[str, str] = {
    **{f"{module}.conv": names[0] for module, names in _MODULES.items()},
    **{f"{module}.bn": names[1] for module, names in _MODULES.items()},
    "decode_head.conv_seg": "last_layer.3",
    "decode_head.0.conv_seg": "aux_head.3",
    "decode_head.1.conv_seg": "cls_head",
    "reduction_conv.conv": "reduction_conv.0",
    **{f"fpn_convs.{i}.conv": f"fpn_conv.{i}" for i in range(5)},
    **{f"head.{theirs}": ours for theirs, ours in _HEADS.items()},
    **{f"keypoint_head.{theirs}": ours for theirs, ours in _HEADS.items()},
}


def original_names(names: Iterable[str]) -> dict[str, str]:
    """Each parameter's name without prefix -> its name in the original repositories."""
    names = list(names)
    table = RENAMES | detectors.layer_names(names)
    if any(name.startswith("head.conv_layers.") for name in names):
        # Version 1.x took the last convolution of the landmark head out of its sequence.
        table["head.final_layer"] = "head.3"
    return {name: _renamed(name, table) for name in names}


def _renamed(name, table):
    layer, dot, leaf = name.rpartition(".")
    leaf = "weight" if leaf == "scale" else leaf  # of a level of FCOS
    return f"{detectors.layer_name(table.get(layer, layer))}{dot}{leaf}"
