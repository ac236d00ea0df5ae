"""Real photos: a network learns people of COCO by heart; the Cityscapes frame is read and shown."""

import numpy as np
import pytest
from PIL import Image

from hrnet_tf import cli
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.classes import COCO_THINGS, PERSON
from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.media.images import read_image
from hrnet_tf.training.segmentation.check import examine
from hrnet_tf.training.segmentation.masks import read_mask
from hrnet_tf.training.segmentation.options import SegmentationScoring
from hrnet_tf.training.segmentation.readers import read
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe
from hrnet_tf.training.train import train, validate

CARD = SegmentationCard(PERSON.names, PERSON.palette)
PHOTOS = 20
SIDE = 128


def write_people(data_dir, folder):
    """Parts of 20 photos, at their own resolution, half of which shows people; and their masks."""
    coco = data_dir / "coco_tiny_instances"
    annotations = coco / "annotations" / "instances_train2017.json"
    data = SegmentationScoring(str(annotations), str(coco / "train2017"), "coco_instances")
    found = read(data, CARD)
    parts = []
    for record in found.records:
        mask = read_mask(record.mask, found.meaning)
        height, width = mask.shape
        for y, x in np.ndindex((height - SIDE) // 32 + 1, (width - SIDE) // 32 + 1):
            part = np.s_[32 * y : 32 * y + SIDE, 32 * x : 32 * x + SIDE]
            parts.append((abs(np.mean(mask[part] == 1) - 0.5), record.image.path, part, mask[part]))
    best = {}
    for part in sorted(parts, key=lambda each: each[0]):
        best.setdefault(part[1], part)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number, (_, path, part, mask) in enumerate([*best.values()][:PHOTOS]):
        Image.fromarray(read_image(path, apply_exif=False)[part]).save(
            folder / "images" / f"{number}.png"
        )
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    return {"annotations": str(folder / "masks"), "images": str(folder / "images")}


@pytest.mark.slow
@pytest.mark.data
def test_a_network_learns_parts_of_twenty_photos_by_heart(data_dir, tmp_path):
    """W18-small-v2, person and background, from scratch."""
    files = write_people(data_dir, tmp_path)
    recipe = SegmentationRecipe(
        **{f"{use}_{kind}": path for use in ("train", "val") for kind, path in files.items()},
        arch="w18_small_v2",
        input_size=(SIDE, SIDE),
        classes=PERSON,
        ignore_label=IGNORED,
        scale_range=(1.0, 1.0),
        flip_probability=0.0,
        learning_rate=2e-3,
        milestones=(),
        warmup_steps=20,
        epochs=120,
        batch_size=10,
        evaluate_every=40,
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
