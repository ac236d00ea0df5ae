"""Published weights as data, and `from_preset`.

A name is architecture, variant, keypoint set, input height x width: `hrnet_w32_coco_256x192`,
`hrnet_w32_dark_coco_384x288`. The files are OpenMMLab's, whose names carry the first eight hex
digits of their SHA-256. The original repositories publish on drives without stable addresses: their
files hold the same networks and load by path, `pose_hrnet_w32_256x192.pth` (AP .744) for example
into `hrnet_w32_coco_256x192`.
"""

import difflib
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.card import PoseCard
from hrnet_tf.checkpoints import load_checkpoint
from hrnet_tf.codecs import DARK, MSRA, UDP, UDPCombined
from hrnet_tf.keypoints import COCO, KEYPOINT_SETS
from hrnet_tf.models import pose


@dataclass(frozen=True)
class Preset:
    """One published network.

    Attributes:
        name: key in `PRESETS`.
        builder: makes the architecture from `kwargs`.
        kwargs: arguments of `builder`.
        card: keypoints, codec and preprocessing the weights were trained with.
        url: published weight file; empty if none is published in a format this package reads.
        sha256: first hex digits of the file's SHA-256; empty without url.
        trained_on: data sets, in order of training.
        result: published number with its protocol.
        licence: of the file, then of each data set; "unknown" where none is stated.
        source: configuration that made the file.
    """

    name: str
    builder: Callable[..., keras.Model]
    kwargs: Mapping[str, object]
    card: PoseCard
    url: str
    sha256: str
    trained_on: str
    result: str
    licence: str
    source: str


def from_preset(
    name: str,
    weights: str | os.PathLike | Mapping[str, np.ndarray] | None = "published",
) -> keras.Model:
    """A network by the name of its published weights.

    Args:
        name: key in `PRESETS`.
        weights: a checkpoint file or a dict of arrays in PyTorch layouts to load, None for the
            architecture alone, randomly initialised. "published" will download; it does not yet.

    Returns:
        A model `(B, H, W, 3) -> (B, H/4, W/4, channels)`; `PRESETS[name].card` tells how to use it.

    Raises:
        ValueError: an unknown name, "published" weights, a file with the published name but not the
            published hash, weights that do not fit.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(str(name), PRESETS, n=3, cutoff=0.4)
        raise ValueError(
            f"`name` must be a preset. Received: name={name!r}. "
            + (f"Did you mean {', '.join(close)}? " if close else "")
            + "`hrnet-tf models` lists all."
        )
    preset = PRESETS[name]
    if isinstance(weights, str) and weights == "published":
        raise ValueError(_no_download(preset))
    if isinstance(weights, str | os.PathLike):
        _verify(preset, Path(weights))
    model = preset.builder(**preset.kwargs)
    if weights is not None:
        load_checkpoint(model, weights)
    return model


def _no_download(preset):
    if not preset.url:
        return (
            f"`weights` of preset {preset.name!r} must be a file or None: no file that can be read "
            "here is published. Export its convolutions with folded biases, in order, to an .npz "
            "file (Conv_0/weight, Conv_0/bias, …) and give its path."
        )
    return (
        f"`weights` of preset {preset.name!r} must be a file or None: they are not downloaded "
        f"automatically yet. Get {preset.url} and give its path."
    )


def _verify(preset, path):
    """A file under the published name must be the published file."""
    if not preset.url or path.name != preset.url.rsplit("/", 1)[1] or not path.is_file():
        return
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(preset.sha256):
        raise ValueError(
            f"{path} is truncated or altered: its SHA-256 begins with {digest[:8]}, that of the "
            f"published file with {preset.sha256}. Delete it and get it again from {preset.url}."
        )


_OPENMMLAB = "https://download.openmmlab.com/mmpose/"

_LICENCES = {
    "ImageNet-1k": "non-commercial research",
    "COCO train2017": "annotations CC BY 4.0, images under Flickr's terms",
    "AI Challenger": "unknown",
    "COCO-WholeBody train": "non-commercial research",
    "MPII train": "non-commercial research",
    "CrowdPose trainval": "unknown",
    "AP-10K train": "CC BY 4.0",
}

_COCO_VAL = "on COCO val2017, detector boxes (person AP 56.4), flip test"
_TASKS = {  # keypoint set: (data sets, result)
    "coco": (("COCO train2017",), "AP {} " + _COCO_VAL),
    "coco_aic": (("COCO train2017", "AI Challenger"), "AP {} " + _COCO_VAL),
    "coco_wholebody": (
        ("COCO-WholeBody train",),
        "whole-body AP {} on COCO-WholeBody val, detector boxes (person AP 56.4), flip test",
    ),
    "mpii": (("MPII train",), "PCKh@0.5 {} on MPII val, flip test"),
    "crowdpose": (("CrowdPose trainval",), "AP {} on CrowdPose test, YOLOv3 boxes, flip test"),
    "ap10k": (("AP-10K train",), "AP {} on AP-10K val, annotated boxes, flip test"),
}

# name in presets, in configurations, in files
_NETWORKS = {
    "w32": ("hrnet_w32", "hrnet-w32", "hrnet_w32"),
    "w48": ("hrnet_w48", "hrnet-w48", "hrnet_w48"),
    "lite18": ("lite_hrnet18", "litehrnet-18", "litehrnet18"),
    "lite30": ("lite_hrnet30", "litehrnet-30", "litehrnet30"),
}

# architecture, variant, keypoint set, input, result, GPUs x batch, folder, hash and date.
# Results are those of the model's own page, which for two files differ from OpenMMLab's index.
_TABLE = """
w32    -             coco           256x192 .749 8xb64 v1                    81c58e40_20220909
w32    -             coco           384x288 .761 8xb64 v1                    ca5956af_20220909
w48    -             coco           256x192 .756 8xb32 v1                    0e67c616_20220913
w48    -             coco           384x288 .767 8xb32 v1                    c161b7de_20220915
w32    coarsedropout coco           256x192 .753 8xb64 top_down/augmentation 0f16a0ce_20210320
w32    gridmask      coco           256x192 .752 8xb64 top_down/augmentation 868180df_20210320
w32    photometric   coco           256x192 .754 8xb64 top_down/augmentation 308cf591_20210320
w32    aic-merge     coco           256x192 .757 8xb64 v1                    b05435b9_20221025
w32    -             coco_aic       256x192 .756 8xb64 v1                    4ce66880_20221026
w32    fp16          coco           256x192 .749 8xb64 v1                    f1e84e3b_20220914
w32    dark          coco           256x192 .757 8xb64 v1                    0e00bf12_20220914
w32    dark          coco           384x288 .766 8xb64 v1                    9bab4c9b_20220917
w48    dark          coco           256x192 .764 8xb32 v1                    e1ebdd6f_20220913
w48    dark          coco           384x288 .772 8xb32 v1                    39c3c381_20220916
w32    udp           coco           256x192 .762 8xb64 v1                    73ede547_20220914
w32    udp           coco           384x288 .768 8xb64 v1                    9a3f7c85_20220914
w48    udp           coco           256x192 .768 8xb32 v1                    3feaef8f_20220913
w48    udp           coco           384x288 .773 8xb32 v1                    70d7ab01_20220913
w32    udp-regress   coco           256x192 .759 8xb64 v1                    9c0b77b4_20220926
lite18 -             coco           256x192 .642 8xb64 top_down/litehrnet    6bace359_20211230
lite18 -             coco           384x288 .676 8xb32 top_down/litehrnet    8d4dac48_20211230
lite30 -             coco           256x192 .676 8xb64 top_down/litehrnet    4176555b_20210626
lite30 -             coco           384x288 .700 8xb32 top_down/litehrnet    a3aef5c4_20210626
w32    -             coco_wholebody 256x192 .536 8xb64 top_down/hrnet        853765cd_20200918
w32    -             coco_wholebody 384x288 .586 8xb64 top_down/hrnet        78cacac3_20200922
w48    -             coco_wholebody 256x192 .579 8xb32 top_down/hrnet        643e18cb_20200922
w48    -             coco_wholebody 384x288 .632 8xb32 top_down/hrnet        6e061c6a_20200922
w32    dark          coco_wholebody 256x192 .582 8xb64 top_down/hrnet        469327ef_20200922
w48    dark          coco_wholebody 384x288 .661 8xb32 top_down/hrnet        f5726563_20200918
w32    -             mpii           256x256 .900 8xb64 top_down/hrnet        6c4f923f_20200812
w48    -             mpii           256x256 .901 8xb64 top_down/hrnet        92cab7bd_20200812
w32    dark          mpii           256x256 .904 8xb64 top_down/hrnet        f1601c5b_20200927
w48    dark          mpii           256x256 .905 8xb64 top_down/hrnet        0decd39f_20200927
lite18 -             mpii           256x256 .859 8xb64 top_down/litehrnet    cabd7984_20210623
lite30 -             mpii           256x256 .869 8xb64 top_down/litehrnet    faae8bd8_20210622
w32    -             crowdpose      256x192 .675 8xb64 top_down/hrnet        960be101_20201227
w32    -             ap10k          256x256 .722 8xb64 animal/hrnet          18aac840_20211029
w48    -             ap10k          256x256 .728 8xb64 animal/hrnet          d95ab412_20211029
"""

# Where configuration or data do not follow from the table.
_EXCEPTIONS = {
    "hrnet_w32_aic_merge_coco_256x192": (
        "td-hm_hrnet-w32_8xb64-210e_coco-aic-256x192-merge",
        ("COCO train2017", "AI Challenger"),
    ),
    "hrnet_w32_coco_aic_256x192": (
        "td-hm_hrnet-w32_8xb64-210e_coco-aic-256x192-combine",
        ("COCO train2017", "AI Challenger"),
    ),
    "hrnet_w48_dark_coco_wholebody_384x288": (
        "td-hm_hrnet-w48_dark-8xb32-210e_coco-wholebody-384x288",
        ("COCO train2017", "COCO-WholeBody train"),
    ),
}


def _codec(variant, keypoints, size):
    large = size == "384x288"
    sigma = 3.0 if large else 2.0
    if variant == "dark":
        # OpenMMLab's 0.x, which made the whole-body files, widens the blur with sigma; 1.x not.
        return DARK(sigma, 17 if large and keypoints == "coco_wholebody" else 11)
    if variant == "udp":
        return UDP(sigma)
    return UDPCombined() if variant == "udp-regress" else MSRA(sigma)


def _network(arch, size, card):
    """Arguments of `pose`."""
    height, width = map(int, size.split("x"))
    channels = card.codec.channels(len(card.keypoints.names))
    return {"arch": arch, "input_shape": (height, width, 3), "num_keypoints": channels}


def _licence(data):
    return "; ".join(("file: Apache-2.0", *(f"{each}: {_LICENCES[each]}" for each in data)))


def _openmmlab(row):
    arch, variant, keypoints, size, result, batch, folder, stamp = row.split()
    variant = variant.strip("-")
    network, in_config, in_file = _NETWORKS[arch]
    name = "_".join(filter(None, (network, variant.replace("-", "_"), keypoints, size)))
    run = "-".join(filter(None, (variant, batch)))
    config = f"td-hm_{in_config}_{run}-210e_{keypoints.replace('_', '-')}-{size}"
    data, protocol = _TASKS[keypoints]
    config, data = _EXCEPTIONS.get(name, (config, data))
    data = data if arch.startswith("lite") else ("ImageNet-1k", *data)
    file = "_".join(filter(None, (in_file, keypoints, size, variant)))
    if folder == "v1":
        folder, file = "v1/body_2d_keypoint/topdown_heatmap/coco", config
    card = PoseCard(KEYPOINT_SETS[keypoints], _codec(variant, keypoints, size))
    return Preset(
        name=name,
        builder=pose,
        kwargs=_network(arch, size, card),
        card=card,
        url=f"{_OPENMMLAB}{folder}/{file}-{stamp}.pth",
        sha256=stamp.split("_")[0],
        trained_on=", ".join(data),
        result=protocol.format(result),
        licence=_licence(data),
        source=f"OpenMMLab mmpose, {config}",
    )


def _tinypose(size, sigma, result):
    """PP-TinyPose, published as Paddle archives; converted weights load as folded convolutions."""
    data = ("COCO train2017", "AI Challenger")
    card = PoseCard(COCO, DARK(sigma, 3))
    return Preset(
        name=f"tinypose_{size}",
        builder=pose,
        kwargs=_network("wider_naive_lite18", size, card),
        card=card,
        url="",
        sha256="",
        trained_on=", ".join(data),
        result=f"AP {result} on COCO val2017, annotated boxes",
        licence=_licence(data),
        source=f"PaddleDetection, configs/keypoint/tiny_pose/tinypose_{size}.yml",
    )


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        *map(_openmmlab, _TABLE.strip().splitlines()),
        _tinypose("256x192", 2.0, ".688"),
        _tinypose("128x96", 1.0, ".581"),
    )
}
