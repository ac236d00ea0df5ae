"""Bodies: HRNet and Lite-HRNet of OpenMMLab, and PP-TinyPose.

OpenMMLab's file names carry the first eight hex digits of their SHA-256.
"""

from hrnet_tf.cards.codecs import DARK, MSRA, UDP, UDPCombined
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import COCO, KEYPOINT_SETS
from hrnet_tf.networks.pose import pose
from hrnet_tf.presets.preset import OPENMMLAB, Preset, licence, size_of

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
# Results come from the page of each model; for two files OpenMMLab's index has other numbers.
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
        # OpenMMLab 0.x made the whole-body files and widens the blur with sigma; 1.x does not.
        return DARK(sigma, 17 if large and keypoints == "coco_wholebody" else 11)
    if variant == "udp":
        return UDP(sigma)
    return UDPCombined() if variant == "udp-regress" else MSRA(sigma)


def _network(arch, size, card):
    """Arguments of `pose`."""
    channels = card.codec.channels(len(card.keypoints.names))
    return {"arch": arch, "input_shape": size_of(size), "num_keypoints": channels}


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
        url=f"{OPENMMLAB}mmpose/{folder}/{file}-{stamp}.pth",
        sha256=stamp.split("_")[0],
        trained_on=", ".join(data),
        result=protocol.format(result),
        licence=licence("Apache-2.0", data),
        source=f"OpenMMLab mmpose, {config}",
    )


# Repository and commit of ncnn's files of PP-TinyPose, float16 numbers with folded normalization.
_NCNN = (
    "https://raw.githubusercontent.com/FeiGeChuanShu/ncnn_Android_PP-TinyPose/"
    "1a8515f9039b0b01787bda4fc3f1545f3701c2d9/app/src/main/assets/"
)


def _tinypose(size, sigma, result, digest):
    """PP-TinyPose; PaddleDetection publishes it as an archive of Paddle's own, others for ncnn."""
    data = ("COCO train2017", "AI Challenger")
    card = PoseCard(COCO, DARK(sigma, 3))
    return Preset(
        name=f"tinypose_{size}",
        builder=pose,
        kwargs=_network("wider_naive_lite18", size, card),
        card=card,
        url=f"{_NCNN}tinypose_{size}.bin",
        sha256=digest,
        trained_on=", ".join(data),
        result=f"AP {result} on COCO val2017, annotated boxes",
        licence=licence("Apache-2.0", data),
        source=f"PaddleDetection, configs/keypoint/tiny_pose/tinypose_{size}.yml",
    )


PRESETS = (
    *map(_openmmlab, _TABLE.strip().splitlines()),
    _tinypose(
        "256x192", 2.0, ".688", "70fad87fa3004edcae4d628bcb0c6be1ba8b0f93991097b42cf8da6fe8c1968b"
    ),
    _tinypose(
        "128x96", 1.0, ".581", "613843a30016d2e1fac23c2a00f2e719a03af5d0662277006ecb051bdcbf19be"
    ),
)
