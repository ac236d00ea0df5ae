"""Object detection and instance segmentation: OpenMMLab's detectors on HRNet.

A name without a schedule is the longest training of its network: 2x of Faster and Mask R-CNN, 2x
with scales of 640 to 800 of FCOS, 20e of cascades, 28e of HTC with W48. W48 was published by
mmdetection 1 alone, whose boxes have the geometry "inclusive". Its other widths are left out:
mmdetection 2 trained them again.
"""

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.networks.detection import detection
from hrnet_tf.presets.preset import OPENMMLAB, Preset, licence

# Head, architecture, schedule in names (- for the longest) and in files, date and hash, box AP,
# mask AP (- without masks).
_VERSION_2 = """
faster_rcnn       w18 1x 1x  20200130-56651a6d        36.9 -
faster_rcnn       w18 -  2x  20200702_085731-a4ec0611 38.9 -
faster_rcnn       w32 1x 1x  20200130-6e286425        40.2 -
faster_rcnn       w32 -  2x  20200529_015927-976a9c15 41.4 -
faster_rcnn       w40 1x 1x  20200210-95c1f5ce        41.2 -
faster_rcnn       w40 -  2x  20200512_161033-0f236ef4 42.1 -
mask_rcnn         w18 1x 1x  20200205-1c3d78ed        37.7 34.2
mask_rcnn         w18 -  2x  20200212-b3c825b1        39.8 36.0
mask_rcnn         w32 1x 1x  20200207-b29f616e        41.2 37.1
mask_rcnn         w32 -  2x  20200213-45b75b4d        42.5 37.8
mask_rcnn         w40 1x 1x  20200511_015646-66738b35 42.1 37.5
mask_rcnn         w40 -  2x  20200512_163732-aed5e4ab 42.8 38.2
cascade_rcnn      w18 -  20e 20200210-434be9d7        41.2 -
cascade_rcnn      w32 -  20e 20200208-928455a4        43.3 -
cascade_rcnn      w40 -  20e 20200512_161112-75e47b04 43.8 -
cascade_mask_rcnn w18 -  20e 20200210-b543cd2b        41.6 36.4
cascade_mask_rcnn w32 -  20e 20200512_154043-39d9cf7b 44.3 38.6
cascade_mask_rcnn w40 -  20e 20200527_204922-969c4610 45.1 39.3
htc               w18 -  20e 20200210-b266988c        42.8 37.9
htc               w32 -  20e 20200207-7639fa12        45.4 39.9
htc               w40 -  20e 20200529_183411-417c4d5b 46.4 40.8
fcos              w18 1x gn-head_4x4_1x                 20201212_100710-4ad151de 35.3 -
fcos              w18 2x gn-head_4x4_2x                 20201212_101110-5c575fa5 38.2 -
fcos              w18 -  gn-head_mstrain_640-800_4x4_2x 20201212_111651-441e9d9f 38.3 -
fcos              w32 1x gn-head_4x4_1x                 20201211_134730-cb8055c0 39.5 -
fcos              w32 2x gn-head_4x4_2x                 20201212_112133-77b6b9bb 40.8 -
fcos              w32 -  gn-head_mstrain_640-800_4x4_2x 20201212_090846-b6f2b49f 41.9 -
fcos              w40 -  gn-head_mstrain_640-800_4x4_2x 20201212_124752-f22d2ce5 42.7 -
"""
_VERSION_1 = """
faster_rcnn       w48 1x  1x         20190820-5c6d0903 40.9 -
faster_rcnn       w48 -   2x         20190820-79fb8bfc 41.5 -
mask_rcnn         w48 1x  1x         20190820-0923d1ad 42.4 38.1
mask_rcnn         w48 -   2x         20190820-70df51b2 42.9 38.3
cascade_rcnn      w48 -   20e        20190810-f40ed8e1 44.6 -
cascade_mask_rcnn w48 -   20e        20190810-d04a1415 46.0 39.5
htc               w48 20e 20e        20190810-f6d2c3fd 46.8 40.7
htc               w48 -   28e        20190810-a4274b38 47.0 41.0
fcos              w48 -   mstrain_2x 20190810-f7dc8801 42.9 -
"""
_VERSION_1_URL = "https://open-mmlab.s3.ap-northeast-2.amazonaws.com/mmdetection/models/hrnet/"
# Means of Caffe's networks, red first; FCOS of mmdetection 1 divides by nothing.
_CAFFE = {"mean": (122.7717 / 255, 115.9465 / 255, 102.9801 / 255), "std": (1 / 255,) * 3}


def _card(head, version):
    """The card; FCOS reads blue first, with the means of red for red."""
    geometry = "continuous" if version == 2 else "inclusive"
    special = {
        "fcos": {"channels": "bgr", **(_CAFFE if version == 1 else {})},
        "htc": {"score_threshold": 0.001},
    }
    return DetectionCard(head=head, geometry=geometry, **special.get(head, {}))


def _preset(row, version):
    head, arch, short, schedule, stamp, box, mask = row.split()
    data = ("ImageNet-1k", "COCO train2017")
    card = _card(head, version)
    config = f"{head}_hrnetv2p_{arch}_{schedule}" + ("_coco" if version == 2 else "")
    base = f"{OPENMMLAB}mmdetection/v2.0/hrnet/{config}/" if version == 2 else _VERSION_1_URL
    kwargs = {"arch": arch, "num_classes": len(card.classes), "head": head}
    kwargs["input_shape"] = (None, None, 3)
    masks = "" if mask == "-" else f", mask AP {mask}"
    return Preset(
        name="_".join([head, "hrnet", arch, *(() if short == "-" else (short,)), "coco"]),
        builder=detection,
        kwargs=kwargs if version == 2 else {**kwargs, "geometry": card.geometry},
        card=card,
        url=f"{base}{config}_{stamp}.pth",
        sha256=stamp[-8:],
        trained_on=", ".join(data),
        result=f"box AP {box}{masks} on COCO val2017",
        licence=licence("Apache-2.0", data),
        source=f"OpenMMLab mmdetection {version}, {config}",
    )


PRESETS = tuple(
    _preset(row, version)
    for version, table in ((2, _VERSION_2), (1, _VERSION_1))
    for row in table.strip().splitlines()
)
