"""Real photos: detectors learn twenty of COCO's photos by heart.

The photos are the first whose objects all have sides (the root of the box's area) of at least a
tenth of the photo's longer side, and which have no crowds: 58 objects of 31 classes. Without that
choice (144 objects, down to 4 pixels) perfect boxes of FCOS have AP .95 at most, as each point has
one object only, and perfect masks .84 at 320 pixels. With it, perfect masks have .88 at 288 pixels:
they are read at that size and learned in 28 x 28 cells.
"""

import json

import numpy as np
import pytest

from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.train import train, validate

PHOTOS = 20
LEAST = 0.1  # side of the smallest object of a photo, of the photo's longer side


def write_photos(data_dir, folder):
    """The first photos of the subset without crowds and without small objects."""
    coco = data_dir / "coco_tiny_instances"
    content = json.loads((coco / "annotations" / "instances_train2017.json").read_text())
    chosen = []
    for image in sorted(content["images"], key=lambda each: each["id"]):
        own = [each for each in content["annotations"] if each["image_id"] == image["id"]]
        sides = [np.sqrt(np.prod(each["bbox"][2:])) for each in own]
        least = LEAST * max(image["height"], image["width"])
        if min(sides) >= least and not any(each["iscrowd"] for each in own):
            chosen.append(image)
    ids = {image["id"] for image in chosen[:PHOTOS]}
    content["images"] = chosen[:PHOTOS]
    content["annotations"] = [x for x in content["annotations"] if x["image_id"] in ids]
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return {"annotations": str(path), "images": str(coco / "train2017")}


def by_heart(data_dir, folder, **values):
    """COCO's numbers of a detector on the photos that it was trained on, from scratch."""
    files = write_photos(data_dir, folder)
    recipe = DetectionRecipe(
        **{f"{use}_{kind}": path for use in ("train", "val") for kind, path in files.items()},
        arch=HRNetSpec(16, 1, 32, (1, 1, 1), 2),
        head_channels=64,
        flip_probability=0.0,
        fixed_statistics=False,
        learning_rate=1e-3,
        milestones=(),
        warmup_steps=50,
        clip_norm=10.0,
        batch_size=4,
        evaluate_every=0,
        **values,
    )
    found = validate(recipe, train(recipe, folder / "run"))
    assert found.images == PHOTOS and not found.problems
    return found.numbers


@pytest.mark.slow
@pytest.mark.data
def test_fcos_learns_twenty_photos_by_heart(data_dir, tmp_path):
    """AP .937; about eight minutes of CPU time, on cores that do other work, too."""
    numbers = by_heart(
        data_dir, tmp_path, head="fcos", input_size=(256, 256), sides=(256, 256), epochs=300
    )
    assert numbers["AP"] >= 0.9


@pytest.mark.slow
@pytest.mark.data
def test_mask_rcnn_learns_twenty_photos_by_heart(data_dir, tmp_path):
    """AP .989 of boxes and .839 of masks; about fifteen minutes of CPU time, on such cores."""
    numbers = by_heart(
        data_dir,
        tmp_path,
        head="mask_rcnn",
        input_size=(288, 288),
        sides=(288, 288),
        proposals=200,
        regions=64,
        epochs=240,
    )
    assert numbers["AP"] >= 0.95 and numbers["AP mask"] >= 0.8
