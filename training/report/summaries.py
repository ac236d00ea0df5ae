"""Writes curves and pictures for TensorBoard."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from hrnet_tf.training.loop.callbacks import going_on, is_due
from hrnet_tf.training.loop.resume import Position
from hrnet_tf.training.recipe import Recipe

# `tf.summary.scalar` and `image` write the same, but need TensorBoard to be installed.
Metadata = tf.compat.v1.SummaryMetadata
SCALAR = Metadata(plugin_data=Metadata.PluginData(plugin_name="scalars"), data_class=1)
IMAGES = Metadata(plugin_data=Metadata.PluginData(plugin_name="images"), data_class=3)
EVERY = 100  # steps between two points of the loss curve


class Summaries(keras.callbacks.Callback):
    """Writes losses, metrics, learning rate, throughput, and pictures of crops and predictions.

    Args:
        position: how far the run is.
        recipe: decides after which epochs pictures are drawn.
        folder: folder for TensorBoard.
        draw: model in training -> pictures (H, W, 3) uint8 of its predictions.
    """

    def __init__(
        self,
        position: Position,
        recipe: Recipe,
        folder: Path,
        draw: Callable[[keras.Model], list[np.ndarray]],
    ):
        super().__init__()
        self.position, self.recipe, self.draw = position, recipe, draw
        self.writer = tf.summary.create_file_writer(str(folder))

    def on_train_batch_end(self, batch, logs=None):
        if self.position.step % EVERY == 0:
            self._write({"steps/loss": logs["loss"]})

    def on_epoch_end(self, epoch, logs=None):
        if self.position.within_epoch:
            return
        self._write(logs | {"learning_rate": self.position.rows[-1]["learning_rate"]})
        if is_due(self.recipe, epoch) and (pictures := self.draw(self.model)):
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
