"""Small data sets of one's own, written as tests need them."""

import keras
import numpy as np
from PIL import Image

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.classes import ClassSet
from hrnet_tf.training.segmentation.options import SegmentationScoring
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

COLORS = ((0, 0, 0), (200, 30, 30), (30, 200, 30))
NAMES = ("background", "leaf", "stem")
CLASSES = ClassSet("plants", NAMES, "tests", COLORS)
CARD = SegmentationCard(NAMES, COLORS)


def class_map(seed=0, size=(40, 56), classes=3):
    """Blocks of classes (H, W) uint8."""
    blocks = np.random.default_rng(seed).integers(0, classes, (size[0] // 8, size[1] // 8))
    return np.kron(blocks, np.ones((8, 8))).astype(np.uint8)


def picture_of(classes, seed=0):
    """A noisy picture whose colours tell the classes."""
    rng = np.random.default_rng(seed)
    levels = np.array(COLORS)[np.minimum(classes, 2)] * 0.7 + 20
    levels += rng.normal(0, 6, levels.shape)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def write(folder, count=4, save=None, names=None, **settings):
    """Pictures and masks in two folders; `save(classes, path)` writes a mask."""
    save = save or (lambda classes, path: Image.fromarray(classes).save(path))
    for each in ("images", "masks"):
        (folder / each).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        classes = class_map(number)
        picture_of(classes, number).save(folder / "images" / f"{number}.png")
        save(classes, folder / "masks" / f"{number}.png")
    return SegmentationScoring(str(folder / "masks"), str(folder / "images"), **settings)


def recipe(data, **changes):
    """A recipe that trains on these data and is judged by them."""
    values = {
        "arch": "w18",
        "input_size": (32, 32),
        "train_annotations": data.annotations,
        "train_images": data.images,
        "val_annotations": data.annotations,
        "val_images": data.images,
        "labels": data.labels,
        "encoding": data.encoding,
        "ignore_label": data.ignore_label,
        "ignore_color": data.ignore_color,
        "classes": CLASSES,
        "learning_rate": 0.01,
        "milestones": (),
        "epochs": 2,
        "batch_size": 4,
        "evaluate_every": 1,
    }
    return SegmentationRecipe(**(values | changes))


def tiny(arch, num_classes, input_shape, head="concat", align_corners=False):
    """Three layers for an HRNet, with the names of its heads."""
    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 8, 4, padding="same", use_bias=False, name="conv1")(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8, name="bn1")(x))

    def logits(name):
        return keras.layers.Conv2D(num_classes, 1, name=name, dtype="float32")(x)

    outputs = {"aux": logits("aux_head"), "logits": logits("cls_head")}
    return keras.Model(image, outputs if head == "ocr" else logits("last_layer"))
