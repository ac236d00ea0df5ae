"""Detectors of OpenMMLab 1.x, HRNet-Object-Detection and maskrcnn-benchmark, as OpenMMLab 2's.

The heads of regions have other names there, and class 0 of their outputs is the background, which
is the last one since OpenMMLab 2. OpenMMLab's own converter (`upgrade_model_version.py`) drops the
wrong end of some biases; this does not.
"""

import re
from collections.abc import Iterable

import numpy as np

# Heads of regions where class 0 is the background. FCOS has no background.
_OLD = re.compile(
    r"((bbox_head\.(\d\.)?(shared_fcs|fc_cls|fc_reg)|mask_head|semantic_head)\.|roi_heads\.)"
)
_BOX, _MASK = "roi_heads.box", "roi_heads.mask"
_RPN = {"conv": "rpn_conv", "cls_logits": "rpn_cls", "bbox_pred": "rpn_reg"}
_FCOS = {"cls_logits": "conv_cls", "bbox_pred": "conv_reg", "centerness": "conv_centerness"}

# maskrcnn-benchmark's names of layers -> OpenMMLab's.
_BENCHMARK = {
    **{f"rpn.head.{theirs}": f"rpn_head.{ours}" for theirs, ours in _RPN.items()},
    **{f"{_BOX}.feature_extractor.fc{6 + i}": f"roi_head.bbox_head.shared_fcs.{i}" for i in (0, 1)},
    f"{_BOX}.predictor.cls_score": "roi_head.bbox_head.fc_cls",
    f"{_BOX}.predictor.bbox_pred": "roi_head.bbox_head.fc_reg",
    **{
        f"{_MASK}.feature_extractor.mask_fcn{i + 1}": f"roi_head.mask_head.convs.{i}.conv"
        for i in range(4)
    },
    f"{_MASK}.predictor.conv5_mask": "roi_head.mask_head.upsample",
    f"{_MASK}.predictor.mask_fcn_logits": "roi_head.mask_head.conv_logits",
}
# Names of FCOS: of the authors' repository, and OpenMMLab's until early 2.x.
_ANCHOR_FREE = {
    **{f"rpn.head.{theirs}": f"bbox_head.{ours}" for theirs, ours in _FCOS.items()},
    **{
        f"rpn.head.{tower}_tower.{3 * i + n}": f"bbox_head.{ours}_convs.{i}.{layer}"
        for tower, ours in (("cls", "cls"), ("bbox", "reg"))
        for i in range(4)
        for n, layer in enumerate(("conv", "gn"))
    },
    **{f"rpn.head.scales.{i}": f"bbox_head.scales.{i}" for i in range(5)},
}
_EARLY = {
    f"bbox_head.fcos_{kind}": f"bbox_head.conv_{kind}" for kind in ("cls", "reg", "centerness")
}


def layer_names(names: Iterable[str]) -> dict[str, str]:
    """The table of a file's layers that have other names in OpenMMLab 2, by these names."""
    fcos = any(name.startswith("rpn.head.centerness.") for name in names)
    return {**_EARLY, **(_ANCHOR_FREE if fcos else _BENCHMARK)}


def layer_name(name: str) -> str:
    """OpenMMLab 2's name of a layer of OpenMMLab 1."""
    return f"roi_head.{name}" if _OLD.match(f"{name}.") else name


def converted(name: str, array: np.ndarray) -> np.ndarray:
    """The tensor with the background last, where the file has it first.

    Args:
        name: the parameter's name in the file, without prefix.
        array: in PyTorch's layout. Deltas that all classes share have 4 rows and stay, and so does
            everything but the last layers of region heads.
    """
    layer = name.rpartition(".")[0]
    if name.endswith(".scale") and array.size == 1:  # FCOS's factor of a level
        return array.reshape(1, 1)
    if not _OLD.match(name) or not array.ndim:
        return array
    if layer.endswith(("fc_cls", "cls_score")):
        return np.roll(array, -1, axis=0)
    if layer.endswith(("fc_reg", "bbox_pred")) and len(array) > 4:
        return array[4:]
    if layer.endswith(("conv_logits", "mask_fcn_logits")) and not layer.startswith("semantic"):
        return array[1:]
    return array
