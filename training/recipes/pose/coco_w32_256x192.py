r"""HRNet-W32 at 256x192 on COCO (Sun et al. CVPR 2019, Table 1).

Expected: the AP below on COCO val2017 with the boxes of a detector of person AP 56.4, flip test and
protocol "original"; .734 from scratch (`--weights=`). Trained on 4 P100 with 32 crops each. The
ImageNet weights are those of the original repository. OpenMMLab's training of the same network is
the preset `hrnet_w32_coco_256x192`.

    hrnet-tf train coco_w32_256x192 --workdir=runs/coco_w32_256x192

The run evaluates with annotated boxes, which gives a higher AP. The paper's AP needs its boxes:

    hrnet-tf evaluate --model=runs/coco_w32_256x192/model.keras \
        --annotations=data/coco/annotations/person_keypoints_val2017.json \
        --images=data/coco/val2017 \
        --detections=COCO_val2017_detections_AP_H_56_person.json

This page and all others differ from the originals as follows. Batches are always full: one batch
holds the last people of a pass and the first of the next. Normalization uses all crops of a device;
the original's used the 32 on each of four GPUs. With PyTorch 1.1 or newer, the original's rate
drops one epoch earlier than its configuration says; ours drops after the named epochs. The loss has
a factor of 1/2, as in this repository; the losses of Lite-HRNet and of the face landmarks have no
such factor, but Adam's updates do not depend on it.
"""

from hrnet_tf.cards.codecs import MSRA
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.recipe import Expected

RECIPE = PoseRecipe(
    arch="w32",
    input_size=(256, 192),
    train_annotations="data/coco/annotations/person_keypoints_train2017.json",
    train_images="data/coco/train2017",
    val_annotations="data/coco/annotations/person_keypoints_val2017.json",
    val_images="data/coco/val2017",
    weights="https://download.openmmlab.com/mmpose/pretrain_models/hrnet_w32-36af842e.pth",
    codec=MSRA(sigma=2.0),
    half_body_probability=0.3,
    scale_factor=0.35,
    rotation_factor=45.0,
    learning_rate=1e-3,
    milestones=(170, 200),
    epochs=210,
    batch_size=128,
    expected=Expected({"AP": 0.744}),
)
