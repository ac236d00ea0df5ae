"""Fixtures of tests with pictures and videos."""

import keras
import pytest

from hrnet_tf.cards.files import write_card
from hrnet_tf.cards.pose import PoseCard


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A pose network of which each heat map is the brightness of the crop."""
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    image = keras.Input((64, 64, 3))
    x = keras.layers.AveragePooling2D(4)(image)
    keras.Model(image, keras.layers.Conv2D(17, 1, kernel_initializer="ones")(x)).save(path)
    write_card(path, PoseCard())
    return path
