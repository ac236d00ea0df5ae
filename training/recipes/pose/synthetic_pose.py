"""A tiny HRNet on drawn people: what `make demo` trains.

Architecture of Sun et al. CVPR 2019 at its smallest (one module per stage, one block per stream),
decoded as in Zhang et al. CVPR 2020 (DARK). Targets are sharper than with the usual sigma of 2
pixels: on heat maps as small as 32x24 pixels, the network learns them faster.

Expected: about the OKS AP below on held-out drawings with annotated boxes and flip test, in three
minutes on two CPU cores. The drawings come first:

    python -m hrnet_tf.training.data.synthetic --output=runs/drawings/train --num_images=1000
    python -m hrnet_tf.training.data.synthetic --output=runs/drawings/val --num_images=110 --seed=1
    hrnet-tf train synthetic_pose --workdir=runs/synthetic_pose
"""

from hrnet_tf.cards.codecs import DARK
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.recipe import Expected

RECIPE = PoseRecipe(
    arch=HRNetSpec(width=24, stage1_blocks=1, stage1_planes=16, modules=(1, 1, 1), blocks=1),
    input_size=(128, 96),
    train_annotations="runs/drawings/train/person_keypoints.json",
    train_images="runs/drawings/train/images",
    val_annotations="runs/drawings/val/person_keypoints.json",
    val_images="runs/drawings/val/images",
    codec=DARK(sigma=1.0, blur_kernel=3),
    scale_factor=0.15,
    rotation_factor=15.0,
    learning_rate=3e-3,
    milestones=(),
    warmup_steps=50,
    epochs=8,
    batch_size=16,
    protocol="annotated",
    evaluate_every=1,
    expected=Expected({"AP": 0.88}),
)
