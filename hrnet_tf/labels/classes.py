"""Classes of data sets: names in the order of the channels.

The lists lie in `class_lists/`, a class per line: its name, then its colour, its WordNet synset or
its COCO category id. Sets without colours of their own get those of PASCAL VOC. `class_files` reads
sets of one's own, `label_values` knows which numbers label files have for the classes.
"""

from dataclasses import dataclass
from pathlib import Path

Color = tuple[int, int, int]


@dataclass(frozen=True)
class ClassSet:
    """The classes that the channels of a network stand for.

    Attributes:
        name: short name, the key in `CLASS_SETS`.
        names: one name per class.
        source: paper or file that defines the set.
        palette: RGB 0..255, one per class; empty for classification and detection.
        flip_pairs: ids that change places in a mirrored image.
        synsets: WordNet id of each class; empty if the data set names none.
        category_ids: id of each class in COCO's files; empty if the data set has none.
    """

    name: str
    names: tuple[str, ...]
    source: str
    palette: tuple[Color, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    synsets: tuple[str, ...] = ()
    category_ids: tuple[int, ...] = ()


def voc_palette(count: int) -> tuple[Color, ...]:
    """Colours of PASCAL VOC: black, then distinct ones for up to 255 classes.

    The bits of a class's number, three at a time, become the high bits of red, green and blue
    (`VOClabelcolormap` of the VOC devkit).
    """

    def level(number, channel):
        return sum((number >> (3 * i + channel) & 1) << (7 - i) for i in range(3))

    return tuple(tuple(level(number, channel) for channel in range(3)) for number in range(count))


def _read(name):
    """The columns of a list: names and, if the list has them, colours or synsets."""
    path = Path(__file__).parent / "class_lists" / f"{name}.txt"
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(zip(*rows, strict=True))


def _colors(column):
    return tuple(tuple(int(level) for level in text.split()) for text in column)


_CITYSCAPES, _CITYSCAPES_COLORS = _read("cityscapes")
_ADE20K, _ADE20K_COLORS = _read("ade20k")
_LIP, _LIP_COLORS = _read("lip")
(_PASCAL_CONTEXT,) = _read("pascal_context")
(_COCO_STUFF,) = _read("coco_stuff")
(_VOC,) = _read("voc")
_IMAGENET, _SYNSETS = _read("imagenet")
_COCO, _COCO_IDS = _read("coco")

CITYSCAPES = ClassSet(
    "cityscapes",
    _CITYSCAPES,
    "Cordts et al. CVPR 2016: labels.py of cityscapesScripts, the classes with a training id",
    _colors(_CITYSCAPES_COLORS),
)
PASCAL_CONTEXT = ClassSet(
    "pascal_context",
    _PASCAL_CONTEXT[1:],
    "Mottaghi et al. CVPR 2014: the 59 classes of its benchmark, by name",
    voc_palette(60)[1:],
)
PASCAL_CONTEXT_60 = ClassSet(
    "pascal_context_60",
    _PASCAL_CONTEXT,
    "Mottaghi et al. CVPR 2014: background and the 59 classes of its benchmark, by name",
    voc_palette(60),
)
LIP = ClassSet(
    "lip",
    _LIP,
    "Gong et al. CVPR 2017 (Look into Person); left and right are the person's",
    _colors(_LIP_COLORS),
    ((14, 15), (16, 17), (18, 19)),
)
ADE20K = ClassSet(
    "ade20k",
    _ADE20K,
    "Zhou et al. CVPR 2017: objectInfo150 and color150 of its scene parsing benchmark, where road "
    "and skyscraper share a colour",
    _colors(_ADE20K_COLORS),
)
COCO_STUFF = ClassSet(
    "coco_stuff",
    _COCO_STUFF,
    "Caesar et al. CVPR 2018: labels.txt of COCO-Stuff, the 171 classes in use",
    voc_palette(172)[1:],
)
VOC = ClassSet(
    "voc",
    _VOC,
    "Everingham et al. IJCV 2010 (PASCAL VOC): background and 20 classes, by name",
    voc_palette(21),
)
COCO_THINGS = ClassSet(
    "coco_things",
    ("background", *_COCO_STUFF[:80]),
    "Lin et al. ECCV 2014: background and the 80 things of COCO, in the order of its ids",
    voc_palette(81),
)
PERSON = ClassSet(
    "person",
    ("background", "person"),
    "people, as in Lin et al. ECCV 2014 (COCO), and all else",
    ((0, 0, 0), (220, 20, 60)),
)
DRAWINGS = ClassSet(
    "drawings",
    ("background", "ground", "person", "thing"),
    "the drawings of hrnet_tf.training.data.synthetic",
    ((70, 130, 180), (152, 251, 152), (220, 20, 60), (250, 170, 30)),
)
IMAGENET = ClassSet(
    "imagenet",
    _IMAGENET,
    "Russakovsky et al. IJCV 2015: synsets of ILSVRC 2012 sorted by id; the first word of each",
    synsets=_SYNSETS,
)
COCO = ClassSet(
    "coco",
    _COCO,
    "Lin et al. ECCV 2014: the 80 categories with boxes, by id; 11 ids of 1..90 are not used",
    category_ids=tuple(map(int, _COCO_IDS)),
)

CLASS_SETS = {
    each.name: each
    for each in (
        CITYSCAPES,
        PASCAL_CONTEXT,
        PASCAL_CONTEXT_60,
        LIP,
        ADE20K,
        COCO_STUFF,
        VOC,
        COCO_THINGS,
        PERSON,
        DRAWINGS,
        IMAGENET,
        COCO,
    )
}


def class_set_name(names: tuple[str, ...]) -> str:
    """The set of these classes in words, such as "cityscapes classes"; else "classes"."""
    known = (each.name for each in CLASS_SETS.values() if each.names == names)
    return f"{next(known, '')} classes".lstrip()
