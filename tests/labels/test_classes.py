"""The class lists: sizes, order and colours at places that a slipped line would change."""

import pytest

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.classes import (
    ADE20K,
    CITYSCAPES,
    CLASS_SETS,
    COCO,
    COCO_STUFF,
    COCO_THINGS,
    IMAGENET,
    LIP,
    PASCAL_CONTEXT,
    PASCAL_CONTEXT_60,
    VOC,
    voc_palette,
)

SIZES = {
    "cityscapes": 19,
    "pascal_context": 59,
    "pascal_context_60": 60,
    "lip": 20,
    "ade20k": 150,
    "coco_stuff": 171,
    "voc": 21,
    "coco_things": 81,
    "person": 2,
    "drawings": 4,
    "imagenet": 1000,
    "coco": 80,
}


def test_every_set_has_the_size_of_its_benchmark_and_no_name_twice():
    assert {name: len(each.names) for name, each in CLASS_SETS.items()} == SIZES
    for each in CLASS_SETS.values():
        assert len(set(each.names)) == len(each.names), each.name
        assert all(name == name.strip() and name for name in each.names), each.name


@pytest.mark.parametrize(
    ("classes", "known"),
    [
        (CITYSCAPES, {0: "road", 8: "vegetation", 11: "person", 13: "car", 18: "bicycle"}),
        (PASCAL_CONTEXT, {0: "aeroplane", 35: "mouse", 58: "wood"}),
        (PASCAL_CONTEXT_60, {0: "background", 1: "aeroplane", 59: "wood"}),
        (LIP, {0: "background", 13: "face", 14: "left arm", 19: "right shoe"}),
        (ADE20K, {0: "wall", 12: "person", 20: "car", 75: "swivel chair", 149: "flag"}),
        (COCO_STUFF, {0: "person", 79: "toothbrush", 80: "banner", 170: "wood"}),
        (COCO, {0: "person", 11: "stop sign", 79: "toothbrush"}),
        (VOC, {0: "background", 1: "aeroplane", 15: "person", 20: "tv monitor"}),
        (COCO_THINGS, {0: "background", 1: "person", 80: "toothbrush"}),
        (IMAGENET, {0: "tench", 207: "golden retriever", 281: "tabby", 999: "toilet tissue"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_classes_stand_where_their_benchmark_has_them(classes, known):
    assert {index: classes.names[index] for index in known} == known


def test_synsets_are_sorted_as_the_folders_of_imagenet():
    """The order that every network trained on the folders has."""
    assert list(IMAGENET.synsets) == sorted(set(IMAGENET.synsets))
    assert IMAGENET.synsets[281] == "n02123045"
    assert IMAGENET.synsets[999] == "n15075141"


def test_category_ids_are_those_of_cocos_files():
    ids = dict(zip(COCO.names, COCO.category_ids, strict=True))
    assert (ids["person"], ids["stop sign"], ids["toothbrush"]) == (1, 13, 90)
    assert list(ids.values()) == sorted(ids.values())
    assert COCO.names == COCO_STUFF.names[:80]


def test_alphabetical_sets_are_so():
    assert list(PASCAL_CONTEXT.names) == sorted(PASCAL_CONTEXT.names)
    assert PASCAL_CONTEXT_60.names[1:] == PASCAL_CONTEXT.names
    stuff = COCO_STUFF.names[80:]
    assert list(stuff) == sorted(stuff)


def test_colours_are_the_published_ones():
    assert CITYSCAPES.palette[:2] == ((128, 64, 128), (244, 35, 232))
    assert CITYSCAPES.palette[18] == (119, 11, 32)
    assert ADE20K.palette[0] == (120, 120, 120)
    assert ADE20K.palette[149] == (92, 0, 255)
    assert PASCAL_CONTEXT_60.palette[0] == (0, 0, 0)
    assert PASCAL_CONTEXT_60.palette[1:] == PASCAL_CONTEXT.palette
    for each in (CITYSCAPES, PASCAL_CONTEXT_60, LIP, COCO_STUFF):
        assert len(set(each.palette)) == len(each.palette), each.name


def test_voc_palette_is_that_of_the_devkit():
    """Aeroplane, bicycle, person and tv monitor of VOC, and the border's colour of index 255."""
    palette = voc_palette(256)
    assert palette[:3] == ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    assert (palette[15], palette[20], palette[255]) == (
        (192, 128, 128),
        (0, 64, 128),
        (224, 224, 192),
    )
    assert len(set(palette)) == 256


def test_left_and_right_of_a_person_are_pairs():
    for a, b in LIP.flip_pairs:
        assert LIP.names[a].replace("left", "right") == LIP.names[b]


def test_every_set_makes_a_card():
    for each in CLASS_SETS.values():
        if each.palette:
            card = SegmentationCard(each.names, each.palette, flip_pairs=each.flip_pairs)
        elif each.category_ids:
            card = DetectionCard(classes=each.names, category_ids=each.category_ids)
        else:
            card = ClassificationCard(each.names)
        assert len(card.labels()) == SIZES[each.name]
