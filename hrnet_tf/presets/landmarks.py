"""Faces and hands: HRNetV2-W18 of OpenMMLab.

The original landmark networks (`HR18-WFLW.pth` and its siblings) have the same layers and load by
path. They were trained with the codec `face`, whose keypoints lie half a heat-map pixel further
right and down.
"""

from hrnet_tf.cards.codecs import DARK, MSRA, UDP
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import KEYPOINT_SETS
from hrnet_tf.networks.pose import pose
from hrnet_tf.presets.preset import OPENMMLAB, Preset, licence, size_of

# data set: (keypoints, training set, epochs)
_DATA = {
    "300w": ("300w", "300W train", 60),
    "aflw": ("aflw", "AFLW train", 60),
    "cofw": ("cofw", "COFW train", 60),
    "wflw": ("wflw", "WFLW train", 60),
    "onehand10k": ("hand21", "OneHand10K train", 210),
}

# data set, variant, sigma, folder, hash and date, result.
_TABLE = """
300w       -     2   face/hrnetv2  eea53406_20211019 NME 3.45 % full, 4.10 test, on 300W
aflw       -     2   face/hrnetv2  f2bbc62b_20210125 NME 1.41 % full, 1.27 frontal, on AFLW test
aflw       dark  2   face/darkpose 219606c0_20210125 NME 1.35 % full, 1.19 frontal, on AFLW test
cofw       -     1.5 face/hrnetv2  49243ab8_20211019 NME 3.48 % on COFW test
wflw       -     2   face/hrnetv2  2bf032a6_20210125 NME 4.06 % on WFLW test
wflw       awing 2   face/hrnetv2  5af5055c_20211212 NME 4.02 % on WFLW test
wflw       dark  2   face/darkpose 3f8e0c2c_20210125 NME 3.98 % on WFLW test
onehand10k -     2   hand/hrnetv2  30bc9c6b_20210330 AUC .567 on OneHand10K test
onehand10k dark  2   hand/dark     a2f80c64_20210330 AUC .572 on OneHand10K test
onehand10k udp   2   hand/udp      0d1b515d_20210330 AUC .571 on OneHand10K test
"""


def _openmmlab(row):
    name, variant, sigma, folder, stamp, result = row.split(maxsplit=5)
    keypoints, data, epochs = _DATA[name]
    codec = {"dark": DARK, "udp": UDP}.get(variant, MSRA)(float(sigma))
    card = PoseCard(KEYPOINT_SETS[keypoints], codec)
    variants = [] if variant == "-" else [variant]
    run = "-".join((*variants, "8xb64", f"{epochs}e"))
    file = "_".join(("hrnetv2_w18", name, "256x256", *variants))
    return Preset(
        name="_".join(("hrnet_w18", *variants, name, "256x256")),
        builder=pose,
        kwargs={
            "arch": "w18",
            "input_shape": size_of("256x256"),
            "num_keypoints": len(card.keypoints.names),
            "head": "v2",
        },
        card=card,
        url=f"{OPENMMLAB}mmpose/{folder}/{file}-{stamp}.pth",
        sha256=stamp.split("_")[0],
        trained_on=f"ImageNet-1k, {data}",
        result=f"{result}, annotated boxes, flip test",
        licence=licence("Apache-2.0", ("ImageNet-1k", data)),
        source=f"OpenMMLab mmpose, td-hm_hrnetv2-w18_{run}_{name}-256x256",
    )


PRESETS = tuple(map(_openmmlab, _TABLE.strip().splitlines()))
