r"""A tiny HRNet on drawn shapes.

Architecture of HRNetV2-C (Wang et al. TPAMI 2020) at its smallest: one module per stage, one block
per stream. Pictures show one of seven shapes each.

Expected: about the accuracy below on held-out drawings, in a minute on two CPU cores. The drawings
come first:

    python -m hrnet_tf.training.data.synthetic --kind=shapes --output=runs/shapes/train
    python -m hrnet_tf.training.data.synthetic --kind=shapes --output=runs/shapes/val \
        --num_images=210 --seed=1
    hrnet-tf train synthetic_classification --workdir=runs/synthetic_classification
"""

from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.recipe import Expected

RECIPE = ClassificationRecipe(
    arch=HRNetSpec(width=8, stage1_blocks=1, stage1_planes=16, modules=(1, 1, 1), blocks=1),
    input_size=(64, 64),
    train_images="runs/shapes/train",
    val_images="runs/shapes/val",
    smallest_crop=0.7,
    learning_rate=0.01,
    milestones=(),
    warmup_steps=30,
    epochs=8,
    batch_size=16,
    expected=Expected({"top1": 0.85}),
)
