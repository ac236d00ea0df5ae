"""Detectors that are traced in seconds: the true heads on four convolutions, with few channels.

    python tests/tiny_detectors.py RECIPE.json WORKDIR [DEVICES]

trains one in a process of its own, saves after every step and says so, for tests that kill it; on
that number of devices, into which the CPU is divided.
"""

import sys
from pathlib import Path

import keras
from keras import layers
from several_devices import divide

from hrnet_tf.networks import detection
from hrnet_tf.training import train
from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.detection.recipe import DetectionRecipe

from tiny_training import say_saved

CHANNELS = 32


def trunk(arch, input_shape, outputs):
    """The input and maps at strides 4, 8, 16, 32, as those of an HRNet."""
    image = keras.Input(tuple(input_shape), name="image")
    x = layers.Conv2D(16, 4, 4, "same", use_bias=False, name="conv1")(image)
    xs = [layers.ReLU(name="relu1")(layers.BatchNormalization(momentum=0.8, name="bn1")(x))]
    for i in range(1, outputs):
        x = layers.Conv2D(16, 3, padding="same", activation="relu", name=f"conv{i + 1}")(xs[-1])
        xs.append(layers.AveragePooling2D(2, name=f"pool{i + 1}")(x))
    return image, xs


def shrink(set_attribute=setattr) -> None:
    """Gives `hrnet_tf.detection` that trunk, for any `arch`."""
    set_attribute(detection, "trunk", trunk)


def write_recipe(folder: Path, **changes) -> DetectionRecipe:
    """A recipe over six drawings with people and things, for training and validation alike."""
    write_dataset(folder / "set", 6, seed=0, size=(64, 96))
    data = {
        "annotations": str(folder / "set" / "instances.json"),
        "images": str(folder / "set" / "images"),
    }
    values = {f"{use}_{kind}": value for use in ("train", "val") for kind, value in data.items()}
    values |= {"arch": "w18", "input_size": (64, 96), "sides": (96, 64), "milestones": ()}
    values |= {"classes": (), "category_ids": (), "fixed_statistics": False}
    values |= {"scale_range": (0.8, 1.3), "color_jitter": 0.1}
    values |= {"head_channels": CHANNELS, "epochs": 2, "batch_size": 4, "evaluate_every": 0}
    return DetectionRecipe(**(values | changes))


def main(recipe: str, workdir: str, devices: str = "1") -> None:
    if devices != "1":
        divide(int(devices))
    shrink()
    say_saved()
    recipe = DetectionRecipe.from_json(Path(recipe).read_text())
    train.train(recipe, workdir, deterministic=True, save_seconds=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
