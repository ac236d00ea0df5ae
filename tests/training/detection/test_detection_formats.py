"""Objects in PASCAL VOC's and YOLO's files: read as COCO's, and what is bad is named."""

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.training.detection.annotations import read_annotations
from hrnet_tf.training.detection.evaluator import evaluator
from hrnet_tf.training.detection.options import DetectionScoring
from hrnet_tf.training.detection.readers import read
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.source import settle
from hrnet_tf.training.detection.yolo import class_names

BOXES = {
    "a": [("cat", (10, 20, 30, 40)), ("dog", (0, 0, 100, 80))],
    "sub/b": [("dog", (5, 5, 9, 9))],
}
OBJECT = """<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{x1}</xmin>
<ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"""


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    for name in BOXES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80)).save(folder / f"{name}.jpg")
    return folder


def write_voc(folder, objects=BOXES, difficult=0):
    folder.mkdir()
    for name, own in objects.items():
        text = "".join(
            OBJECT.format(name=kind, difficult=difficult, x1=x + 1, y1=y + 1, x2=x + w, y2=y + h)
            for kind, (x, y, w, h) in own
        )
        size = "<size><width>100</width><height>80</height></size>"
        path = folder / f"{name.replace('/', '_')}.xml"
        path.write_text(f"<annotation><filename>{name}.jpg</filename>{size}{text}</annotation>")
    return folder


def write_yolo(folder, objects=BOXES, names=("cat", "dog")):
    for name, own in objects.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            f"{names.index(kind)} {(x + w / 2) / 100} {(y + h / 2) / 80} {w / 100} {h / 80}\n"
            for kind, (x, y, w, h) in own
        ]
        path.write_text("".join(rows))
    (folder / "classes.txt").write_text("\n".join(names))
    return folder


CARD = DetectionCard(classes=("cat", "dog"), category_ids=(1, 2))


@pytest.mark.parametrize("write", [write_voc, write_yolo])
def test_boxes_are_those_that_were_written(write, images, tmp_path):
    place = write(tmp_path / "labels")
    records = read(str(place), str(images), CARD, pytest.fail)
    found = {
        record.image.path.relative_to(images).with_suffix("").as_posix(): [
            (CARD.classes[kind], tuple(np.round([x1, y1, x2 - x1, y2 - y1], 3)))
            for kind, (x1, y1, x2, y2) in zip(record.classes, record.boxes, strict=True)
        ]
        for record in records
    }
    assert found == BOXES
    recipe = DetectionRecipe(
        arch="w18",
        input_size=(64, 64),
        train_annotations=str(place),
        train_images=str(images),
        classes=(),
        category_ids=(),
    )
    assert settle(recipe).classes == ("cat", "dog")
    judge = evaluator(CARD, DetectionScoring(str(place), str(images)), pytest.fail)
    assert [each.path.name for each in judge.wanted] == ["a.jpg", "b.jpg"]


def test_a_list_of_voc_names_its_files(images, tmp_path):
    write_voc(tmp_path / "Annotations")
    listed = tmp_path / "ImageSets" / "Main" / "train.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("sub_b\nnowhere\n")
    lines = []
    (record,) = read(str(listed), str(images), CARD, lines.append)
    assert record.image.path.name == "b.jpg"
    assert len(lines) == 1 and "nowhere.xml is left out" in lines[0]


def test_difficult_objects_of_voc_are_like_crowds(images, tmp_path):
    place = write_voc(tmp_path / "hard", {"a": BOXES["a"]}, difficult=1)
    coco, _ = read_annotations(place, images)
    assert [each["iscrowd"] for each in coco.annotations] == [1, 1]


def test_xml_is_never_unfolded(images, tmp_path):
    """A DOCTYPE is refused before its entities are read, in any encoding."""
    place = write_voc(tmp_path / "voc", {"a": BOXES["a"]})
    bomb = '<!DOCTYPE a [<!ENTITY b "lol"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>'
    for encoding in ("utf-8", "utf-16"):
        (place / f"{encoding}.xml").write_text(bomb, encoding=encoding)
    (place / "broken.xml").write_text("<annotation>")
    lines = []
    coco, _ = read_annotations(place, images, lines.append)
    assert len(coco.images) == 1 and len(lines) == 2
    assert any("utf-16.xml, utf-8.xml are left out: it has a DOCTYPE" in each for each in lines)


def test_bad_objects_of_voc_are_named(images, tmp_path):
    objects = [("cat", (0, 0, -5, 9)), ("cat", (200, 5, 9, 9)), ("", (1, 1, 9, 9)), *BOXES["a"]]
    place = write_voc(tmp_path / "voc", {"a": objects, "gone": BOXES["a"]})
    lines = []
    (record,) = read(str(place), str(images), CARD, lines.append)
    assert len(record.classes) == 2
    text = "\n".join(lines)
    for reason in ("`bbox` is empty", "outside the image", "it has no name", "no picture gone.jpg"):
        assert reason in text


def test_polygons_of_yolo_are_masks(images, tmp_path):
    place = tmp_path / "labels"
    place.mkdir()
    (place / "a.txt").write_text("0 0.1 0.25 0.4 0.25 0.4 0.75 0.1 0.75\n1 0.5 0.5 0.2 0.2\n")
    (place / "data.yaml").write_text("path: x\nnames:\n  0: cat\n  1: 'dog'  # woof\nnc: 2\n")
    lines = []
    (record,) = read(str(place), str(images), CARD, lines.append)
    np.testing.assert_allclose(record.boxes, [[10, 20, 40, 60], [40, 32, 60, 48]], rtol=1e-6)
    mask = coco_mask.decode({"counts": record.masks[0], "size": [80, 100]})
    assert mask[20:60, 10:40].all() and mask.sum() == 40 * 30 and record.masks[1] == ""
    assert any("1 annotations without a mask count for boxes only" in line for line in lines)


def test_bad_lines_of_yolo_are_named(images, tmp_path):
    place = write_yolo(tmp_path / "labels", {"a": BOXES["a"]})
    bad = {
        "0 0.5 0.5 1.5 0.5": "no share of the picture",
        "0 50 40 30 20": "no share of the picture",
        "0 0.5 0.5 nan 0.5": "no share of the picture",
        "0 0.5 0.5 -0.1 0.5": "no share of the picture",
        "7 0.5 0.5 0.1 0.1": "there is no name for class 7",
        "0 0.1 0.2 0.3 0.4 0.9": "neither a class and four numbers",
        "cat 0.1 0.2 0.3 0.4": "its class is not a number",
        "0 a b c d": "it is not a class and numbers",
        "0 0.5 0.5 0 0": "below a pixel",
    }
    with open(place / "a.txt", "a") as file:
        file.write("\n".join(["", *bad]))
    (place / "gone.txt").write_text("0 0.5 0.5 0.5 0.5")
    lines = []
    (record,) = read(str(place), str(images), CARD, lines.append)
    assert len(record.classes) == 2
    text = "\n".join(lines)
    for reason in (*bad.values(), "gone.txt is left out: it has no picture of its name"):
        assert reason in text
    assert "a.txt, line 4, a.txt, line 5, a.txt, line 6 and 1 more are left out" in text


@pytest.mark.parametrize(
    "text",
    [
        "names: [cat, 'big dog']",
        "names: {0: cat, 1: big dog}",
        "train: a\nnames:\n- cat\n- big dog\nnc: 2",
        'names:\n  - "cat"  # the first\n  - big dog',
        "names:\n  0: cat\n  1: big dog\nval: b",
        "names: [cat,\n  big dog]\nval: b",
    ],
)
def test_names_of_a_data_yaml(text, tmp_path):
    labels = tmp_path / "labels" / "train"
    labels.mkdir(parents=True)
    (tmp_path / "data.yaml").write_text(text)
    assert class_names(labels) == {0: "cat", 1: "big dog"}


def test_classes_without_names_are_their_numbers(images, tmp_path):
    """Also where they are not contiguous."""
    place = tmp_path / "a" / "b" / "c" / "labels"
    place.mkdir(parents=True)
    (place / "a.txt").write_text("3 0.5 0.5 0.5 0.5\n11 0.5 0.5 0.2 0.2\n")
    coco, _ = read_annotations(place, images)
    assert coco.categories == [{"id": 3, "name": "3"}, {"id": 11, "name": "11"}]


@pytest.mark.parametrize(("name", "text"), [("readme.md", ""), ("a.txt", "some words")])
def test_what_is_no_format_is_refused(name, text, images, tmp_path):
    place = tmp_path / "labels"
    place.mkdir()
    (place / name).write_text(text)
    wanted = place if name == "readme.md" else place / name
    with pytest.raises(ValueError, match=r"`annotations` must be .*Received: annotations="):
        read_annotations(wanted, images)
