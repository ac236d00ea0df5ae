"""Semantic segmentation: the original networks, and OpenMMLab's.

Names with `ocr` are the original OCR networks; `fcn` and `ocrnet` are OpenMMLab's words for the two
heads. `align_corners` belongs to the weights: the original OCR, ADE20K and COCO-Stuff files have
it, the others do not. The original files have no stable address.
"""

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.classes import CLASS_SETS
from hrnet_tf.networks.segmentation import segmentation
from hrnet_tf.presets.preset import OPENMMLAB, Preset, licence, size_of

# data set in names: (classes, training set, where it is measured)
_DATA = {
    "cityscapes": ("cityscapes", "Cityscapes train", "Cityscapes val"),
    "lip": ("lip", "LIP train", "LIP val"),
    "pascal_context": ("pascal_context", "PASCAL-Context train", "PASCAL-Context val, 59 classes"),
    "pascal_context_60": (
        "pascal_context_60",
        "PASCAL-Context train",
        "PASCAL-Context val, 60 classes",
    ),
    "ade20k": ("ade20k", "ADE20K train", "ADE20K val"),
    "coco_stuff": ("coco_stuff", "COCO-Stuff 10K train", "COCO-Stuff 10K test"),
}

# Size to which images are resized before the network sees them: BASE_SIZE of the original
# configurations; `img_scale` of OpenMMLab's where that differs.
_RESIZE = {"cityscapes": ("long", 2048), "lip": ("both", 473)}
_OPENMMLAB_RESIZE = {"ade20k": ("short", 512)}
_ELSE = ("long", 520)

# architecture, head, data set, input, align_corners, branch, mean IoU in % and protocol.
_ORIGINALS = """
w18_small_v1 concat cityscapes     512x1024 no  pytorch-v1.1 70.3  one scale
w18_small_v2 concat cityscapes     512x1024 no  pytorch-v1.1 76.2  one scale
w48          concat cityscapes     512x1024 no  pytorch-v1.1 81.1  one scale
w48          ocr    cityscapes     512x1024 yes HRNet-OCR    81.6  one scale
w48          concat lip            473x473  no  HRNet-OCR    55.83 one scale, flip test
w48          ocr    lip            473x473  yes HRNet-OCR    56.48 one scale, flip test
w48          concat pascal_context 480x480  no  HRNet-OCR    54.1  several scales, flip test
w48          ocr    pascal_context 520x520  yes HRNet-OCR    56.2  several scales, flip test
w48          concat ade20k         520x520  yes HRNet-OCR    43.1  one scale; 44.2 several
w48          ocr    ade20k         520x520  yes HRNet-OCR    44.5  one scale; 45.5 several
w48          concat coco_stuff     520x520  yes HRNet-OCR    36.2  one scale; 37.9 several
w48          ocr    coco_stuff     520x520  yes HRNet-OCR    39.7  one scale; 40.6 several
"""

# The longest schedule of each network: architecture, head, data set, input, iterations, date, hash,
# mean IoU of one scale and of several with flip test.
_OPENMMLAB = """
w18_small_v2 fcn    cityscapes        512x1024 160k 20200602_190901 4a0797ea 76.31 78.31
w18          fcn    cityscapes        512x1024 160k 20200602_190822 221e4a4f 78.80 80.74
w48          fcn    cityscapes        512x1024 160k 20200602_190946 59b7973e 80.65 81.92
w18_small_v2 ocrnet cityscapes        512x1024 160k 20200602_191005 f4a7af28 78.45 79.97
w18          ocrnet cityscapes        512x1024 160k 20200602_191001 b9172d0c 79.47 80.91
w48          ocrnet cityscapes        512x1024 160k 20200602_191037 dfbf1b0c 81.35 82.70
w18_small_v2 fcn    ade20k            512x512  160k 20210829_174739 f1e7c2e7 33.07 34.56
w18          fcn    ade20k            512x512  160k 20200614_214426 ca961836 36.79 38.58
w48          fcn    ade20k            512x512  160k 20200614_214407 a52fc02c 42.02 43.86
w18_small_v2 ocrnet ade20k            512x512  160k 20200615_184505 8e913058 37.19 38.40
w18          ocrnet ade20k            512x512  160k 20200615_200940 d8fcd9d1 39.32 40.80
w48          ocrnet ade20k            512x512  160k 20200615_184705 a073726d 43.25 44.88
w48          fcn    pascal_context    480x480  80k  20210411_003240 3ae7081e 51.12 53.56
w48          fcn    pascal_context_60 480x480  80k  20200911_155322 847a6711 45.84 47.84
"""

_IN_FILES = {
    "w18_small_v2": "hr18s",
    "w18": "hr18",
    "w48": "hr48",
    "pascal_context": "pascal_context_59",
}
_IN_FILES["pascal_context_60"] = "pascal_context"


def _common(arch, word, data, size, align_corners, resize):
    classes, train, _ = _DATA[data]
    classes = CLASS_SETS[classes]
    head = "ocr" if "ocr" in word else "concat"
    return {
        "name": "_".join(filter(None, ("hrnet", arch, word.replace("concat", ""), data, size))),
        "builder": segmentation,
        "kwargs": {
            "arch": arch,
            "num_classes": len(classes.names),
            "input_shape": size_of(size),
            "head": head,
            "align_corners": align_corners,
        },
        "card": SegmentationCard(
            classes.names, classes.palette, align_corners, classes.flip_pairs, *resize
        ),
        "trained_on": f"ImageNet-1k, {train}",
    }


def _original(row):
    arch, head, data, size, align_corners, branch, result, protocol = row.split(maxsplit=7)
    _, train, val = _DATA[data]
    return Preset(
        **_common(arch, head, data, size, align_corners == "yes", _RESIZE.get(data, _ELSE)),
        url="",
        sha256="",
        result=f"mean IoU {result} % on {val}, {protocol}",
        licence=licence("unknown", ("ImageNet-1k", train)),
        source=f"the README of HRNet-Semantic-Segmentation, branch {branch}",
    )


def _openmmlab(row):
    arch, head, data, size, schedule, date, digest, single, multiple = row.split()
    _, train, val = _DATA[data]
    network, in_file = _IN_FILES[arch], _IN_FILES.get(data, data)
    config = f"{head}_{network}_{size}_{schedule}_{in_file}"
    resize = {**_RESIZE, **_OPENMMLAB_RESIZE}.get(data, _ELSE)
    folder = {"fcn": "hrnet", "ocrnet": "ocrnet"}[head]
    return Preset(
        **_common(arch, head, data, size, False, resize),
        url=f"{OPENMMLAB}mmsegmentation/v0.5/{folder}/{config}/{config}_{date}-{digest}.pth",
        sha256=digest,
        result=f"mean IoU {single} % on {val}, one scale; {multiple} several scales, flip test",
        licence=licence("Apache-2.0", ("ImageNet-1k", train)),
        source=f"OpenMMLab mmsegmentation, {config}",
    )


PRESETS = (
    *map(_original, _ORIGINALS.strip().splitlines()),
    *map(_openmmlab, _OPENMMLAB.strip().splitlines()),
)
