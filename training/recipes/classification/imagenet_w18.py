r"""HRNetV2-C W18 on ImageNet.

Wang et al. TPAMI 2020; HRNet-Image-Classification, cls_hrnet_w18_sgd_lr5e-2_wd1e-4_bs32_x100.yaml.
Expected: the accuracies below, on the middle of each validation picture. Hardware: four GPUs with
32 crops each. TRAIN is the folder of ILSVRC 2012 with a folder for each synset; VAL is the TAR of
the validation set, or its folder, and the list names the class of each file; a folder for each
synset needs no list.

    hrnet-tf train imagenet_w18 --workdir=runs/imagenet_w18
    hrnet-tf evaluate --model=runs/imagenet_w18/model.keras --images=ILSVRC2012_img_val.tar \
        --annotations=val.txt --per_class

This page and all others differ from the original as follows. Batches are always full: one batch
holds the last pictures of a pass and the first of the next. Normalization uses all crops of a
device; the original's used the 32 on each of four GPUs. With PyTorch 1.1 or newer, the original's
rate drops one epoch earlier than its configuration says; ours drops after the named epochs. The
paper names another batch and rate, 256 and 0.1; `--batch_size=256` gives both.
"""

from hrnet_tf.labels.classes import IMAGENET
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.recipe import Expected

RECIPE = ClassificationRecipe(
    arch="w18",
    train_images="data/imagenet/images/train",
    val_images="data/imagenet/images/val",
    classes=IMAGENET.names,
    learning_rate=0.05,
    milestones=(30, 60, 90),
    epochs=100,
    batch_size=128,
    expected=Expected({"top1": 0.768, "top5": 0.934}),
)
