"""A run of three layers for pixels or classes, in a process of its own.

    python tests/tiny_run.py RECIPE.json WORKDIR [DEVICES]

trains on that number of devices, into which the CPU is divided, or by the workers of TF_CONFIG.
"""

import sys
from pathlib import Path

import own_masks
import tiny_classification
from several_devices import divide

from hrnet_tf.training import train
from hrnet_tf.training.classification import task as of_classes
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.segmentation import task as of_pixels


def main(recipe: str, workdir: str, devices: str = "1") -> None:
    of_pixels.segmentation, of_classes.classification = own_masks.tiny, tiny_classification.network
    if devices != "1":
        divide(int(devices))
    train.train(Recipe.from_json(Path(recipe).read_text()), workdir, deterministic=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
