"""Runs that take a second: five drawings and two layers.

    python tests/tiny_training.py RECIPE.json WORKDIR

trains them in a process of its own, saves after every step and says so, for tests that kill it.
"""

import sys
from pathlib import Path

import keras

from hrnet_tf.cards.codecs import DARK
from hrnet_tf.training import train
from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.loop.callbacks import Save
from hrnet_tf.training.pose import task
from hrnet_tf.training.pose.recipe import PoseRecipe

PLAIN = {
    "half_body_probability": 0.0,
    "scale_factor": 0.0,
    "rotation_probability": 0.0,
    "flip_probability": 0.0,
}


def write_recipe(folder: Path, **changes) -> PoseRecipe:
    """A recipe over five drawings, for training and validation alike."""
    path = write_dataset(folder / "set", 5, seed=0)
    data = {"annotations": str(path), "images": str(path.parent / "images")}
    values = {f"{use}_{kind}": value for use in ("train", "val") for kind, value in data.items()}
    values |= {"arch": "w18", "input_size": (64, 64), "codec": DARK(1.0, 3), "milestones": ()}
    values |= {"epochs": 2, "batch_size": 4, "protocol": "annotated"}
    return PoseRecipe(**(values | changes))


def bare_recipe(arch: str, input_size: tuple[int, int], **changes) -> PoseRecipe:
    """A recipe without data."""
    files = {"train_annotations": "", "train_images": ""}
    return PoseRecipe(arch=arch, input_size=input_size, **files, **changes)


def network(arch, input_shape, num_keypoints, head):
    """Two layers for an HRNet, whose graph takes ten seconds to trace."""
    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 8, 4, padding="same", use_bias=False, name="conv1")(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8, name="bn1")(x))
    head = keras.layers.Conv2D(num_keypoints, 1, name="final_layer", dtype="float32")
    return keras.Model(image, head(x))


def say_saved() -> None:
    """Lets each checkpoint print its step, for a test that ends the process then."""
    save = Save._save

    def told(self):
        save(self)
        print("saved", self.position.step, flush=True)

    Save._save = told


def main(recipe: str, workdir: str) -> None:
    task.pose = network
    say_saved()
    recipe = PoseRecipe.from_json(Path(recipe).read_text())
    train.train(recipe, workdir, deterministic=True, save_seconds=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
