"""Depth of two kinds of drawings: dark is far."""

from hrnet_tf.training.depth.recipe import DepthRecipe

RECIPE = DepthRecipe(
    arch="w18",
    input_size=(32, 32),
    train_annotations="train.json",
    train_images="images",
    val_annotations="train.json",
    val_images="images",
    learning_rate=0.02,
    milestones=(),
    epochs=1,
    batch_size=4,
    evaluate_every=1,
)
