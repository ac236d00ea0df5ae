"""A classifier that is traced in a second."""

import keras


def network(arch, num_classes, input_shape):
    """Three layers for an HRNet, whose graph takes ten seconds to trace."""
    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(16, 8, 4, padding="same", name="conv1")(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8, name="bn1")(x))
    x = keras.layers.Conv2D(32, 3, 2, padding="same", activation="relu", name="conv2")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(
        image, keras.layers.Dense(num_classes, dtype="float32", name="classifier")(x)
    )
