"""HRNetV2-W18 on AFLW's 19 facial landmarks (Wang et al. TPAMI 2020).

Expected: the NME below, a share of the face's box, on the full test set, frontal .0146, without
flip test. Trained on 1 P40 with 16 crops.

    hrnet-tf train aflw_w18 --workdir=runs/aflw_w18
"""

import dataclasses

from hrnet_tf.labels.keypoint_sets import AFLW
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.wflw_w18 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    train_annotations="data/aflw/face_landmarks_aflw_train.csv",
    train_images="data/aflw/images",
    val_annotations="data/aflw/face_landmarks_aflw_test.csv",
    val_images="data/aflw/images",
    keypoints=AFLW,
    learning_rate=2e-4,
    expected=Expected({"NME": 0.0157}),
)
