"""HRNet-W32 at 256x256 on MPII (Sun et al. CVPR 2019; README of its repository).

Expected: the PCKh@0.5 and PCKh@0.1 below (the repository's 0.1 is in truth 0.11) on MPII val with
annotated centres and flip test. Trained on 4 P100 with 32 crops each. The annotation files are the
repository's JSON ones, and `gt_valid.mat` beside them. OpenMMLab's training of the same network is
the preset `hrnet_w32_mpii_256x256`.

    hrnet-tf train mpii_w32 --workdir=runs/mpii_w32
"""

from hrnet_tf.cards.codecs import MSRA
from hrnet_tf.labels.keypoint_sets import MPII
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.recipe import Expected

RECIPE = PoseRecipe(
    arch="w32",
    input_size=(256, 256),
    data_format="mpii",
    train_annotations="data/mpii/annot/train.json",
    train_images="data/mpii/images",
    val_annotations="data/mpii/annot/valid.json",
    val_images="data/mpii/images",
    keypoints=MPII,
    weights="https://download.openmmlab.com/mmpose/pretrain_models/hrnet_w32-36af842e.pth",
    codec=MSRA(sigma=2.0),
    half_body_probability=0.0,
    scale_factor=0.25,
    rotation_factor=30.0,
    learning_rate=1e-3,
    milestones=(170, 200),
    epochs=210,
    batch_size=128,
    expected=Expected({"Mean": 0.903, "Mean@0.1": 0.377}),
)
