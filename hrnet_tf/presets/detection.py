"""Feature pyramids from OpenMMLab's Faster R-CNN detectors; the heads of these stay unused.

One-stage detectors (FCOS) are not here: the levels of their pyramid have twice the stride under the
same names.
Inputs are RGB with ImageNet's mean and std, longer side at most 1333, shorter 800, padded to a
multiple of 32, here 64.
"""

from hrnet_tf.networks.features import feature_pyramid
from hrnet_tf.presets.preset import OPENMMLAB, Preset, licence, size_of

# architecture, schedule, date and hash, box AP.
_TABLE = """
w18 1x 20200130-56651a6d        36.9
w18 2x 20200702_085731-a4ec0611 38.9
w32 1x 20200130-6e286425        40.2
w32 2x 20200529_015927-976a9c15 41.4
w40 1x 20200210-95c1f5ce        41.2
w40 2x 20200512_161033-0f236ef4 42.1
"""


def _openmmlab(row):
    arch, schedule, stamp, result = row.split()
    data = ("ImageNet-1k", "COCO train2017")
    config = f"faster_rcnn_hrnetv2p_{arch}_{schedule}_coco"
    return Preset(
        name=f"hrnet_{arch}_faster_rcnn_{schedule}_coco_832x1344",
        builder=feature_pyramid,
        kwargs={"arch": arch, "input_shape": size_of("832x1344")},
        card=None,
        url=f"{OPENMMLAB}mmdetection/v2.0/hrnet/{config}/{config}_{stamp}.pth",
        sha256=stamp[-8:],
        trained_on=", ".join(data),
        result=f"box AP {result} of the whole detector on COCO val2017",
        licence=licence("Apache-2.0", data),
        source=f"OpenMMLab mmdetection, {config}",
    )


PRESETS = tuple(map(_openmmlab, _TABLE.strip().splitlines()))
