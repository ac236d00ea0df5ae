"""Layouts of data sets, and records that cannot be used: each is named, the others go on."""

import json
from pathlib import Path

import numpy as np
import own_masks
import pytest
from PIL import Image

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.classes import CITYSCAPES, COCO_THINGS, LIP, PERSON, VOC
from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.training.segmentation.check import examine
from hrnet_tf.training.segmentation.masks import read_mask
from hrnet_tf.training.segmentation.options import SegmentationScoring
from hrnet_tf.training.segmentation.readers import read


def card(classes):
    return SegmentationCard(classes.names, classes.palette)


def save(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(path)


def names(found):
    return [record.image.path.name for record in found.records]


GREY = np.full((8, 8, 3), 90)


def test_cityscapes_folders_have_ids_or_training_ids(tmp_path):
    """Other files of the same folder, such as instances, are not masks."""
    ids = np.tile([[0, 7, 8, 255]], (8, 2))
    train = np.tile([[255, 0, 1, 255]], (8, 2))
    for city in ("aachen", "bonn"):
        save(tmp_path / "leftImg8bit" / city / f"{city}_0_leftImg8bit.png", GREY)
        for end, pixels in (("labelIds", ids), ("labelTrainIds", train), ("instanceIds", ids)):
            save(tmp_path / "gtFine" / city / f"{city}_0_gtFine_{end}.png", pixels)
    for labels in ("cityscapes", "cityscapes_train_ids"):
        data = SegmentationScoring(f"{tmp_path}/gtFine", f"{tmp_path}/leftImg8bit", labels)
        found = read(data, card(CITYSCAPES))
        assert names(found) == ["aachen_0_leftImg8bit.png", "bonn_0_leftImg8bit.png"]
        np.testing.assert_array_equal(read_mask(found.records[1].mask, found.meaning), train)


@pytest.mark.parametrize("prefix", ["", "cityscapes"])
def test_lists_of_the_original_start_at_either_folder(tmp_path, prefix):
    root = tmp_path / prefix
    save(root / "leftImg8bit" / "a.png", GREY)
    save(root / "gtFine" / "a.png", np.full((8, 8), 7))
    path = tmp_path / "val.lst"
    path.write_text("leftImg8bit/a.png\tgtFine/a.png\nleftImg8bit/b.png\tgtFine/b.png\n\n")
    lines = []
    data = SegmentationScoring(str(path), str(tmp_path), "cityscapes")
    assert names(read(data, card(CITYSCAPES), lines.append)) == ["a.png"]
    assert lines == [f"{path}: line 2 is left out: leftImg8bit/b.png is not below {tmp_path}."]


def test_lip_and_voc_lists(tmp_path):
    """LIP has further columns and a folder for each kind; VOC has names alone."""
    save(tmp_path / "TrainVal_images" / "train_images" / "a.jpg", GREY)
    save(
        tmp_path / "TrainVal_parsing_annotations" / "train_segmentations" / "a.png",
        np.full((8, 8), 19),
    )
    path = tmp_path / "trainList.txt"
    path.write_text(
        "train_images/a.jpg train_segmentations/a.png train_segmentations_reversed/a.png 1\n"
    )
    found = read(SegmentationScoring(str(path), str(tmp_path), "lip"), card(LIP))
    assert read_mask(found.records[0].mask, found.meaning)[0, 0] == 19

    save(tmp_path / "JPEGImages" / "2007_1.jpg", GREY)
    mask = Image.fromarray(np.tile(np.array([[0, 15, 255, 15]], np.uint8), (8, 2)))
    mask.putpalette([level for color in (*VOC.palette, *[(9, 9, 9)] * 235) for level in color])
    (tmp_path / "SegmentationClass").mkdir()
    mask.save(tmp_path / "SegmentationClass" / "2007_1.png")
    (tmp_path / "train.txt").write_text("2007_1\n2007_2\n")
    lines = []
    data = SegmentationScoring(str(tmp_path / "train.txt"), str(tmp_path), "voc")
    found = read(data, card(VOC), lines.append)
    assert read_mask(found.records[0].mask, found.meaning)[0].tolist() == [0, 15, 255, 15] * 2
    assert len(lines) == 1 and "2007_2.jpg" in lines[0]


def test_own_masks_of_every_encoding_give_the_same_classes(tmp_path):
    colors = np.array(own_masks.COLORS, np.uint8)

    def palette(classes, path):
        picture = Image.fromarray(classes)
        picture.putpalette(colors.ravel().tolist())
        picture.save(path)

    def wide(classes, path):
        Image.fromarray(classes.astype(np.uint16)).save(path)

    def painted(classes, path):
        Image.fromarray(colors[classes]).save(path)

    for number, (write, encoding) in enumerate(
        [(None, "index"), (palette, "index"), (wide, "index"), (painted, "color")]
    ):
        data = own_masks.write(tmp_path / str(number), 2, write, encoding=encoding)
        found = read(data, own_masks.CARD)
        assert len(found.records) == 2
        for seed, record in enumerate(found.records):
            ours = read_mask(record.mask, found.meaning)
            np.testing.assert_array_equal(ours, own_masks.class_map(seed))


def damaged(folder):
    """Own masks, each wrong in one way; file -> what is said about it."""
    own_masks.write(folder, 3)
    images, masks = folder / "images", folder / "masks"
    good = own_masks.class_map(0)
    said = {}

    def add(name, said_of_it, mask=good, image=good):
        if image is not None:
            own_masks.picture_of(image).save(images / f"{name}.png")
        if mask is not None:
            save(masks / f"{name}.png", mask)
        said[name] = said_of_it

    add("other_size", "56 pixels wide and 32 high, its picture 56 and 40", mask=good[:32])
    add("turned", "EXIF orientation", mask=good.T)
    add("no_mask", "it has no mask of its name", mask=None)
    add("no_picture", "it has no picture of its name", image=None)
    add("colours", "colours, not numbers; give encoding=color", mask=np.dstack([good] * 3))
    add("jpeg", "it is JPEG; masks are PNG")
    Image.fromarray(good).save(masks / "jpeg.png", "JPEG")
    add("text", "it cannot be read")
    (masks / "text.png").write_text("not a picture")
    add("palette", "has the classes' colours at other places")
    picture = Image.fromarray(2 - good)
    picture.putpalette(np.array(own_masks.COLORS[::-1]).ravel().tolist())
    picture.save(masks / "palette.png")
    return said


def damaged_pixels(folder):
    """The same for what headers do not tell."""
    images, masks = folder / "images", folder / "masks"
    good = own_masks.class_map(0)
    said = {}
    for name, said_of_it in (
        ("truncated", "it cannot be decoded"),
        ("unknown", "the number 7, which no class has"),
        ("white", "the number 255, which no class has. If 255 means no class, give ignore_label"),
    ):
        own_masks.picture_of(good).save(images / f"{name}.png")
        said[name] = said_of_it
    Image.fromarray(np.random.default_rng(0).integers(0, 3, good.shape).astype(np.uint8)).save(
        masks / "truncated.png"
    )
    content = (masks / "truncated.png").read_bytes()
    (masks / "truncated.png").write_bytes(content[: len(content) // 2])
    save(masks / "unknown.png", np.where(good == 2, 7, good))
    save(masks / "white.png", np.where(good > 0, 255, 0))
    return said


def test_each_bad_record_is_named_and_the_others_go_on(tmp_path):
    data = own_masks.write(tmp_path)
    by_headers, by_pixels = damaged(tmp_path), damaged_pixels(tmp_path)
    lines = []
    found = read(data, own_masks.CARD, lines.append)
    assert set(names(found)) == {f"{n}.png" for n in ("0", "1", "2", "3", *by_pixels)}
    for name, said in by_headers.items():
        assert sum(f"{name}.png" in line and said in line for line in lines) == 1, name
    assert len(lines) == len(by_headers)

    findings = examine(found, own_masks.NAMES, lines)
    assert findings.pictures == 4 and not findings.remarks
    for name, said in by_pixels.items():
        assert sum(f"{name}.png" in line and said in line for line in findings.problems) == 1, name
    assert len(findings.problems) == len(by_headers) + len(by_pixels)


def test_what_looks_wrong_is_remarked(tmp_path):
    data = own_masks.write(
        tmp_path, 2, lambda classes, path: save(path, np.full_like(classes, 9)), ignore_label=9
    )
    found = read(data, own_masks.CARD)
    findings = examine(found, own_masks.NAMES)
    assert [line.partition(": ")[2] for line in findings.remarks] == [
        "no pixel has a class; all are ignored."
    ] * 2
    assert findings.ignored == 1
    data = own_masks.write(tmp_path / "one", 2, lambda x, path: save(path, np.zeros_like(x)))
    findings = examine(read(data, own_masks.CARD), own_masks.NAMES)
    assert "all pixels are background" in findings.remarks[0]


@pytest.mark.parametrize(
    ("annotations", "images", "error", "message"),
    [
        ("nowhere", "images", FileNotFoundError, "`annotations` must be a folder of masks"),
        ("masks", "nowhere", FileNotFoundError, "`images` must be a folder"),
        ("empty", "images", ValueError, "must name masks of pictures"),
        ("masks", "empty", ValueError, "must name masks of pictures"),
    ],
)
def test_folders_without_pairs_are_an_error(tmp_path, annotations, images, error, message):
    own_masks.write(tmp_path, 1)
    (tmp_path / "empty").mkdir()
    data = SegmentationScoring(str(tmp_path / annotations), str(tmp_path / images))
    with pytest.raises(error, match=message):
        read(data, own_masks.CARD)


# COCO instances


def instances(folder, annotations, categories=("person", "dog")):
    save(folder / "images" / "a.png", np.full((10, 12, 3), 50))
    content = {
        "images": [{"id": 5, "file_name": "a.png", "height": 10, "width": 12}],
        "annotations": [{"id": n, "image_id": 5, **a} for n, a in enumerate(annotations)],
        "categories": [{"id": 10 * n + 1, "name": name} for n, name in enumerate(categories)],
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return SegmentationScoring(str(path), str(folder / "images"), "coco_instances")


def square(x, y, side, category, **more):
    polygon = [x, y, x + side, y, x + side, y + side, x, y + side]
    return {"category_id": category, "segmentation": [polygon], **more}


def test_regions_become_classes(tmp_path):
    """Other categories are background; crowds and what two classes claim have no class."""
    crowd = {"size": [10, 12], "counts": [110, 10]}  # the last column
    data = instances(
        tmp_path,
        [
            square(0, 0, 4, 1),
            square(2, 2, 4, 1),
            square(6, 6, 3, 11),
            {"category_id": 1, "segmentation": crowd, "iscrowd": 1},
        ],
    )
    found = read(data, card(PERSON))
    mask = read_mask(found.records[0].mask, found.meaning)
    wanted = np.zeros((10, 12), int)
    wanted[:4, :4] = wanted[2:6, 2:6] = 1
    wanted[:, 11] = IGNORED
    np.testing.assert_array_equal(mask, wanted)

    data = instances(tmp_path, [square(0, 0, 4, 1), square(2, 2, 4, 11)])
    both = dict(names=("background", "person", "dog"), palette=((0, 0, 0),) * 3)
    found = read(data, SegmentationCard(both["names"], both["palette"]))
    mask = read_mask(found.records[0].mask, found.meaning)
    assert (mask[0, 0], mask[5, 5], mask[3, 3], mask[9, 9]) == (1, 2, IGNORED, 0)


def test_damaged_regions_are_named(tmp_path):
    lines = []
    data = instances(
        tmp_path,
        [
            square(0, 0, 4, 1),
            {"category_id": 1, "segmentation": [[1, 2, 3]]},
            {"category_id": 1, "segmentation": [[1e9, 2, 3, 4, 5, 6]]},
            {"category_id": 1, "segmentation": {"size": [9, 9], "counts": [81]}},
            {"category_id": 1, "segmentation": {"size": [10, 12], "counts": [81]}},
            {"category_id": 99, "segmentation": [[0, 0, 4, 0, 4, 4]]},
            {"category_id": 1},
        ],
    )
    found = read(data, card(PERSON), lines.append)
    assert read_mask(found.records[0].mask, found.meaning).sum() == 16
    assert len(lines) == 6 and all("annotation " in line for line in lines)
    with pytest.raises(ValueError, match="has no 'bicycle', but person, dog"):
        read(data, card(COCO_THINGS))


@pytest.mark.data
def test_real_people_of_coco(data_dir):
    """Shares of pixels by pycocotools' own union of the regions."""
    from pycocotools.coco import COCO

    folder = data_dir / "coco_tiny_instances"
    path = folder / "annotations" / "instances_val2017.json"
    data = SegmentationScoring(str(path), str(folder / "val2017"), "coco_instances")
    found = read(data, card(PERSON))
    assert len(found.records) == 80
    coco = COCO(path)
    for record in found.records[:20]:
        mask = read_mask(record.mask, found.meaning)
        wanted = np.zeros(mask.shape, bool)
        for each in coco.loadAnns(coco.getAnnIds(record.image.id, catIds=[1], iscrowd=False)):
            wanted |= coco.annToMask(each) > 0
        np.testing.assert_array_equal((mask == 1) | (wanted & (mask == IGNORED)), wanted)


@pytest.mark.data
def test_the_cityscapes_sample(data_dir):
    """Ids and training ids of a real frame are the same classes, but where it was shrunk."""
    root = data_dir / "mmseg_cityscapes_sample" / "tests" / "data" / "pseudo_cityscapes_dataset"
    found = []
    for labels in ("cityscapes", "cityscapes_train_ids"):
        data = SegmentationScoring(str(root / "gtFine"), str(root / "leftImg8bit"), labels)
        annotated = read(data, card(CITYSCAPES))
        assert Path(annotated.records[0].image.path).name.startswith("frankfurt")
        found.append(read_mask(annotated.records[0].mask, annotated.meaning))
    assert np.mean(found[0] == found[1]) > 0.997 and len(np.unique(found[0])) > 5
