r"""HRNetV2-W48 on PASCAL VOC 2012 with the additional masks (OpenMMLab's mmsegmentation).

Expected: the mean IoU below on val at one scale; .7858 at several with flip test. Trained for
20,000 steps on 4 GPUs with 4 crops each. The original has no training on VOC.

    hrnet-tf train voc_w48 --workdir=runs/voc_w48 \
        --weights=hrnetv2_w48_imagenet_pretrained.pth

`train_aug.txt` lists train and aug; masks are looked for in `SegmentationClass`, then in
`SegmentationClassAug`. Differences: colours change as in the other recipes of this package, crops
are not drawn again if one class fills them, and pixels without a class do not count in the mean of
the loss.
"""

from hrnet_tf.labels.classes import VOC
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

RECIPE = SegmentationRecipe(
    arch="w48",
    input_size=(512, 512),
    train_annotations="data/VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt",
    train_images="data/VOCdevkit/VOC2012",
    val_annotations="data/VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt",
    val_images="data/VOCdevkit/VOC2012",
    classes=VOC,
    labels="voc",
    resize="short",
    base_size=512,
    scale_range=(0.5, 2.0),
    scale_step=0.0,
    color_jitter=0.3,
    optimizer="sgd",
    learning_rate=0.01,
    milestones=(),
    power=0.9,
    least_rate=1e-4,
    weight_decay=5e-4,
    epochs=30,
    batch_size=16,
    sync_norm=True,
    absent="left_out",
    expected=Expected({"mIoU": 0.7587}),
)
