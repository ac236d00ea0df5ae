"""ImageNet classifiers: the files of timm on the Hugging Face hub.

Files tagged `ms` hold the original repository's weights under the same names, so the original files
load by path as well. Revisions and hashes on the hub are unknown here.
"""

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.networks.classification import classification
from hrnet_tf.presets.preset import Preset, licence, size_of

# Variant: share of the image in the crop, interpolation. The configurations in timm's hrnet.py.
_CROPS = {
    "ms": (0.875, "bilinear"),
    "ms_aug": (0.95, "bilinear"),
    "gluon": (0.875, "bicubic"),
    "paddle": (1.0, "bilinear"),
}

# architecture, variant in our name, timm's tag, input, top-1 of timm's results-imagenet.csv.
_TABLE = """
w18_small_v1 -     hrnet_w18_small.ms_in1k       224x224 72.338
w18_small_v1 gluon hrnet_w18_small.gluon_in1k    224x224 -
w18_small_v2 -     hrnet_w18_small_v2.ms_in1k    224x224 75.114
w18_small_v2 gluon hrnet_w18_small_v2.gluon_in1k 224x224 -
w18          -     hrnet_w18.ms_in1k             224x224 76.752
w18          aug   hrnet_w18.ms_aug_in1k         224x224 78.126
w18          ssld  hrnet_w18_ssld.paddle_in1k    288x288 82.046
w30          -     hrnet_w30.ms_in1k             224x224 78.192
w32          -     hrnet_w32.ms_in1k             224x224 78.444
w40          -     hrnet_w40.ms_in1k             224x224 78.930
w44          -     hrnet_w44.ms_in1k             224x224 78.892
w48          -     hrnet_w48.ms_in1k             224x224 79.302
w48          ssld  hrnet_w48_ssld.paddle_in1k    288x288 84.478
w64          -     hrnet_w64.ms_in1k             224x224 79.474
"""


def _timm(row):
    arch, variant, tag, size, result = row.split()
    variants = [] if variant == "-" else [variant]
    crop, interpolation = _CROPS[tag.split(".")[1].removesuffix("_in1k")]
    kwargs = {"arch": arch, "input_shape": size_of(size)}
    if variant == "ssld":
        kwargs["use_bias"] = False
    return Preset(
        name="_".join(("hrnet", arch, *variants, "imagenet", size)),
        builder=classification,
        kwargs=kwargs,
        card=ClassificationCard(crop_fraction=crop, interpolation=interpolation),
        url=f"https://huggingface.co/timm/{tag}/resolve/main/model.safetensors",
        sha256="",
        trained_on="ImageNet-1k",
        result="unknown" if result == "-" else f"top-1 {result} % on ImageNet val, one crop",
        licence=licence("unknown", ("ImageNet-1k",)),
        source=f"timm/{tag} on the Hugging Face hub, revision unknown",
    )


PRESETS = tuple(map(_timm, _TABLE.strip().splitlines()))
