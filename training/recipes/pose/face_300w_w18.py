"""HRNetV2-W18 on the 68 facial landmarks of 300W (Wang et al. TPAMI 2020).

Expected: the NME below on the full validation set as `wflw_w18` counts it; common .0291,
challenging .0511. Trained on 1 P40 with 16 crops.

    hrnet-tf train face_300w_w18 --workdir=runs/face_300w_w18
"""

import dataclasses

from hrnet_tf.cards.codecs import Face
from hrnet_tf.labels.keypoint_sets import FACE_300W
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.wflw_w18 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    train_annotations="data/300w/face_landmarks_300w_train.csv",
    train_images="data/300w/images",
    val_annotations="data/300w/face_landmarks_300w_valid.csv",
    val_images="data/300w/images",
    keypoints=FACE_300W,
    codec=Face(sigma=1.0),
    expected=Expected({"NME": 0.0334}),
)
