"""Adds the task of this folder to the package, as one word in NAMES and its rooms would."""

from pathlib import Path

import keras

import hrnet_tf.cards
import hrnet_tf.tasks
import hrnet_tf.training.recipes as pages

HERE = Path(__file__).parent
hrnet_tf.cards.NAMES += ("depth",)
hrnet_tf.cards.__path__.append(str(HERE / "cards"))
hrnet_tf.tasks.__path__.append(str(HERE / "tasks"))
hrnet_tf.training.__path__.append(str(HERE / "training"))
pages.__path__.append(str(HERE / "training" / "recipes"))
pages.PAGES = pages.find_pages()
pages.TASKS += ("depth",)


def depth(input_shape=(32, 32, 3)):
    """A builder: distances, and how sure they are, which only training needs."""
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Conv2D(4, 3, 2, "same", activation="relu", name="conv1")(image)
    distances = keras.layers.Conv2D(1, 1, activation="sigmoid", name="distances")(x)
    certainty = keras.layers.Conv2D(1, 1, name="certainty")(x)
    return keras.Model({"image": image}, {"depth": distances, "certainty": certainty}, name="depth")
