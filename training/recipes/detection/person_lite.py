r"""A detector of people for phones: Lite-HRNet with the light head of FCOS, 1.5 M parameters.

The trunk is the wider naive Lite-HRNet-18 of Yu et al. CVPR 2021. An image of 320 x 320 costs .68 G
multiply-adds. Of COCO's categories only "person" is used: other objects and crowds are left out,
and so are images without people.

Expected: not known. Nobody has trained it on COCO; 24 photos it learned by heart (AP .86 on these,
from the trunk of PP-TinyPose, 130 epochs). The schedule is that of small single-stage
detectors (PicoDet, Yu et al. 2021): a long training with strong changes of scale, as a small
network from scratch learns slowly and hardly overfits.

    hrnet-tf train person_lite --workdir=runs/person_lite
    python convert/to_tflite.py --model=runs/person_lite/model.keras --int8 \
        --calibration=data/coco/annotations/instances_train2017.json \
        --images=data/coco/train2017 --android
    hrnet-tf predict photo.jpg --detector=runs/person_lite/model_int8.tflite

`--weights=tinypose.keras` starts from the trunk of PP-TinyPose, which has seen people
(`convert/import_checkpoint.py` makes the file of the published one). `--arch=naive_lite18` is
smaller and faster by a third.
"""

from hrnet_tf.training.detection.recipe import DetectionRecipe

RECIPE = DetectionRecipe(
    arch="wider_naive_lite18",
    input_size=(320, 320),
    train_annotations="data/coco/annotations/instances_train2017.json",
    train_images="data/coco/train2017",
    val_annotations="data/coco/annotations/instances_val2017.json",
    val_images="data/coco/val2017",
    head="fcos_lite",
    classes=("person",),
    category_ids=(1,),
    only_classes=True,
    sides=(320, 320),
    scale_range=(0.6, 1.6),
    color_jitter=0.3,
    fixed_statistics=False,
    learning_rate=1e-3,
    milestones=(),
    warmup_steps=1000,
    clip_norm=35.0,
    epochs=120,
    batch_size=64,
    ema=0.9998,
    evaluate_every=5,
)
