r"""HRNetV2p-W18 with Faster R-CNN on COCO (mmdetection, configs/hrnet, schedule 2x).

Expected: the box AP below on val2017 (mmdetection 2.x). Trained on 16 images a step.

    hrnet-tf train coco_faster_w18 --workdir=runs/coco_faster_w18 \
        --weights=hrnetv2_w18_imagenet.pth

`weights` are those of the ImageNet training. Pages of this family differ from mmdetection as
follows. Inputs are squares of 1344 pixels, so that every step has the same shapes: wide and tall
images share a batch, and the padding costs time. Batches are always full: one holds the last images
of a pass and the first of the next.
"""

from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.recipe import Expected

RECIPE = DetectionRecipe(
    arch="w18",
    input_size=(1344, 1344),
    train_annotations="data/coco/annotations/instances_train2017.json",
    train_images="data/coco/train2017",
    val_annotations="data/coco/annotations/instances_val2017.json",
    val_images="data/coco/val2017",
    head="faster_rcnn",
    optimizer="sgd",
    learning_rate=0.02,
    weight_decay=1e-4,
    milestones=(16, 22),
    epochs=24,
    warmup_steps=500,
    batch_size=16,
    evaluate_every=1,
    expected=Expected({"AP": 0.389}),
)
