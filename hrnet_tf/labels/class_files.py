"""Your own classes, as JSON files.

Only `names` is required:

    {"names": ["background", "left glove", "right glove"],
     "palette": [[0, 0, 0], [255, 160, 0], [0, 160, 255]],
     "flip_pairs": [["left glove", "right glove"]]}

A class is named by its name or by its place, from 0. Defaults: `name` is the file's name without
suffix, `palette` the colours of PASCAL VOC, and no pairs change places in a mirrored image.
"""

import os

from hrnet_tf.files import existing, parse_json
from hrnet_tf.labels.classes import ClassSet, voc_palette
from hrnet_tf.names import did_you_mean

FIELDS = ("name", "names", "palette", "flip_pairs", "source")


def read_class_set(path: str | os.PathLike) -> ClassSet:
    """Reads a class file.

    Raises:
        OSError: the file cannot be read.
        ValueError: a field is missing, unknown or not what it must be; the message names it.
    """
    path = existing(path)
    content = parse_json(path.read_bytes(), path)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a class file must be an object with a list `names`.")
    try:
        return _of_fields(content, path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _of_fields(content, path):
    for key in content:
        if key not in FIELDS:
            raise ValueError(f"no field is called {key!r}.{did_you_mean(key, FIELDS, n=1)}")
    names = tuple(_list(content, "names"))
    for name in names:
        if not isinstance(name, str) or not name.strip() or names.count(name) > 1:
            raise ValueError(f"`names` must be different words. Received: {name!r}.")
    if len(names) < 2:
        raise ValueError(f"`names` must name at least two classes. Received: {len(names)}.")
    palette = tuple(map(_color, _list(content, "palette"))) or voc_palette(len(names))
    if len(palette) != len(names):
        raise ValueError(
            f"`palette` must have a colour for each class. Received: {len(palette)} for "
            f"{len(names)} classes."
        )
    return ClassSet(
        name=str(content.get("name", path.stem)),
        names=names,
        source=str(content.get("source", path.name)),
        palette=palette,
        flip_pairs=tuple(_pair(each, names) for each in _list(content, "flip_pairs")),
    )


def _list(content, field):
    found = content.get(field) or []
    if not isinstance(found, list):
        raise ValueError(f"`{field}` must be a list. Received: {found!r}.")
    return found


def _color(color):
    levels = color if isinstance(color, list) else []
    if len(levels) != 3 or not all(type(x) is int and 0 <= x <= 255 for x in levels):
        raise ValueError(f"`palette` must hold [red, green, blue], 0 to 255. Received: {color!r}.")
    return tuple(levels)


def _pair(pair, names):
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError(f"`flip_pairs` must hold pairs of classes. Received: {pair!r}.")
    return tuple(_id(each, names) for each in pair)


def _id(each, names):
    if type(each) is int and 0 <= each < len(names):
        return each
    if each not in names:
        raise ValueError(
            f"`flip_pairs` must hold `names` or their places from 0. Received: {each!r}."
            f"{did_you_mean(each, names, n=1)}"
        )
    return names.index(each)
