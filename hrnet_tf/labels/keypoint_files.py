"""Your own keypoint sets, as JSON files.

Only `names` is required:

    {"names": ["nose", "left_ear", "right_ear", "tail"],
     "skeleton": [["nose", "tail"]]}

The other fields refer to a keypoint by its name or by its index, from 0. Their defaults: `name` is
the file's name without suffix, `flip_pairs` follow from left and right in the names, `skeleton` and
`upper_body` are empty, colours are the usual ones. Without `sigmas` OKS is not defined, so
evaluation reports the share of correct keypoints (PCK) instead of AP.
"""

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

from hrnet_tf.files import existing, parse_json, whole
from hrnet_tf.labels.keypoint_sets import KEYPOINT_SETS
from hrnet_tf.labels.keypoints import KeypointSet, keypoint_set
from hrnet_tf.names import did_you_mean

FIELDS = tuple(field.name for field in dataclasses.fields(KeypointSet))


def read_keypoint_set(path: str | os.PathLike) -> KeypointSet:
    """Reads a keypoint file, or the keypoints that the categories of a COCO annotation file name.

    If the names in an annotation file equal those of a published set, the result is that set, with
    its sigmas.

    Raises:
        OSError: the file cannot be read.
        ValueError: a field is missing, unknown or not what it must be; the message names it.
    """
    path = existing(path)
    content = parse_json(path.read_bytes(), path)
    if not isinstance(content, dict):
        raise ValueError(
            f"{path}: a keypoint file must be an object with a list `names`. "
            f"Received: {type(content).__name__}."
        )
    try:
        if "categories" in content:
            return _of_categories(content["categories"], path)
        return _of_fields(content, path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_keypoint_set(
    path: str | os.PathLike, keypoints: KeypointSet, overwrite: bool = False
) -> None:
    """Writes all fields of a set, so that `read_keypoint_set` gives an equal one.

    Raises:
        OSError: the file cannot be written.
        ValueError: it is there already, and `overwrite` is False.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise ValueError(f"{path}: is there already; choose another name or overwrite=True.")
    fields = dataclasses.asdict(keypoints)
    lines = (f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in fields.items())
    with whole(path) as part:
        part.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _of_fields(content, path):
    for key in content:
        if key not in FIELDS:
            raise ValueError(f"no field is called {key!r}.{did_you_mean(key, FIELDS, n=1)}")
    names = _names(content)
    pairs = content.get("flip_pairs")
    keypoints = keypoint_set(
        names,
        name=_text(content, "name", path.stem),
        flip_pairs=pairs if pairs is None else _pairs(content, "flip_pairs", names),
        skeleton=_pairs(content, "skeleton", names),
        sigmas=_sigmas(content, len(names)),
        upper_body=[_id(each, "upper_body", names) for each in _list(content, "upper_body")],
        source=_text(content, "source", path.name),
    )
    given = [key for key in ("colors", "point_colors") if content.get(key) is not None]
    return dataclasses.replace(keypoints, **{key: _colors(content, key) for key in given})


def _of_categories(categories, path):
    """The set that all categories with keypoints share."""
    categories = categories if isinstance(categories, list) else []
    categories = [each for each in categories if isinstance(each, Mapping)]
    categories = [each for each in categories if each.get("keypoints")]
    if not categories:
        raise ValueError(
            "no category names its `keypoints`. Write them to a keypoint file, "
            '{"names": [...]}, and use that.'
        )
    first = categories[0]
    for other in categories[1:]:
        if other["keypoints"] != first["keypoints"]:
            raise ValueError(
                f"the categories {first.get('name')!r} and {other.get('name')!r} have different "
                "`keypoints`. Make one file of each."
            )
    names = _names({"names": first["keypoints"]})
    for known in KEYPOINT_SETS.values():
        if known.names == names:
            return known
    return keypoint_set(
        names,
        name=path.stem,
        skeleton=_edges(first.get("skeleton"), names),
        source=f"category {first.get('name')!r} of {path.name}",
    )


def _edges(skeleton, names):
    """The lines of a COCO file, whose ids count from 1, or from 0 if one is 0.

    They are only drawn, so those that cannot be understood are left out.
    """
    skeleton = skeleton if isinstance(skeleton, list) else []
    edges = [edge for edge in skeleton if isinstance(edge, list) and len(edge) == 2]
    edges = [[names.index(i) + 1 if i in names else i for i in edge] for edge in edges]
    edges = [edge for edge in edges if all(type(i) is int for i in edge)]
    first = 0 if any(0 in edge for edge in edges) else 1
    edges = [(a - first, b - first) for a, b in edges]
    return [edge for edge in edges if min(edge) >= 0 and max(edge) < len(names)]


def _list(content, field):
    value = content.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"`{field}` must be a list. Received: {field}={value!r}.")
    return value


def _text(content, field, default):
    value = content.get(field, default)
    if not isinstance(value, str):
        raise ValueError(f"`{field}` must be text. Received: {field}={value!r}.")
    return value


def _names(content):
    names = _list(content, "names")
    if not names:
        raise ValueError("`names` must be a list with one name per keypoint. It is missing.")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"`names` must be words. Received: {name!r}.")
        if names.count(name) > 1:
            raise ValueError(f"`names` must differ. Received: {name!r} more than once.")
    return tuple(names)


def _pairs_of(content, field):
    for pair in _list(content, field):
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"`{field}` must hold pairs of keypoints. Received: {pair!r}.")
        yield pair


def _pairs(content, field, names):
    return [tuple(_id(each, field, names) for each in pair) for pair in _pairs_of(content, field)]


def _id(keypoint, field, names):
    """The index of a keypoint that is given by its index or its name."""
    if isinstance(keypoint, int) and not isinstance(keypoint, bool):
        return keypoint  # `KeypointSet` refuses an index that does not exist
    if keypoint not in names:
        raise ValueError(
            f"`{field}` must hold `names` or their places from 0. Received: {keypoint!r}."
            f"{did_you_mean(keypoint, names, n=1)}"
        )
    return names.index(keypoint)


def _sigmas(content, count):
    sigmas = content.get("sigmas")
    if sigmas is None:
        return None
    sigmas = _list(content, "sigmas")
    for sigma in sigmas:
        if not isinstance(sigma, int | float) or not 0 < sigma < math.inf:
            raise ValueError(
                f"`sigmas` must be {count} positive numbers, COCO's lie between 0.025 and 0.107. "
                f"Received: {sigma!r}."
            )
    return sigmas


def _colors(content, field):
    colors = _list(content, field)
    for color in colors:
        levels = color if isinstance(color, list) else []
        if len(levels) != 3 or not all(isinstance(x, int) and 0 <= x <= 255 for x in levels):
            raise ValueError(
                f"`{field}` must hold [red, green, blue], 0 to 255. Received: {color!r}."
            )
    return tuple(map(tuple, colors))
