"""Curves and pictures for TensorBoard."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from hrnet_tf.tasks.pose.card import PoseCard
from hrnet_tf.training.loop.callbacks import copy_weights, going_on, is_due
from hrnet_tf.training.loop.resume import Position
from hrnet_tf.training.pose.pictures import crop_pixels, joint_maps, overlay
from hrnet_tf.training.recipe import Recipe

# What `tf.summary.scalar` and `image` write; but they need TensorBoard, which only reading needs.
Metadata = tf.compat.v1.SummaryMetadata
SCALAR = Metadata(plugin_data=Metadata.PluginData(plugin_name="scalars"), data_class=1)
IMAGES = Metadata(plugin_data=Metadata.PluginData(plugin_name="images"), data_class=3)
EVERY = 100  # steps between two points of the loss


class Summaries(keras.callbacks.Callback):
    """Losses, metrics, learning rate, throughput, and pictures of crops, targets and predictions.

    Args:
        position: where the run is.
        recipe: when to draw pictures.
        folder: for TensorBoard.
        network: a plain copy, which predicts.
        batch: crops and targets to draw, a few.
    """

    def __init__(
        self,
        position: Position,
        recipe: Recipe,
        folder: Path,
        network: keras.Model,
        batch: tuple[np.ndarray, np.ndarray],
    ):
        super().__init__()
        self.position, self.recipe, self.folder = position, recipe, folder
        self.network, self.batch = network, batch
        self.writer = tf.summary.create_file_writer(str(folder))

    def on_train_batch_end(self, batch, logs=None):
        if self.position.step % EVERY == 0:
            self._write({"steps/loss": logs["loss"]})

    def on_epoch_end(self, epoch, logs=None):
        if self.position.within_epoch:
            return
        self._write(logs | {"learning_rate": self.position.rows[-1]["learning_rate"]})
        if is_due(self.recipe, epoch):
            copy_weights(self.model, self.network)
            maps = self.network.predict_on_batch(self.batch[0])
            pictures = panels(self.recipe.card, *self.batch, maps)
            height, width = pictures[0].shape[:2]
            files = [tf.io.encode_png(picture) for picture in pictures]
            images = tf.stack([str(width), str(height), *files])
            with going_on(), self.writer.as_default(self.position.step):
                tf.summary.write("crop, target, prediction", images, metadata=IMAGES)
                self.writer.flush()

    def _write(self, numbers: dict[str, float]):
        with going_on(), self.writer.as_default(self.position.step):
            for name, value in numbers.items():
                tf.summary.write(name, tf.constant(value, tf.float32), metadata=SCALAR)
            self.writer.flush()


def panels(
    card: PoseCard, crops: np.ndarray, targets: np.ndarray, maps: np.ndarray
) -> list[np.ndarray]:
    """Each crop beside itself under its target and under the prediction.

    Args:
        card: how the crops were normalised and what the channels are.
        crops: (B, H, W, 3), normalised.
        targets: (B, H / 4, W / 4, channels).
        maps: likewise, predicted.

    Returns:
        B pictures (H, 3 W, 3) uint8.
    """
    heats = [joint_maps(each, card).max(axis=-1) for each in (targets, maps)]
    return [
        np.concatenate([crop, overlay(crop, target), overlay(crop, found)], axis=1)
        for crop, target, found in zip(crop_pixels(crops, card), *heats, strict=True)
    ]
