"""HRNetV2-W18 on WFLW's 98 facial landmarks (Wang et al. TPAMI 2020).

Expected: the NME below, a share of the distance of the outer eye corners, on WFLW test, without
flip test. Trained on 1 P40 with 16 crops. The annotation files are those of
HRNet-Facial-Landmark-Detection.

    hrnet-tf train wflw_w18 --workdir=runs/wflw_w18
"""

from hrnet_tf.cards.codecs import Face
from hrnet_tf.labels.keypoint_sets import WFLW
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.recipe import Expected

RECIPE = PoseRecipe(
    arch="w18",
    head="v2",
    input_size=(256, 256),
    data_format="landmarks",
    train_annotations="data/wflw/face_landmarks_wflw_train.csv",
    train_images="data/wflw/images",
    val_annotations="data/wflw/face_landmarks_wflw_test.csv",
    val_images="data/wflw/images",
    keypoints=WFLW,
    weights="https://download.openmmlab.com/pretrain/third_party/hrnetv2_w18-00eb2006.pth",
    codec=Face(sigma=1.5),
    half_body_probability=0.0,
    scale_factor=0.25,
    rotation_factor=30.0,
    spread="uniform",
    learning_rate=1e-4,
    milestones=(30, 50),
    epochs=60,
    batch_size=16,
    flip_test=False,
    evaluate_every=5,
    expected=Expected({"NME": 0.0460}),
)
