r"""HRNetV2-C W32 on ImageNet.

Wang et al. TPAMI 2020; HRNet-Image-Classification, as on the page of imagenet_w18, which says how
the pictures lie. Expected: the accuracies below. Hardware: four GPUs with 32 crops each.

    hrnet-tf train imagenet_w32 --workdir=runs/imagenet_w32
"""

from hrnet_tf.labels.classes import IMAGENET
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.recipe import Expected

RECIPE = ClassificationRecipe(
    arch="w32",
    train_images="data/imagenet/images/train",
    val_images="data/imagenet/images/val",
    classes=IMAGENET.names,
    learning_rate=0.05,
    milestones=(30, 60, 90),
    epochs=100,
    batch_size=128,
    expected=Expected({"top1": 0.785, "top5": 0.942}),
)
