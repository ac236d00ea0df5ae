"""Real photos: a network learns people of COCO by heart; the Cityscapes frame is read and shown."""

import json

import numpy as np
import pytest

from hrnet_tf import cli
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.classes import COCO_THINGS, PERSON
from hrnet_tf.training.segmentation.check import examine
from hrnet_tf.training.segmentation.options import SegmentationScoring
from hrnet_tf.training.segmentation.readers import read
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe
from hrnet_tf.training.train import train, validate

PHOTOS = 20
SIDE = 128


def people(data_dir, tmp_path):
    """COCO's file with the 20 photos that show most of people."""
    folder = data_dir / "coco_tiny_instances"
    path = folder / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    (person,) = (each["id"] for each in content["categories"] if each["name"] == "person")
    share = dict.fromkeys((each["id"] for each in content["images"]), 0.0)
    sizes = {each["id"]: each["height"] * each["width"] for each in content["images"]}
    for each in content["annotations"]:
        if each["category_id"] == person and not each["iscrowd"]:
            share[each["image_id"]] += each["area"] / sizes[each["image_id"]]
    chosen = sorted(share, key=share.get)[-PHOTOS:]
    content["images"] = [each for each in content["images"] if each["id"] in chosen]
    content["annotations"] = [each for each in content["annotations"] if each["image_id"] in chosen]
    (tmp_path / "people.json").write_text(json.dumps(content))
    return str(tmp_path / "people.json"), str(folder / "train2017")


@pytest.mark.slow
@pytest.mark.data
def test_a_network_learns_twenty_photos_by_heart(data_dir, tmp_path):
    """W18-small-v2, person and background; the masks are compared at the photos' sizes."""
    annotations, images = people(data_dir, tmp_path)
    recipe = SegmentationRecipe(
        arch="w18_small_v2",
        input_size=(SIDE, SIDE),
        train_annotations=annotations,
        train_images=images,
        val_annotations=annotations,
        val_images=images,
        classes=PERSON,
        labels="coco_instances",
        resize="both",
        base_size=SIDE,
        scale_range=(1.0, 1.0),
        flip_probability=0.0,
        learning_rate=2e-3,
        milestones=(),
        warmup_steps=20,
        epochs=150,
        batch_size=10,
        evaluate_every=50,
    )
    found = validate(recipe, train(recipe, tmp_path / "run"))
    assert found.images == PHOTOS and not found.problems
    assert found.numbers["mIoU"] >= 0.95


@pytest.mark.data
def test_the_cityscapes_frame_is_inspected(data_dir, tmp_path):
    root = data_dir / "mmseg_cityscapes_sample" / "tests" / "data" / "pseudo_cityscapes_dataset"
    masks, images = str(root / "gtFine"), str(root / "leftImg8bit")
    flags = [f"--train_annotations={masks}", f"--train_images={images}", "--batch_size=1"]
    flags += ["--base_size=256", "--input_size=128,256", f"--output={tmp_path}/look", "--count=2"]
    assert cli.main(["inspect", "cityscapes_w18_small_v2", *flags]) == 0
    page = (tmp_path / "look" / "index.html").read_text()
    assert page.count("<img") == 2 and "Left out" not in page and "vegetation" in page


@pytest.mark.data
def test_eighty_categories_are_drawn(data_dir):
    """Every photo of the subset has a mask; most classes occur."""
    folder = data_dir / "coco_tiny_instances"
    data = SegmentationScoring(
        str(folder / "annotations" / "instances_train2017.json"),
        str(folder / "train2017"),
        "coco_instances",
    )
    found = read(data, SegmentationCard(COCO_THINGS.names, COCO_THINGS.palette))
    findings = examine(found, COCO_THINGS.names)
    assert findings.pictures == 80 and not findings.problems
    assert np.count_nonzero([*findings.shown.values()]) > 60
